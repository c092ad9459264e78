"""Who takes incoming calls: `serve` and the iterators; the first free one gets the next call."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol, final

import trio

from trivox.call._endings import refuse
from trivox.call.states import CallState
from trivox.errors.checks import checked_whole
from trivox.iterators import ClosableIterator

if TYPE_CHECKING:
    from trivox.call.call import Call

_TAKEABLE = (CallState.CREATED, CallState.RECONNECTING)


class Taker(Protocol):
    """One consumer of incoming calls."""

    @property
    def is_free(self) -> bool:
        """Whether it can take one more."""
        ...

    def take(self, call: Call) -> None:
        """Take a call, synchronously."""
        ...

    def withdraw(self, call: Call) -> None:
        """Forget a call that has ended before it was taken, if it waits here."""
        ...

    def close(self) -> None:
        """Take no more: the client drains or closes."""
        ...


@final
class Takers:
    """The consumers of one client, and the calls that wait for one of them to be free."""

    def __init__(self) -> None:
        self._takers: list[Taker] = []
        self._waiting: deque[Call] = deque()
        self._is_closed = False

    def __bool__(self) -> bool:
        """Whether there is any consumer, free or not."""
        return bool(self._takers)

    @property
    def is_free(self) -> bool:
        """Whether one can take a call now."""
        return self._free() is not None

    def add(self, taker: Taker) -> None:
        """Add a consumer; it gets what waits, and ends at once when no more calls come."""
        if self._is_closed:
            taker.close()
            return
        self._takers.append(taker)
        self.note_free()

    def remove(self, taker: Taker) -> None:
        """Remove a consumer."""
        if taker in self._takers:
            self._takers.remove(taker)

    def offer(self, call: Call) -> None:
        """Give a call to the first free consumer, or let it wait for one."""
        self._waiting.append(call)
        self.note_free()

    def note_free(self) -> None:
        """Hand out what waits, as far as consumers are free."""
        while self._waiting:
            taker = self._free()
            if taker is None:
                return
            call = self._waiting.popleft()
            if call._state_now() in _TAKEABLE:
                taker.take(call)

    def _free(self) -> Taker | None:
        for taker in self._takers:
            if taker.is_free:
                return taker
        return None

    def withdraw(self, call: Call) -> None:
        """Forget a call that has ended before anybody took it, wherever it waits."""
        if call in self._waiting:
            self._waiting.remove(call)
        for taker in self._takers:
            taker.withdraw(call)
        self.note_free()

    def close(self) -> None:
        """Close all consumers, those that are yet to come too."""
        self._is_closed = True
        for taker in tuple(self._takers):
            taker.close()


@final
class IncomingCalls(ClosableIterator["Call"]):
    """The incoming calls of a client as an async iterator, from its creation on.

    Not a generator: `break` leaks nothing if it is closed, or used as a context manager. A call
    that waits here rings on; one that nobody takes within the client's limit gets 480.
    """

    def __init__(self, takers: Takers, max_waiting: int) -> None:
        self._takers = takers
        self._max_waiting = checked_whole(max_waiting, "max_waiting", 1)
        self._calls: deque[Call] = deque()
        self._parked = trio.lowlevel.ParkingLot()
        self._is_closed = False
        takers.add(self)

    @property
    def is_free(self) -> bool:
        """Whether one more call may wait here."""
        return not self._is_closed and len(self._calls) < self._max_waiting

    def take(self, call: Call) -> None:
        """Take a call. Internal."""
        self._calls.append(call)
        self._parked.unpark_all()

    def withdraw(self, call: Call) -> None:
        """Forget a call that has ended: it would hold a place. Internal."""
        if call in self._calls:
            self._calls.remove(call)

    def close(self) -> None:
        """Take no more calls; those that wait here go to other consumers or are refused."""
        if self._is_closed:
            return
        self._is_closed = True
        self._takers.remove(self)
        calls, self._calls = self._calls, deque()
        for call in calls:
            if self._takers:
                self._takers.offer(call)
            else:
                refuse(call, 503, call._host.retry_after)
        self._parked.unpark_all()

    async def __anext__(self) -> Call:
        """Return the next call that still waits. Cancellation loses none."""
        await trio.lowlevel.checkpoint()
        while True:
            while self._calls:
                call = self._calls.popleft()
                self._takers.note_free()
                if call._state_now() in _TAKEABLE:
                    call._note_taken()
                    return call
            if self._is_closed:
                raise StopAsyncIteration
            await self._parked.park()
