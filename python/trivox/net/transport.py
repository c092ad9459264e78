"""The seam between sockets and what speaks SIP over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trivox._native import SipEvent

Address = tuple[str, int]
"""(host, port) as numbers; IPv6 hosts without brackets."""


class DatagramSocket(Protocol):
    """A bound UDP socket, real or virtual."""

    @property
    def local(self) -> Address:
        """The bound address; the host may be a wildcard."""
        ...

    async def wait_readable(self) -> None:
        """Wait until a datagram waits. Raises trio.ClosedResourceError when closed meanwhile."""
        ...

    def descriptor(self) -> int | None:
        """Return the file descriptor that datagrams can be taken from; None for a virtual one."""
        ...

    def overflows(self) -> int:
        """Datagrams lost because the receive buffer was full."""
        ...

    def undelivered(self) -> list[tuple[bytes, bool]]:
        """Take what the network sent back: its first bytes, and whether nobody listens there.

        A network that has no way just now is no final word.
        """
        ...

    def receive(self, limit: int) -> list[tuple[bytes, Address]]:
        """Take up to `limit` waiting datagrams with their sources, without waiting."""
        ...

    def send(self, data: bytes, destination: Address) -> None:
        """Send without waiting. Raises OSError; BlockingIOError when the buffer is full."""
        ...

    def close(self) -> None:
        """Close at once."""
        ...


class StreamConnection(Protocol):
    """A connected byte stream, real or virtual."""

    @property
    def local(self) -> Address:
        """This end."""
        ...

    @property
    def remote(self) -> Address:
        """The other end."""
        ...

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what has come, b"" at the end. Raises trio.BrokenResourceError, ClosedResourceError."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send all of it. Raises trio.BrokenResourceError, trio.ClosedResourceError."""
        ...

    def close(self) -> None:
        """Close at once; what waits in another task raises trio.ClosedResourceError."""
        ...


class Connector(Protocol):
    """A connection about to be made: its local address is known already."""

    @property
    def local(self) -> Address:
        """This end."""
        ...

    async def connect(self) -> StreamConnection:
        """Connect. Raises OSError."""
        ...

    def close(self) -> None:
        """Close at once."""
        ...


class StreamListener(Protocol):
    """A listening socket, real or virtual."""

    @property
    def local(self) -> Address:
        """This end."""
        ...

    async def accept(self) -> StreamConnection:
        """Return the next connection. Raises OSError, trio.ClosedResourceError."""
        ...

    def close(self) -> None:
        """Close at once."""
        ...


class SocketFactory(Protocol):
    """Where an endpoint gets its sockets: the system's, or a virtual network's."""

    def bind_datagram(self, local: Address, receive_buffer: int) -> DatagramSocket:
        """Bind a UDP socket with so large a buffer, in bytes; port 0 is any. Raises OSError."""
        ...

    def bind_everywhere(
        self, wildcard: Address, receive_buffer: int
    ) -> tuple[DatagramSocket, list[DatagramSocket]]:
        """Bind a wildcard address: a socket for what has none of its own, and those. Raises OSError."""
        ...

    def local_hosts(self) -> tuple[str, ...]:
        """Return the addresses of this machine; empty when they cannot be had."""
        ...

    def listen_stream(self, local: Address) -> StreamListener:
        """Listen for connections; port 0 lets the system choose. Raises OSError."""
        ...

    def open_connector(self, local_host: str, destination: Address) -> Connector:
        """Bind a stream socket that will connect to `destination`. Raises OSError."""
        ...

    def route_to(self, host: str) -> str:
        """Return the local host from which packets to `host` leave. Raises OSError."""
        ...

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host name. Raises OSError."""
        ...


class Flow(Protocol):
    """One UDP socket, or one stream connection, that messages leave by (RFC 5626 §3.1)."""

    @property
    def id(self) -> int:
        """The number the SIP core knows it by; never reused."""
        ...

    @property
    def transport(self) -> str:
        """One of udp, tcp, tls, ws, wss."""
        ...

    @property
    def local(self) -> Address:
        """The bound address; the host may be a wildcard."""
        ...

    @property
    def remote(self) -> Address | None:
        """The peer of a connection; None for a UDP socket."""
        ...

    @property
    def accepted(self) -> bool:
        """Whether the far end opened this connection."""
        ...

    def send(self, data: bytes, destination: Address) -> None:
        """Hand bytes over without waiting. A full queue closes the flow (streams) or drops and counts (UDP)."""
        ...

    def ping(self, destination: Address) -> None:
        """Send a keep-alive; a connection that does not answer in 10 s is closed (RFC 5626 §4.4.1)."""
        ...

    def close(self) -> None:
        """Close at once; later sends do nothing."""
        ...


class TransactionUser(Protocol):
    """What an endpoint gives its events to: a client or a switchboard (RFC 3261 §5)."""

    def handle_sip(self, events: list[SipEvent], now: float) -> None:
        """Take the events of one batch, synchronously; answers are flushed when it returns."""
        ...

    def handle_flow_closed(self, flow: int, *, is_peers: bool) -> None:
        """A connection is gone; its pending transactions have been reported before.

        Args:
            flow: Its number.
            is_peers: Whether only the far end can open it anew: a WebSocket it had opened, as a
                browser has no address to connect to (RFC 7118).
        """
        ...
