"""The SIP messages of one call, for ladders and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trivox.net.transport import Address


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One message as on the wire.

    Attributes:
        at: Seconds of Trio's clock.
        direction: "in" or "out".
        flow: Number of the socket or connection.
        local: Our address on it.
        remote: The peer's.
        data: The whole message, with what is secret in it; not in the repr.
    """

    at: float
    direction: str
    flow: int
    local: Address
    remote: Address
    data: bytes = field(repr=False)
