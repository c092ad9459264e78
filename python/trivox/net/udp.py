"""One UDP socket as a flow: a batch of datagrams per wake-up, sends without waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.net.transport import Address, DatagramSocket

# More per wake-up starves the tasks of calls under a flood; less costs a wait per datagram.
_BATCH: Final = 64


@final
class UdpFlow:
    """A UDP socket that messages come by and leave by.

    A datagram that the socket cannot take at once is dropped and counted: the transaction layer
    repeats it. What the system refuses for another reason is told to `unsent`.
    """

    transport: Final = "udp"
    remote: Final = None
    accepted: Final = False

    def __init__(
        self, identifier: int, socket: DatagramSocket, unsent: Callable[[bytes, int], None]
    ) -> None:
        self.id = identifier
        self._unsent = unsent
        self.local = socket.local
        self.dropped = 0
        self._socket = socket

    def send(self, data: bytes, destination: Address) -> None:
        """Send one datagram; drop and count it when the socket refuses."""
        try:
            self._socket.send(data, destination)
        except BlockingIOError:
            self.dropped += 1
        except OSError:
            self._send_again(data, destination)

    def _send_again(self, data: bytes, destination: Address) -> None:
        """Try once more: an error may be that of an earlier datagram, which the network sent back."""
        try:
            self._socket.send(data, destination)
        except OSError as error:
            self.dropped += 1
            self._unsent(data, error.errno or 0)

    def ping(self, destination: Address) -> None:
        """Send a keep-alive that holds a NAT's binding open; nothing answers it."""
        self.send(b"\r\n\r\n", destination)

    def descriptor(self) -> int | None:
        """Return the socket's file descriptor; None for a virtual one."""
        return self._socket.descriptor()

    def receive(self) -> list[tuple[bytes, Address]]:
        """Take a batch of what waits."""
        return self._socket.receive(_BATCH)

    def undelivered(self) -> list[tuple[bytes, bool]]:
        """Take what the network sent back."""
        return self._socket.undelivered()

    @property
    def overflows(self) -> int:
        """Datagrams that the system lost for want of room."""
        return self._socket.overflows()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    @trio.lowlevel.enable_ki_protection
    async def run(self, deliver: Callable[[UdpFlow], None]) -> None:
        """Have what waits taken, until the socket is closed."""
        try:
            while True:
                await self._socket.wait_readable()
                deliver(self)
        except trio.ClosedResourceError:
            return
