"""UDP on every address of the machine: an answer leaves from the address its request came to.

Each address gets a socket of its own beside the wildcard one, on the same port: what comes to it
then says so by the socket. The wildcard socket is left with what comes to addresses that the kernel
did not name, such as 127.0.0.2 or an interface that came up later, and learns of each datagram
which that was (RFC 3542 §6.2, ip(7)).
"""

from __future__ import annotations

import itertools
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.net.interfaces import local_hosts
from trivox.net.route import is_ipv6
from trivox.net.sockets import UdpSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.net.transport import Address, DatagramSocket
    from trivox.net.udp import UdpFlow

# linux/in.h and linux/in6.h; Python's socket has not all of them.
_IP_PKTINFO: Final = 8
_INFO_4: Final = struct.Struct("=I4s4s")
_INFO_6: Final = struct.Struct("=16sI")
_LARGEST_DATAGRAM_BYTES: Final = 65_535
_MOST_ENDS: Final = 256
_BATCH: Final = 64


def bind_everywhere(
    wildcard: Address, receive_buffer: int
) -> tuple[WildcardSocket, list[DatagramSocket]]:
    """Bind the wildcard address, and each address of the machine beside it. Raises OSError.

    Nobody else can bind one of them: that is only allowed while this runs.
    """
    rest = WildcardSocket(wildcard, receive_buffer)
    rest.share(enable=True)
    named: list[UdpSocket] = []
    for host in local_hosts():
        if is_ipv6(host) == is_ipv6(wildcard[0]):
            with suppress(OSError):  # an address may go at any time; the wildcard has it then
                named.append(UdpSocket((host, rest.local[1]), receive_buffer, is_shared=True))
    rest.share(enable=False)
    for one in named:
        one.share(enable=False)
    return rest, list(named)


@final
class WildcardSocket:
    """A UDP socket on a wildcard address that tells the address each datagram came to."""

    def __init__(self, local: Address, receive_buffer: int) -> None:
        self._inner = UdpSocket(local, receive_buffer)
        self.local = self._inner.local
        self._ends: dict[str, WildcardEnd] = {}
        self._is_ipv6 = is_ipv6(local[0])
        with suppress(OSError):
            if self._is_ipv6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                self.socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    @property
    def socket(self) -> socket.socket:
        """The system's."""
        return self._inner.socket

    def share(self, *, enable: bool) -> None:
        """Allow sockets on single addresses of the same port, or forbid it."""
        self._inner.share(enable=enable)

    async def wait_readable(self) -> None:
        """Wait until a datagram waits."""
        await trio.lowlevel.wait_readable(self.socket)

    def descriptor(self) -> int | None:
        """Return None: what each datagram came to must be asked with it."""
        return None

    def overflows(self) -> int:
        """Ask the kernel how many datagrams it had no room for."""
        return self._inner.overflows()

    def undelivered(self) -> list[tuple[bytes, bool]]:
        """Take what the network sent back."""
        return self._inner.undelivered()

    def receive(self, limit: int) -> list[tuple[bytes, Address]]:
        """Take datagrams without asking what they came to."""
        return self._inner.receive(limit)

    def receive_by_end(self, limit: int) -> list[tuple[WildcardEnd | None, bytes, Address]]:
        """Take up to `limit` datagrams, each with our end: None when there are too many of those."""
        taken: list[tuple[WildcardEnd | None, bytes, Address]] = []
        for _ in range(limit):
            try:
                data, control, _, source = self.socket.recvmsg(_LARGEST_DATAGRAM_BYTES, 128)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error of something sent earlier: no datagram is lost by it
                continue
            taken.append((self._end(control), data, source[:2]))
        return taken

    def send(self, data: bytes, destination: Address) -> None:
        """Send from the address that the kernel's route names."""
        self._inner.send(data, destination)

    def send_from(self, host: str, data: bytes, destination: Address) -> None:
        """Send from one of our addresses."""
        if self._is_ipv6:
            info = _INFO_6.pack(socket.inet_pton(socket.AF_INET6, host), 0)
            control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
        else:
            info = _INFO_4.pack(0, socket.inet_aton(host), bytes(4))
            control = [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
        self.socket.sendmsg([data], control, 0, destination)

    def close(self) -> None:
        """Close."""
        self._inner.close()

    def _end(self, control: list[tuple[int, int, bytes]]) -> WildcardEnd | None:
        for level, kind, info in control:
            if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
                host = socket.inet_ntoa(_INFO_4.unpack_from(info)[1])
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                host = socket.inet_ntop(socket.AF_INET6, _INFO_6.unpack_from(info)[0])
            else:
                continue
            end = self._ends.get(host)
            if end is None and len(self._ends) < _MOST_ENDS:
                end = self._ends[host] = WildcardEnd(self, host)
            return end
        return None


@final
class WildcardEnd:
    """One address of a wildcard socket: `DatagramSocket` for what answers from it."""

    def __init__(self, inner: WildcardSocket, host: str) -> None:
        self._inner = inner
        self.local = (host, inner.local[1])

    async def wait_readable(self) -> None:
        """Wait for ever: the wildcard socket receives for all of its addresses."""
        await trio.sleep_forever()

    def descriptor(self) -> int | None:
        """Return None: the wildcard socket receives."""
        return None

    def overflows(self) -> int:
        """Return 0: the wildcard socket counts."""
        return 0

    def undelivered(self) -> list[tuple[bytes, bool]]:
        """Return nothing: the wildcard socket is told."""
        return []

    def receive(self, limit: int) -> list[tuple[bytes, Address]]:
        """Return nothing."""
        return []

    def send(self, data: bytes, destination: Address) -> None:
        """Send from this address. Raises OSError."""
        self._inner.send_from(self.local[0], data, destination)

    def close(self) -> None:
        """Do nothing: the socket is the wildcard's."""


@final
class WildcardReceiver:
    """Gives what comes to a wildcard socket to a flow for each of our ends.

    Args:
        flow: The flow of the wildcard itself.
        socket: Its socket.
        new_flow: Makes a flow of an end.
    """

    def __init__(
        self,
        flow: UdpFlow,
        socket: WildcardSocket,
        new_flow: Callable[[DatagramSocket], UdpFlow],
    ) -> None:
        self._flow = flow
        self._socket = socket
        self._new_flow = new_flow
        self._flows: dict[WildcardEnd, UdpFlow] = {}

    @trio.lowlevel.enable_ki_protection
    async def run(
        self,
        deliver: Callable[[UdpFlow, list[tuple[bytes, Address]]], None],
        send_back: Callable[[UdpFlow], None],
    ) -> None:
        """Deliver batches, and what the network sent back, until the socket is closed."""
        try:
            while True:
                await self._socket.wait_readable()
                taken = self._socket.receive_by_end(_BATCH)
                if not taken:
                    send_back(self._flow)
                for end, run in itertools.groupby(taken, key=lambda one: one[0]):
                    deliver(self._flow_of(end), [(data, source) for _, data, source in run])
        except trio.ClosedResourceError:
            return

    def _flow_of(self, end: WildcardEnd | None) -> UdpFlow:
        if end is None:
            return self._flow
        flow = self._flows.get(end)
        if flow is None:
            flow = self._flows[end] = self._new_flow(end)
        return flow
