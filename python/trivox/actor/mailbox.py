"""A bounded queue with one reader, filled synchronously, that says what it does when it is full."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Generic, TypeVar, final

import trio

from trivox.errors import EventOverflowError
from trivox.errors.checks import checked_whole

T = TypeVar("T")


class Overflow(StrEnum):
    """What happens to a reader whose queue is full."""

    RAISE = "raise"
    """The newest is lost, and the next read raises EventOverflowError; then reading goes on."""
    DROP_OLDEST = "drop_oldest"
    """The oldest is lost."""
    COALESCE = "coalesce"
    """The oldest of the same type is lost, or the oldest of all if there is none."""


@final
class Mailbox(Generic[T]):
    """A bounded queue: `put` never waits, `get` does.

    Args:
        limit: How many items may wait.
        overflow: What happens to one more.
    """

    __slots__ = ("_closed", "_items", "_limit", "_lost_unreported", "_overflow", "_readers", "lost")

    def __init__(self, limit: int, overflow: Overflow = Overflow.RAISE) -> None:
        self._items: deque[T] = deque()
        self._limit = checked_whole(limit, "max_waiting", 1)
        self._overflow = overflow
        self._lost_unreported = 0
        self._closed = False
        self._readers: trio.lowlevel.ParkingLot | None = None
        self.lost = 0
        """Items that were dropped, ever."""

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, *, force: bool = False) -> None:
        """Add an item and wake the reader; `force` adds it over the limit, too."""
        if self._closed:
            return
        if force or len(self._items) < self._limit or self._make_room(item):
            self._items.append(item)
        self._wake()

    def close(self, *, discard: bool = False) -> None:
        """End the queue: reading stops after what still waits, or at once with `discard`."""
        self._closed = True
        if discard:
            self._items.clear()
            self._lost_unreported = 0
        self._wake()

    async def get(self) -> T:
        """Return the oldest item, waiting for one. Cancellation loses nothing.

        Raises:
            EventOverflowError: Items were lost since the last read, under RAISE.
            trio.EndOfChannel: The queue is closed and empty.
        """
        await trio.lowlevel.checkpoint()
        while not self._items and not self._closed and not self._lost_unreported:
            if self._readers is None:
                self._readers = trio.lowlevel.ParkingLot()
            await self._readers.park()
        if self._lost_unreported:
            lost, self._lost_unreported = self._lost_unreported, 0
            raise EventOverflowError(lost=lost)
        if not self._items:
            raise trio.EndOfChannel
        return self._items.popleft()

    def _make_room(self, item: T) -> bool:
        """Drop what the policy says; return whether the new item may stay."""
        self.lost += 1
        if self._overflow is Overflow.RAISE:
            self._lost_unreported += 1
            return False
        if self._overflow is Overflow.COALESCE:
            for index, waiting in enumerate(self._items):
                if type(waiting) is type(item):
                    del self._items[index]
                    return True
        self._items.popleft()
        return True

    def _wake(self) -> None:
        if self._readers is not None:
            self._readers.unpark_all()
