"""Listening to a call: listeners in order, its events as an iterator, and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, overload

import trio

from trivox.actor.mailbox import Overflow
from trivox.actor.registry import ListenerOptions, added_or_decorator, event_class
from trivox.call._core import CallCore
from trivox.call.events import Event
from trivox.call.states import CallState

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.actor.registry import ListenerFields, ListenerHandle
    from trivox.actor.subscription import EventSubscription
    from trivox.call.event_names import CallEvent

E = TypeVar("E", bound=Event)
F = TypeVar("F", bound="Callable[..., object]")
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_DISCONNECTING: Final = CallState.DISCONNECTING


class CallListening(CallCore):
    """The events of a call, and who hears them."""

    def add_event_listener(
        self,
        event: type[E] | CallEvent,
        listener: Callable[[E], object],
        options: ListenerOptions | None = None,
    ) -> ListenerHandle:
        """Call `listener` for each event of that class, in registration order.

        A synchronous one is called at once; an asynchronous one is awaited, in a task of the
        client's, before the next listener and the next event. The same pair registers once.

        Raises:
            InvalidArgumentsError: It is no event of a call, or the listener cannot be called.
        """
        callback: Any = listener
        return self._emitting().listeners.add(_class_of(event), callback, options)

    def remove_event_listener(
        self, event: type[E] | CallEvent, listener: Callable[[E], object]
    ) -> None:
        """Remove a listener, at once; nothing when it is not registered."""
        kind = _class_of(event)
        callback: Any = listener
        if self._emitter is not None:
            self._emitter.listeners.remove(kind, callback)

    @overload
    def on(
        self,
        event: type[E] | CallEvent,
        listener: Callable[[E], object],
        **fields: Unpack[ListenerFields],
    ) -> ListenerHandle: ...
    @overload
    def on(
        self, event: type[E] | CallEvent, **fields: Unpack[ListenerFields]
    ) -> Callable[[F], F]: ...
    def on(
        self,
        event: type[E] | CallEvent,
        listener: Callable[[E], object] | None = None,
        **fields: Unpack[ListenerFields],
    ) -> ListenerHandle | Callable[[F], F]:
        """Add a listener; without one, a decorator that does and returns the function.

        The keywords are the fields of `ListenerOptions`: `call.on(Connected, f, once=True)`.
        """
        options = ListenerOptions(**fields)

        def add(function: Callable[..., object]) -> ListenerHandle:
            return self.add_event_listener(event, function, options)

        return added_or_decorator(add, listener)

    @overload
    def events(
        self, *, max_waiting: int = 256, overflow: Overflow = Overflow.RAISE
    ) -> EventSubscription[Event]: ...
    @overload
    def events(
        self, *types: type[E], max_waiting: int = 256, overflow: Overflow = Overflow.RAISE
    ) -> EventSubscription[E]: ...
    @overload
    def events(
        self,
        *types: type[Event] | CallEvent,
        max_waiting: int = 256,
        overflow: Overflow = Overflow.RAISE,
    ) -> EventSubscription[Event]: ...
    def events(
        self,
        *types: type[Event] | CallEvent,
        max_waiting: int = 256,
        overflow: Overflow = Overflow.RAISE,
    ) -> EventSubscription[Any]:
        """Iterate over the events of these classes, or all, from now on.

        The iterator ends after the terminal event. One that falls behind gets EventOverflowError.
        """
        kinds = map(_class_of, types)
        return self._emitting().subscribe(*kinds, max_waiting=max_waiting, overflow=overflow)

    @overload
    async def wait_event(self, *, guard: Callable[[Any], bool] | None = None) -> Event: ...
    @overload
    async def wait_event(self, *types: type[E], guard: Callable[[E], bool] | None = None) -> E: ...
    @overload
    async def wait_event(
        self, *types: type[Event] | CallEvent, guard: Callable[[Any], bool] | None = None
    ) -> Event: ...
    async def wait_event(
        self, *types: type[Event] | CallEvent, guard: Callable[[Any], bool] | None = None
    ) -> Any:
        """Wait for the next event of these classes that the guard accepts.

        Raises:
            CallEndedError: The call ended without one.
        """
        kinds = tuple(map(_class_of, types))
        try:
            return await self._emitting().wait(*kinds, guard=guard)
        except trio.EndOfChannel:
            raise self._ended_error() from None


def _class_of(event: type[Event] | CallEvent) -> type[Event]:
    return event_class(event, Event, "trivox.Connected")
