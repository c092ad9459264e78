"""The system's sockets behind the seam of `transport`: non-blocking, woken by Trio."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.net.interfaces import local_hosts
from trivox.net.route import is_ipv6

if TYPE_CHECKING:
    from trivox.net.transport import (
        Address,
        Connector,
        DatagramSocket,
        StreamListener,
    )

# Linux: beyond net.core.rmem_max, for who may (socket(7)); the memory of a socket and its drops.
_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_MEMINFO_FORMAT: Final = "9I"
_MEMINFO_DROPS: Final = 8
_LARGEST_DATAGRAM_BYTES: Final = 65_535
# Linux: ICMP errors are kept with what they quote (ip(7), IP_RECVERR). Of those, destination
# unreachable and parameter problem count (RFC 3261 §18.4), as the ICMP of each family numbers them.
_MSG_ERRQUEUE: Final = 0x2000
_RECVERR: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_EXTENDED_ERROR: Final = struct.Struct("=IBBBxII")
_UNREACHABLE: Final = {2: (3, 12), 3: (1, 4)}
_NOBODY_LISTENS: Final = frozenset({errno.ECONNREFUSED, errno.ENOPROTOOPT, errno.EPROTO})
_NO_WAY: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH})
_MOST_ERRORS: Final = 64
_QUOTED_BYTES: Final = 1024
_BACKLOG: Final = 1024
# A far end that is gone without a word is noticed by what it does not acknowledge in 30 s, and on a
# silent connection by probes after a minute. Not every system has these options.
_HALF_OPEN: Final = {
    "TCP_USER_TIMEOUT": 30_000,  # milliseconds
    "TCP_KEEPIDLE": 60,
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 3,
}


@final
class UdpSocket:
    """A bound UDP socket: `DatagramSocket` over the system's."""

    def __init__(self, local: Address, receive_buffer: int, *, is_shared: bool = False) -> None:
        self._socket = _new_socket(local[0], socket.SOCK_DGRAM)
        try:
            _widen(self._socket, receive_buffer)
            _ask_for_errors(self._socket)
            self.share(enable=is_shared)
            self._socket.bind(local)
        except OSError:
            self._socket.close()
            raise
        self.local: Address = self._socket.getsockname()[:2]
        self._room = memoryview(bytearray(_LARGEST_DATAGRAM_BYTES))

    @property
    def socket(self) -> socket.socket:
        """The system's."""
        return self._socket

    def share(self, *, enable: bool) -> None:
        """Allow other sockets that allow it too to bind the same port, or forbid it from now on."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, enable)

    async def wait_readable(self) -> None:
        """Wait until a datagram waits."""
        if self._socket.fileno() == -1:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_readable(self._socket)

    def descriptor(self) -> int | None:
        """Return the file descriptor."""
        return self._socket.fileno()

    def overflows(self) -> int:
        """Ask the kernel how many datagrams it had no room for; 0 where it does not say."""
        if sys.platform != "linux" or self._socket.fileno() == -1:
            return 0
        try:
            size = struct.calcsize(_MEMINFO_FORMAT)
            found = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, size)
            return int(struct.unpack(_MEMINFO_FORMAT, found)[_MEMINFO_DROPS])
        except (OSError, struct.error):
            return 0

    def receive(self, limit: int) -> list[tuple[bytes, Address]]:
        """Take up to `limit` waiting datagrams."""
        batch: list[tuple[bytes, Address]] = []
        # Room for the largest datagram, made anew for each, would cost more than this copy.
        room = self._room
        receive_into = self._socket.recvfrom_into
        for _ in range(limit):
            try:
                length, source = receive_into(room)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error of something sent earlier: no datagram is lost by it
                continue
            batch.append((bytes(room[:length]), source[:2]))
        return batch

    def undelivered(self) -> list[tuple[bytes, bool]]:
        """Take the errors that the kernel keeps, a batch at a time."""
        found: list[tuple[bytes, bool]] = []
        if sys.platform != "linux" or self._socket.fileno() == -1:
            return found
        for _ in range(_MOST_ERRORS):
            try:
                quoted, control, _, _ = self._socket.recvmsg(_QUOTED_BYTES, 256, _MSG_ERRQUEUE)
            except OSError:
                break
            verdict = _verdict(control)
            if verdict is not None:
                found.append((quoted, verdict))
        return found

    def send(self, data: bytes, destination: Address) -> None:
        """Send one datagram without waiting."""
        try:
            self._socket.sendto(data, destination)
        except OSError as error:
            if error.errno not in _NOBODY_LISTENS | _NO_WAY:
                raise
            # As a rule that of an earlier datagram, which the network sent back.
            self._socket.sendto(data, destination)

    def close(self) -> None:
        """Close; a task in wait_readable gets trio.ClosedResourceError."""
        if self._socket.fileno() != -1:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()


@final
class TcpConnection:
    """A connected TCP socket: `StreamConnection` over the system's."""

    def __init__(self, stream: trio.SocketStream, local: Address, remote: Address) -> None:
        self._stream = stream
        self.local = local
        self.remote = remote
        with suppress(OSError):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _HALF_OPEN.items():
            number = getattr(socket, option, None)
            if number is not None:
                with suppress(OSError):
                    stream.setsockopt(socket.IPPROTO_TCP, number, value)

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what has come, b"" at the end."""
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes) -> None:
        """Send all of it."""
        await self._stream.send_all(data)

    def close(self) -> None:
        """Close at once."""
        self._stream.socket.close()


@final
class TcpConnector:
    """A bound TCP socket on its way to a destination."""

    def __init__(self, local_host: str, destination: Address) -> None:
        self._destination = destination
        self._socket = _new_socket(destination[0], socket.SOCK_STREAM)
        try:
            self._socket.bind((local_host, 0))
        except OSError:
            self._socket.close()
            raise
        self.local: Address = self._socket.getsockname()[:2]

    async def connect(self) -> TcpConnection:
        """Connect; the socket is closed if that fails or is cancelled."""
        connecting = trio.socket.from_stdlib_socket(self._socket)
        try:
            await connecting.connect(self._destination)
        except BaseException:
            connecting.close()
            raise
        return TcpConnection(trio.SocketStream(connecting), self.local, self._destination)

    def close(self) -> None:
        """Close; a connect under way fails."""
        self._socket.close()


@final
class TcpListener:
    """A listening TCP socket."""

    def __init__(self, local: Address) -> None:
        listening = _new_socket(local[0], socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(local)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        self._socket = trio.socket.from_stdlib_socket(listening)
        self.local: Address = listening.getsockname()[:2]

    async def accept(self) -> TcpConnection:
        """Return the next connection."""
        connected, remote = await self._socket.accept()
        local = connected.getsockname()
        return TcpConnection(trio.SocketStream(connected), local[:2], remote[:2])

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@final
class SystemSockets:
    """The `SocketFactory` of the operating system."""

    def bind_datagram(self, local: Address, receive_buffer: int) -> DatagramSocket:
        """Bind a UDP socket."""
        return UdpSocket(local, receive_buffer)

    def bind_everywhere(
        self, wildcard: Address, receive_buffer: int
    ) -> tuple[DatagramSocket, list[DatagramSocket]]:
        """Bind a UDP socket for each address, and one for the rest."""
        from trivox.net.wildcard import bind_everywhere

        rest, named = bind_everywhere(wildcard, receive_buffer)
        return rest, named

    def local_hosts(self) -> tuple[str, ...]:
        """Ask the kernel for the addresses of the machine."""
        return local_hosts()

    def listen_stream(self, local: Address) -> StreamListener:
        """Listen on a TCP socket."""
        return TcpListener(local)

    def open_connector(self, local_host: str, destination: Address) -> Connector:
        """Bind a TCP socket that will connect to `destination`."""
        return TcpConnector(local_host, destination)

    def route_to(self, host: str) -> str:
        """Ask the kernel for the route by connecting a UDP socket, which sends nothing."""
        probe = _new_socket(host, socket.SOCK_DGRAM)
        try:
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
        finally:
            probe.close()

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Ask the system's resolver, in a thread of Trio's."""
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        return [(str(address[0]), port) for *_, address in found]


