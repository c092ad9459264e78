"""A way between a page and us that loses media, from a seed."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.socket import SocketType

LOOPBACK = "127.0.0.1"


class LossyPath:
    """Two sockets, one for each side, between which a share of RTP and RTCP is lost.

    Attributes:
        port: Where the page sends to.
        target: Our port; until it is known nothing passes.
        loss: Share that is lost each way, 0 to 1.
        dropped: Datagrams lost so far.
    """

    def __init__(self, front: SocketType, back: SocketType) -> None:
        self.port: int = front.getsockname()[1]
        self.target = 0
        self.loss = 0.0
        self.dropped = 0
        self._front = front
        self._back = back
        self._page: tuple[str, int] | None = None
        self._random = random.Random(5)

    def _is_lost(self, data: bytes) -> bool:
        is_media = bool(data) and 128 <= data[0] < 192
        is_lost = is_media and self._random.random() < self.loss
        self.dropped += is_lost
        return is_lost

    async def to_us(self) -> None:
        """Carry what the page sends."""
        while True:
            data, self._page = await self._front.recvfrom(2048)
            if self.target and not self._is_lost(data):
                await self._back.sendto(data, (LOOPBACK, self.target))

    async def to_the_page(self) -> None:
        """Carry what we send."""
        while True:
            data, _ = await self._back.recvfrom(2048)
            if self._page is not None and not self._is_lost(data):
                await self._front.sendto(data, self._page)


@asynccontextmanager
async def open_lossy_path() -> AsyncIterator[LossyPath]:
    """Open such a way, which loses nothing yet."""
    sockets = [trio.socket.socket(type=trio.socket.SOCK_DGRAM) for _ in range(2)]
    with sockets[0], sockets[1]:
        for socket in sockets:
            await socket.bind((LOOPBACK, 0))
        path = LossyPath(*sockets)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(path.to_us)
            nursery.start_soon(path.to_the_page)
            yield path
            nursery.cancel_scope.cancel()
