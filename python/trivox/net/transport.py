"""The seam between sockets and what speaks SIP over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trivox._native import SipEvent

Address = tuple[str, int]
"""(host, port) as numbers; IPv6 hosts without brackets."""


class Flow(Protocol):
    """One UDP socket, or one stream connection, that messages leave by (RFC 5626 §3.1)."""

    @property
    def id(self) -> int:
        """The number the SIP core knows it by; never reused."""
        ...

    @property
    def transport(self) -> str:
        """One of udp, tcp, ws."""
        ...

    @property
    def local(self) -> Address:
        """The bound address; the host may be a wildcard."""
        ...

    def send(self, data: bytes, destination: Address) -> None:
        """Hand bytes over without waiting. A full queue closes the flow (streams) or drops and counts (UDP)."""
        ...

    def close(self) -> None:
        """Close at once; later sends do nothing."""
        ...


class TransactionUser(Protocol):
    """What an endpoint gives its events to: a client or a switchboard (RFC 3261 §5)."""

    def handle_sip(self, events: list[SipEvent], now: float) -> None:
        """Take the events of one batch, synchronously; answers are flushed when it returns."""
        ...

    def handle_flow_closed(self, flow: int) -> None:
        """A connection is gone; its pending transactions have been reported before."""
        ...
