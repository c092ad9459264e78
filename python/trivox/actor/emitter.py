"""All that events of one call or client go to: waits and subscriptions first, then listeners."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Generic, TypeVar, final

import trio

from trivox.actor.listeners import Listeners, StartSoon
from trivox.actor.mailbox import Overflow
from trivox.actor.subscription import EventSubscription, EventWait

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable

    from trivox.actor.isolation import Isolation

E = TypeVar("E")


@final
class Emitter(Generic[E]):
    """Where events of one emitter come from, and everybody who hears them.

    Ask `wants()` before building an event. Waits and subscriptions are fed at once, so they do not
    depend on listeners: a listener may wait for a later event. After `finish()` nothing is emitted.

    Args: as of `Listeners`.
    """

    __slots__ = ("_has_ended", "_last", "_subscriptions", "_waits", "listeners")

    def __init__(
        self,
        isolation: Isolation,
        start_soon: StartSoon,
        context: contextvars.Context | None = None,
        droppable: tuple[type[E], ...] = (),
        limit: int = 1024,
        overflowed: Callable[[E], None] | None = None,
    ) -> None:
        self.listeners: Listeners[E] = Listeners(
            isolation, start_soon, context, limit, droppable, overflowed
        )
        self._subscriptions: list[weakref.ref[EventSubscription[E]]] = []
        self._waits: dict[EventWait[E], None] = {}
        self._last: E | None = None
        self._has_ended = False

    def wants(self, kind: type[E]) -> bool:
        """Whether anybody would hear an event of this class."""
        if self.listeners.wants(kind):
            return True
        # Asked for every event of every call: most have no waits and no subscriptions.
        if not self._waits and not self._subscriptions:
            return False
        is_awaited = any(wait.wants(kind) for wait in self._waits)
        return is_awaited or any(each.wants(kind) for each in self._live())

    def emit(self, event: E) -> None:
        """Give an event to all who want it. Never waits."""
        if self._last is not None:
            return
        for wait in tuple(self._waits):
            wait.offer(event)
        if self._subscriptions:
            for subscription in self._live():
                subscription.offer(event)
        self.listeners.emit(event)

    def is_heard(self, kind: type[E]) -> bool:
        """Whether anybody would notice the terminal event, of this class: else `abandon` will do."""
        is_awaited = self._waits or self._subscriptions or not self.listeners.is_idle
        return bool(is_awaited) or self.wants(kind)

    def abandon(self) -> None:
        """Forget the listeners: nothing is emitted any more."""
        self.listeners.abandon()

    def end(self) -> None:
        """End what reads, without a terminal event: an emitter that has none is over."""
        self._has_ended = True
        for subscription in self._live():
            subscription.end()
        self._subscriptions.clear()

    def finish(self, event: E) -> None:
        """Give out the terminal event; waits that want another one and subscriptions end."""
        if self._last is not None:
            return
        self._last = event
        for wait in tuple(self._waits):
            wait.offer(event)
        for wait in tuple(self._waits):
            wait.finish()
        for subscription in self._live():
            subscription.finish(event)
        self._subscriptions.clear()
        self.listeners.emit(event, is_last=True)

    def subscribe(
        self,
        *kinds: type[E],
        max_waiting: int = 256,
        overflow: Overflow = Overflow.RAISE,
    ) -> EventSubscription[E]:
        """Return an iterator over events of these classes, or of all; subscribed at once.

        After the end it yields the terminal event once, and stops.
        """
        subscription: EventSubscription[E] = EventSubscription(
            kinds, max_waiting=max_waiting, overflow=overflow
        )
        if self._last is not None:
            subscription.finish(self._last)
        elif self._has_ended:
            subscription.end()
        else:
            self._subscriptions.append(weakref.ref(subscription))
        return subscription

    async def wait(self, *kinds: type[E], guard: Callable[[E], bool] | None = None) -> E:
        """Wait for the next event of these classes, or of any, that the guard accepts.

        Cancellation has no effect on anything else.

        Raises:
            trio.EndOfChannel: The terminal event was emitted and is not one of them.
        """
        if self._last is not None:
            await trio.lowlevel.checkpoint()
            raise trio.EndOfChannel
        return await EventWait(kinds, guard, self._waits).wait()

    def _live(self) -> list[EventSubscription[E]]:
        live = [(ref, each) for ref in self._subscriptions if (each := ref()) is not None]
        if len(live) != len(self._subscriptions):
            self._subscriptions = [ref for ref, _ in live]
        return [each for _, each in live]
