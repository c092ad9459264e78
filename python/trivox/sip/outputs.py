"""What the sans-I/O machines of this package ask their owner to do.

A machine never does I/O: each input or command returns a tuple of these, in order, and the owner
(`trivox.client`, `trivox.switchboard`) carries them out on the endpoint before it gives the next input.
A repr shows neither headers nor body: credentials, keys and ICE passwords stand there.
They live for one step, several a message, and are not frozen: that would double what one costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Headers = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class SendRequest:
    """Start a client transaction. Via and Content-Length are added below."""

    method: str
    uri: str
    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    route: tuple[str, ...] = ()
    """The route set, already part of `headers`; its first entry decides where the request goes (RFC 3261 §12.2.1.1)."""
    to_tag: str | None = None
    """Names the dialog it belongs to, which may be an early one; None outside of dialogs."""


@dataclass(slots=True)
class SendAck:
    """Acknowledge the 2xx with this To tag of client transaction `tx`."""

    tx: int
    to_tag: str
    uri: str
    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    route: tuple[str, ...] = ()


@dataclass(slots=True)
class SendCancel:
    """Cancel the client INVITE transaction `tx`, which has had a provisional response."""

    tx: int
    headers: Headers = field(repr=False)


@dataclass(slots=True)
class SendResponse:
    """Answer server transaction `tx`; `to_tag` is used unless the request had one."""

    tx: int
    status: int
    reason: str
    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    to_tag: str = ""


@dataclass(slots=True)
class Remember:
    """Put a dialog that no response of ours or to us has made into the core's table."""

    call_id: str
    local_tag: str
    remote_tag: str


@dataclass(slots=True)
class Forget:
    """Drop the dialog from the core's table."""

    call_id: str
    local_tag: str
    remote_tag: str


Output = SendRequest | SendAck | SendCancel | SendResponse | Forget
