"""Calling listeners: inline while all are synchronous, in one task of their own after that."""

from __future__ import annotations

import inspect
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar, final

import trio

from trivox.actor.registry import ListenerHandle, ListenerOptions, Registration, Registry

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Iterator

    from trivox.actor.isolation import Isolation

E = TypeVar("E")

_DEFAULTS: Final = ListenerOptions()


class StartSoon(Protocol):
    """Starts a task in the owner's nursery: `Supervisor.start_soon`."""

    def __call__(
        self,
        task: Callable[..., Awaitable[object]],
        *args: object,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> None:
        """Start it; it runs in a copy of the context."""
        ...


@final
class Listeners(Generic[E]):
    """The listeners of one call or client.

    While every listener called so far was synchronous they are called inline, in registration
    order, by `emit()`; events emitted by a listener queue behind the one under way. The first
    asynchronous one starts one dispatcher task, which from then on runs all of them: event by
    event, within an event in registration order, an asynchronous one awaited before the next.
    `emit()` never waits. Nothing here waits for the dispatcher, so a listener may end its call.

    Args:
        isolation: Where what listeners raise ends.
        start_soon: Starts tasks in the owner's nursery.
        context: The context listeners run in; a copy of it for the dispatcher.
        limit: How many events may wait for the dispatcher. Over it the oldest droppable event
            goes, or else the new one.
        droppable: Classes of events that may be dropped first, as newer ones replace them.
        overflowed: Told of a lossless event that was dropped.
    """

    __slots__ = (
        "_concurrent", "_context", "_current", "_dispatcher", "_droppable", "_finished",
        "_idle", "_isolation", "_limit", "_number", "_overflowed", "_parked", "_queue", "_registry",
        "_running", "_start_soon", "dropped",
    )  # fmt: skip

    def __init__(
        self,
        isolation: Isolation,
        start_soon: StartSoon,
        context: contextvars.Context | None = None,
        limit: int = 1024,
        droppable: tuple[type[E], ...] = (),
        overflowed: Callable[[E], None] | None = None,
    ) -> None:
        self._isolation = isolation
        self._start_soon = start_soon
        self._context = context
        self._limit = limit
        self._droppable = droppable
        self._overflowed = overflowed
        self._registry: Registry[E] = Registry()
        self._queue: deque[tuple[E, int]] = deque()
        self._current: Iterator[tuple[E, Registration[E]]] = iter(())
        self._number = 0
        self._concurrent = 0
        self._running = False
        self._finished = False
        self._dispatcher: trio.lowlevel.Task | None = None
        self._parked: trio.lowlevel.ParkingLot | None = None
        self._idle: trio.lowlevel.ParkingLot | None = None
        self.dropped = 0
        """Events that were not delivered because the queue was full."""

    def add(
        self,
        kind: type[E],
        listener: Callable[[E], object],
        options: ListenerOptions | None = None,
    ) -> ListenerHandle:
        """Register a listener, for events emitted from now on."""
        registration = self._registry.add(kind, listener, options or _DEFAULTS, self._number)
        return ListenerHandle(lambda: self._registry.drop(registration))

    def remove(self, kind: type[E], listener: Callable[[E], object]) -> None:
        """Remove a listener, at once; unknown ones are ignored."""
        self._registry.remove(kind, listener)

    def wants(self, kind: type[object]) -> bool:
        """Whether anybody listens to events of this class."""
        for registration in self._registry.registrations:
            if issubclass(kind, registration.kind):
                return True
        return False

    @property
    def is_idle(self) -> bool:
        """True while all listeners were synchronous and none is being called."""
        return self._parked is None and not self._running

    def abandon(self) -> None:
        """Forget all listeners of an idle one, without a last event."""
        self._finished = True
        self._registry.clear()

    def emit(self, event: E, *, is_last: bool = False) -> None:
        """Deliver an event, now or by the dispatcher. The last one is never dropped."""
        if self._finished:
            return
        self._finished = is_last
        self._number += 1
        if is_last or len(self._queue) < self._limit or self._make_room(event):
            self._queue.append((event, self._number))
        if self._parked is not None:
            self._parked.unpark_all()
        elif not self._running:
            self._run_inline()

    async def wait_idle(self) -> None:
        """Wait until no asynchronous listener runs or waits for its turn.

        At once for a listener that asks: it would wait for itself. Cancellation has no effect.
        """
        await trio.lowlevel.checkpoint()
        while self._is_busy and self._dispatcher is not trio.lowlevel.current_task():
            if self._idle is None:
                self._idle = trio.lowlevel.ParkingLot()
            await self._idle.park()

    @property
    def _is_busy(self) -> bool:
        return self._running or bool(self._queue) or self._concurrent > 0

    def _make_room(self, event: E) -> bool:
        """Drop an event whose newer one is all that counts; return whether the new one may stay."""
        self.dropped += 1
        for index, (waiting, _) in enumerate(self._queue):
            if isinstance(waiting, self._droppable):
                del self._queue[index]
                return True
        if self._overflowed is not None and not isinstance(event, self._droppable):
            self._overflowed(event)
        return False

    def _deliveries(self) -> Iterator[tuple[E, Registration[E]]]:
        """Yield what is to be called, event by event, until the queue is empty."""
        while self._queue:
            event, number = self._queue.popleft()
            for registration in self._registry.matching(event, number):
                yield event, registration

    def _run_inline(self) -> None:
        """Call listeners until the queue is empty or one turns out to be asynchronous."""
        self._running = True
        self._current = self._deliveries()
        handed_over = False
        try:
            for event, registration in self._current:
                result = self._call(event, registration)
                if result is not None:
                    self._parked = trio.lowlevel.ParkingLot()
                    handed_over = True
                    self._start_soon(
                        self._dispatch, event, registration.listener, result,
                        name="trivox listeners", context=self._context,
                    )  # fmt: skip
                    return
        finally:
            self._running = handed_over
        self._end_if_finished()

    async def _dispatch(
        self, event: E, listener: Callable[[E], object], result: Awaitable[object]
    ) -> None:
        """Go on where the inline run met an asynchronous listener, until the last event."""
        self._dispatcher = trio.lowlevel.current_task()
        assert self._parked is not None, "the lot is made before the dispatcher is started"
        try:
            await self._isolation.wait(event, listener, result)
            while True:
                for each, registration in self._current:
                    pending = self._call(each, registration)
                    if pending is not None:
                        await self._isolation.wait(each, registration.listener, pending)
                self._current = self._deliveries()
                if self._queue:
                    continue
                if self._finished:
                    break
                self._rest()
                await self._parked.park()
                self._running = True
        finally:
            self._dispatcher = None
            self._finished = True
            self._queue.clear()
            self._rest()
            self._end_if_finished()

    def _call(self, event: E, registration: Registration[E]) -> Awaitable[object] | None:
        """Call one listener; return what is to be awaited, if it is asynchronous."""
        options = registration.options
        if options.guard is not None and not self._guarded(event, options.guard):
            return None
        if options.once:
            self._registry.drop(registration)
        result = self._guarded(event, registration.listener)
        if result is None or not inspect.isawaitable(result):
            return None
        if not options.concurrent:
            return result
        self._start_concurrent(event, registration, result)
        return None

    def _guarded(self, event: E, callback: Callable[[E], object]) -> object:
        if self._context is None or self._dispatcher is not None:
            return self._isolation.call(event, callback, event)
        return self._context.run(self._isolation.call, event, callback, event)

    def _start_concurrent(
        self, event: E, registration: Registration[E], result: Awaitable[object]
    ) -> None:
        """Run an asynchronous listener in a task of its own; no more than the limit at a time."""
        if self._concurrent >= self._limit:
            self.dropped += 1
            if inspect.iscoroutine(result):
                result.close()
            return
        self._concurrent += 1
        self._start_soon(
            self._run_concurrent, event, registration.listener, result,
            name="trivox listener", context=registration.context,
        )  # fmt: skip

    async def _run_concurrent(
        self, event: E, listener: Callable[[E], object], result: Awaitable[object]
    ) -> None:
        try:
            await self._isolation.wait(event, listener, result)
        finally:
            self._concurrent -= 1
            self._wake_idle()

    def _rest(self) -> None:
        """Note that the dispatcher has nothing to do."""
        self._running = False
        self._wake_idle()

    def _wake_idle(self) -> None:
        if self._idle is not None and not self._is_busy:
            self._idle.unpark_all()

    def _end_if_finished(self) -> None:
        """After the last event forget all listeners, so that nothing keeps them alive."""
        if self._finished:
            self._registry.clear()
