"""Limits at the door of an endpoint: what is let in, how fast, and how many may wait."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from trivox._native import SipCore


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """Limits on what comes from outside; times in seconds.

    A turn of the endpoint takes a few new requests; the others wait, first come, first served.
    Under overload they are refused from their raw bytes: 503 with Retry-After, or in silence.
    What is inside a dialog, responses, CANCEL and OPTIONS neither wait nor are refused.
    """

    refusals_per_second: int = 200
    """503s sent in one second; further refusals of that second are dropped and counted."""
    waiting: int = 1024
    """New requests that may wait for a turn; more are refused."""
    waiting_seconds: float = 0.4
    """Longest wait for a turn, below the T1 after which the far end repeats itself."""
    target_delay: float = 0.05
    """A wait above this for `overload_seconds` is overload: the room shrinks to two turns."""
    overload_seconds: float = 0.2
    """How long the wait may be above `target_delay`."""
    requests_per_source: float | None = None
    """New requests a second from one IPv4 address or IPv6 /64; None: no limit."""
    source_ban: float = 10.0
    """How long new requests of a source that exceeds its limit are dropped."""
    sources: int = 4096
    """Sources remembered; the one longest unheard makes room."""
    overload_control: bool = True
    """Offer in our Via to send fewer new requests to who asks for it, and do so (RFC 7339)."""
    max_transactions: int = 1_000_000
    """Live transactions beyond which any request outside of them is answered 503."""
    receive_buffer: int = 8 * 1024 * 1024
    """Bytes asked for as the receive buffer of a UDP socket; the system may give less."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(entry.default, bool):
                continue
            if not _is_fit(value, is_whole=isinstance(entry.default, int)):
                raise InvalidArgumentsError(f"door.{entry.name} is {value!r}; give a number from 0")

    def apply(
        self, core: SipCore, *, retry_after: int = 5, calls_per_second: float | None = None
    ) -> None:
        """Set the limits at the door of a core."""
        core.set_door(
            refusals_per_second=self.refusals_per_second,
            retry_after=retry_after,
            calls_per_second=calls_per_second or 0.0,
            waiting=self.waiting,
            waiting_seconds=self.waiting_seconds,
            target_delay=self.target_delay,
            overload_seconds=self.overload_seconds,
            requests_per_source=self.requests_per_source or 0.0,
            source_ban=self.source_ban,
            sources=self.sources,
            overload_control=self.overload_control,
        )


def _is_fit(value: object, *, is_whole: bool) -> bool:
    if value is None:
        return not is_whole
    if isinstance(value, bool) or not isinstance(value, int if is_whole else int | float):
        return False
    return math.isfinite(value) and value >= 0
