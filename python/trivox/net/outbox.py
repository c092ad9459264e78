"""What a connection still has to write: a bounded queue, taken in one piece."""

from __future__ import annotations

from collections import deque
from typing import Final, final

import trio

MESSAGES: Final = 256
BYTES: Final = 1024 * 1024


@final
class Outbox:
    """A queue of messages for one writer task; all that waits is taken at once.

    A full one means a dead far end: `put` says so and the owner closes the connection.
    """

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._filled = trio.Event()
        self._emptied = trio.Event()
        self._emptied.set()
        self._is_writing = False

    @property
    def is_empty(self) -> bool:
        """Whether all was taken and written."""
        return not self._waiting and not self._is_writing

    def put(self, data: bytes) -> bool:
        """Queue one message; False when the queue is full."""
        if len(self._waiting) >= MESSAGES or self._size + len(data) > BYTES:
            return False
        self._waiting.append(data)
        self._size += len(data)
        self._filled.set()
        if self._emptied.is_set():
            self._emptied = trio.Event()
        return True

    async def take(self) -> bytes:
        """Wait for messages and return all of them joined; the last taking counts as written."""
        self._is_writing = False
        if not self._waiting:
            self._emptied.set()
            self._filled = trio.Event()
            await self._filled.wait()
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._is_writing = True
        return data

    async def wait_empty(self) -> None:
        """Wait until all that was put has been written."""
        await self._emptied.wait()
