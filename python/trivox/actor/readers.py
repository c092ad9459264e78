"""The two iterators over a watchable: its newest value, and every step it takes."""

from __future__ import annotations

from typing import Generic, TypeVar, final

import trio

from trivox.actor.mailbox import Mailbox

T = TypeVar("T")


@final
class Changes(Generic[T]):
    """Yields the newest value when it differs from what was seen last; may skip values.

    An iterator object: it follows the watchable from its creation on, and is forgotten with the
    last reference to it. Ends when the watchable is closed and its last value was seen.
    """

    __slots__ = ("__weakref__", "_closed", "_newest", "_parked", "_seen", "_source")

    def __init__(self, source: object, value: T, *, initial: bool, closed: bool) -> None:
        self._source = source
        self._newest: tuple[T, ...] = (value,)
        self._seen: tuple[T, ...] = () if initial else (value,)
        self._closed = closed
        self._parked: trio.lowlevel.ParkingLot | None = None

    def changed(self, new: T, _old: T) -> None:
        """Take a change."""
        self._newest = (new,)
        self._wake()

    def closed(self) -> None:
        """Take note of the end."""
        self._closed = True
        self._wake()

    def __aiter__(self) -> Changes[T]:
        return self

    async def __anext__(self) -> T:
        """Return the newest value, once it differs from the last one returned."""
        await trio.lowlevel.checkpoint()
        while self._newest == self._seen:
            if self._closed:
                raise StopAsyncIteration
            if self._parked is None:
                self._parked = trio.lowlevel.ParkingLot()
            await self._parked.park()
        self._seen = self._newest
        return self._newest[0]

    def _wake(self) -> None:
        if self._parked is not None:
            self._parked.unpark_all()


@final
class Transitions(Generic[T]):
    """Yields every step as (new, old), in order; a reader that falls behind is told so.

    An iterator object: it follows the watchable from its creation on, and is forgotten with the
    last reference to it. Ends when the watchable is closed and all steps were read.
    """

    __slots__ = ("__weakref__", "_mailbox", "_source")

    def __init__(self, source: object, maxsize: int, *, closed: bool) -> None:
        self._source = source
        self._mailbox: Mailbox[tuple[T, T]] = Mailbox(maxsize)
        if closed:
            self._mailbox.close()

    def changed(self, new: T, old: T) -> None:
        """Take a change."""
        self._mailbox.put((new, old))

    def closed(self) -> None:
        """Take note of the end."""
        self._mailbox.close()

    def __aiter__(self) -> Transitions[T]:
        return self

    async def __anext__(self) -> tuple[T, T]:
        """Return the next step.

        Raises:
            EventOverflowError: Steps were lost since the last one read.
        """
        try:
            return await self._mailbox.get()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
