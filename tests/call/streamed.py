"""A scripted far end over TCP: what `FarEnd` takes for its socket, made of connections."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager, suppress

import trio

from trivox.testing.far_end import FarEnd

_LENGTH = re.compile(rb"Content-Length: *(\d+)\r\n", re.IGNORECASE)


class Connections:
    """Accepts connections; what is sent goes by the newest of them."""

    def __init__(self, sockets) -> None:
        self._sockets = sockets
        self._open = []
        self._received = []
        self._changed = trio.Event()
        self._outbox, self._taken = trio.open_memory_channel(100)

    def bind_datagram(self, local, _receive_buffer):
        self._listener = self._sockets.listen_stream(local)
        return self

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            with suppress(trio.ClosedResourceError):
                while True:
                    self._open.append(await self._listener.accept())
                    nursery.start_soon(self._read, self._open[-1])

    async def _read(self, connection) -> None:
        data = b""
        while fresh := await connection.receive_some(65536):
            data += fresh
            while b"\r\n\r\n" in data:
                head = data.index(b"\r\n\r\n") + 4
                length = _LENGTH.search(data[:head])
                end = head + (int(length[1]) if length else 0)
                if head > 4:
                    self._received.append((data[:end], ("", 0)))
                data = data[end:]
            self._changed.set()

    async def _write(self) -> None:
        async for data in self._taken:
            await self._open[-1].send_all(data)

    async def wait_readable(self) -> None:
        while not self._received:
            self._changed = trio.Event()
            await self._changed.wait()

    def receive(self, _limit: int):
        received, self._received = self._received, []
        return received

    def send(self, data: bytes, _peer) -> None:
        self._outbox.send_nowait(data)

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()


@asynccontextmanager
async def far_by_tcp(link, host):
    """A scripted far end that accepts connections at a host."""
    connections = Connections(link.host(host))
    with FarEnd(connections, (host, 5060), ("", 0)) as far:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connections.run)
            yield far
            nursery.cancel_scope.cancel()
