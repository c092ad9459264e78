"""Byte streams on the virtual network: delayed, cut into pieces, never reordered."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from trivox.net.transport import Address
    from trivox.testing.link import Link

_WINDOW_BYTES: Final = 262_144  # sent and not yet read; the sender waits beyond it


@final
class _Pipe:
    """One direction of a connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._pieces: deque[tuple[float, bytes | None]] = deque()
        """What arrives when; None is the reset."""
        self._size = 0
        self._changed = trio.Event()
        self._last_arrival = 0.0
        self.is_reset = False
        self.is_unread = False

    def put(self, data: bytes) -> None:
        """Let bytes arrive after the link's delay, never before earlier ones; b"" is the end."""
        arrival = max(self._last_arrival, trio.current_time() + self._link.travel())
        self._last_arrival = arrival
        self._pieces.append((arrival, data))
        self._size += len(data)
        self.change()

    def put_reset(self) -> None:
        """Let the reset arrive after what was sent."""
        arrival = max(self._last_arrival, trio.current_time() + self._link.travel())
        self._pieces.append((arrival, None))
        self.change()

    def change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def wait_room(self) -> None:
        """Wait while the window is full."""
        while self._size >= _WINDOW_BYTES and not (self.is_reset or self.is_unread):
            await self._changed.wait()

    async def take(self, max_bytes: int) -> bytes:
        """Return one piece that has arrived; b"" at the end."""
        while not (self.is_reset or self.is_unread):
            if self._pieces and self._pieces[0][0] <= trio.current_time():
                arrival, data = self._pieces[0]
                if data is not None:
                    return self._cut(arrival, data, max_bytes)
                self.is_reset = True
                continue
            changed = self._changed
            with trio.CancelScope() as scope:
                if self._pieces:
                    scope.deadline = self._pieces[0][0]
                await changed.wait()
        if self.is_unread:
            raise trio.ClosedResourceError
        raise trio.BrokenResourceError("the connection was reset")

    def _cut(self, arrival: float, data: bytes, max_bytes: int) -> bytes:
        if not data:
            return b""
        largest = self._link.largest_piece
        size = min(max_bytes, self._link.draw.randint(1, largest) if largest else max_bytes)
        self._pieces.popleft()
        if len(data) > size:
            self._link.statistics.pieces += 1
            self._pieces.appendleft((arrival, data[size:]))
        taken = data[:size]
        self._size -= len(taken)
        self.change()
        return taken


@final
class LinkConnection:
    """One end of a connection: `trivox.net.transport.StreamConnection`."""

    def __init__(
        self, link: Link, local: Address, remote: Address, incoming: _Pipe, outgoing: _Pipe
    ) -> None:
        self.number = next(link.order)
        self.local = local
        self.remote = remote
        self._link = link
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False
        self._is_broken = False
        link.track(self)

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what has come, b"" at the end."""
        await trio.lowlevel.checkpoint()
        return await self._incoming.take(max_bytes)

    async def send_all(self, data: bytes) -> None:
        """Send all of it."""
        await trio.lowlevel.checkpoint()
        await self._outgoing.wait_room()
        if self._is_closed:
            raise trio.ClosedResourceError
        if self._is_broken or self._outgoing.is_reset or self._outgoing.is_unread:
            raise trio.BrokenResourceError("the connection was reset")
        broken_at = self._link.faults.broken_at(len(data), self._link.draw)
        if broken_at is not None:
            self._break(data[:broken_at])
        if data:
            self._outgoing.put(data)

    def _break(self, first: bytes) -> None:
        """Let some bytes through, then nothing more, and the far end hear of it."""
        if first:
            self._outgoing.put(first)
        self._outgoing.put_reset()
        self._is_broken = self._incoming.is_reset = True
        self._incoming.change()
        self._link.track(self, tracked=False)
        raise trio.BrokenResourceError("the connection was reset")

    def close(self) -> None:
        """Close: the far end reads what was sent, then the end."""
        if not self._is_closed:
            self._is_closed = True
            self._link.track(self, tracked=False)
            self._outgoing.put(b"")
            self._incoming.is_unread = True
            self._incoming.change()

    def reset(self) -> None:
        """Break the connection for both ends, as a crashed host does."""
        self._link.track(self, tracked=False)
        for pipe in (self._incoming, self._outgoing):
            pipe.is_reset = True
            pipe.change()


@final
class LinkConnector:
    """A connection about to be made on the link."""

    def __init__(self, link: Link, local: Address, destination: Address) -> None:
        self.local = local
        self._link = link
        self._destination = destination

    async def connect(self) -> LinkConnection:
        """Connect after one round trip. Raises OSError when nobody listens."""
        await trio.sleep(2 * self._link.travel())
        self._link.faults.try_connect(self._link.draw)
        listener = self._link.listener(self._destination)
        if listener is None or self._link.is_cut(self.local[0], self._destination[0]):
            raise OSError(f"nobody listens at {self._destination}")
        there, back = _Pipe(self._link), _Pipe(self._link)
        listener.put(LinkConnection(self._link, self._destination, self.local, there, back))
        return LinkConnection(self._link, self.local, self._destination, back, there)

    def close(self) -> None:
        """Do nothing: nothing is held before the connection is made."""


@final
class LinkListener:
    """A listening socket on the link."""

    def __init__(self, link: Link, local: Address) -> None:
        self.local = local
        self._link = link
        self._waiting: deque[LinkConnection] = deque()
        self._changed = trio.Event()
        self._is_closed = False

    def put(self, connection: LinkConnection) -> None:
        """Add a connection to be accepted."""
        self._waiting.append(connection)
        self._changed.set()

    async def accept(self) -> LinkConnection:
        """Return the next connection."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._is_closed:
                raise trio.ClosedResourceError
            self._changed = trio.Event()
            await self._changed.wait()
        connection = self._waiting.popleft()
        try:
            self._link.faults.try_accept(self._link.draw)
        except OSError:
            connection.reset()
            raise
        return connection

    def close(self) -> None:
        """Stop listening."""
        self._is_closed = True
        self._link.unbind(self)
        self._changed.set()
