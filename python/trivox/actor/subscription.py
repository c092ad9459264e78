"""Reading events as an iterator, and waiting for one: both fed at the time of emission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, final

import outcome
import trio

from trivox.actor.mailbox import Mailbox, Overflow
from trivox.iterators import ClosableIterator

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

E = TypeVar("E")


@final
class EventSubscription(ClosableIterator[E]):
    """The events of a call or a client, from its creation on, as an async iterator.

    Not a generator: it is subscribed at once, and forgotten with the last reference to it, so
    `break` leaks nothing. Also a context manager, sync and async, that closes it. Ends after the
    terminal event. When more than `max_waiting` events wait, the overflow policy decides; the
    terminal event is never lost.
    """

    __slots__ = ("__weakref__", "_kinds", "_mailbox")

    def __init__(
        self,
        kinds: tuple[type[E], ...],
        *,
        max_waiting: int = 256,
        overflow: Overflow = Overflow.RAISE,
    ) -> None:
        self._kinds = kinds
        self._mailbox: Mailbox[E] = Mailbox(max_waiting, overflow)

    @property
    def lost(self) -> int:
        """How many events were dropped because this reader was behind."""
        return self._mailbox.lost

    def wants(self, kind: type[object]) -> bool:
        """Whether events of this class are read here."""
        return not self._kinds or issubclass(kind, self._kinds)

    def offer(self, event: E) -> None:
        """Take an event if it is of a kind read here. Internal."""
        if self.wants(type(event)):
            self._mailbox.put(event)

    def finish(self, event: E) -> None:
        """Take the terminal event and end. Internal."""
        if self.wants(type(event)):
            self._mailbox.put(event, force=True)
        self.end()

    def end(self) -> None:
        """End after what waits, without a terminal event. Internal."""
        self._mailbox.close()

    def close(self) -> None:
        """Stop: nothing more is queued, what waits is dropped, a reader is let go."""
        self._mailbox.close(discard=True)

    async def __anext__(self) -> E:
        """Return the next event. Cancellation loses none.

        Raises:
            EventOverflowError: Events were lost since the last one read; reading can go on.
        """
        try:
            return await self._mailbox.get()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> EventSubscription[E]:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if kind is None:
            await trio.lowlevel.checkpoint()


@final
class EventWait(Generic[E]):
    """A task that waits for one event; kinds and guard are looked at when the event is emitted."""

    __slots__ = ("_guard", "_kinds", "_task", "_waits")

    def __init__(
        self,
        kinds: tuple[type[E], ...],
        guard: Callable[[E], bool] | None,
        waits: dict[EventWait[E], None],
    ) -> None:
        self._kinds = kinds
        self._guard = guard
        self._waits = waits
        self._task: trio.lowlevel.Task | None = None

    async def wait(self) -> E:
        """Return the first matching event from now on.

        Raises:
            trio.EndOfChannel: The terminal event came and was not one of them.
        """
        self._task = trio.lowlevel.current_task()
        self._waits[self] = None
        event: E = await trio.lowlevel.wait_task_rescheduled(self._abort)
        return event

    def wants(self, kind: type[object]) -> bool:
        """Whether an event of this class may be the one."""
        return not self._kinds or issubclass(kind, self._kinds)

    def offer(self, event: E) -> None:
        """Take an event if it matches; what the guard raises goes to the task that waits."""
        if not self.wants(type(event)):
            return
        try:
            if self._guard is not None and not self._guard(event):
                return
        except Exception as error:
            self._resume(outcome.Error(error))
        else:
            self._resume(outcome.Value(event))

    def finish(self) -> None:
        """End the wait: no more events come."""
        self._resume(outcome.Error(trio.EndOfChannel()))

    def _resume(self, result: outcome.Outcome[E]) -> None:
        del self._waits[self]
        assert self._task is not None, "a wait is in the table only while its task waits"
        trio.lowlevel.reschedule(self._task, result)

    def _abort(self, _raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        del self._waits[self]
        return trio.lowlevel.Abort.SUCCEEDED