def _ask_for_errors(made: socket.socket) -> None:
    """Have the kernel keep what the network says it could not deliver, where it can."""
    if sys.platform == "linux":
        with suppress(OSError):
            made.setsockopt(*_RECVERR[made.family], 1)


def _verdict(control: list[tuple[int, int, bytes]]) -> bool | None:
    """Tell whether nobody listens where a datagram went; None: it may yet have arrived."""
    for level, kind, data in control:
        if (level, kind) in _RECVERR.values() and len(data) >= _EXTENDED_ERROR.size:
            number, origin, icmp_type, *_ = _EXTENDED_ERROR.unpack_from(data)
            if icmp_type in _UNREACHABLE.get(origin, ()) and number in _NOBODY_LISTENS | _NO_WAY:
                return number in _NOBODY_LISTENS
    return None


def _widen(made: socket.socket, receive_buffer: int) -> None:
    """Ask for a receive buffer that holds a flood between two turns; less is no error."""
    if receive_buffer <= 0:
        return
    if sys.platform == "linux":
        with suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_buffer)
            return
    with suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)


def _new_socket(host: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if is_ipv6(host) else socket.AF_INET
    made = socket.socket(family, kind)
    made.settimeout(0)
    if family == socket.AF_INET6:
        # An IPv4 peer would show as ::ffff:a.b.c.d: IPv4 has sockets of its own.
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made
