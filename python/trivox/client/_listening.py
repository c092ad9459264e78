"""Listening to a client: listeners in order, and its events as an iterator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from trivox.actor.registry import ListenerOptions, added_or_decorator, event_class
from trivox.call.client_events import ClientEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.actor.emitter import Emitter
    from trivox.actor.registry import ListenerFields, ListenerHandle
    from trivox.actor.subscription import EventSubscription
    from trivox.client.event_names import ClientEventName

E = TypeVar("E", bound=ClientEvent)
F = TypeVar("F", bound="Callable[..., object]")


class ClientListening:
    """The part of a client that is about its events."""

    _emitter: Emitter[ClientEvent]

    def add_event_listener(
        self,
        event: type[E] | ClientEventName,
        listener: Callable[[E], object],
        options: ListenerOptions | None = None,
    ) -> ListenerHandle:
        """Call `listener` for each event of that class; as `Call.add_event_listener`."""
        callback: Any = listener
        return self._emitter.listeners.add(_class_of(event), callback, options)

    def remove_event_listener(
        self, event: type[E] | ClientEventName, listener: Callable[[E], object]
    ) -> None:
        """Remove a listener; nothing when it is not registered."""
        callback: Any = listener
        self._emitter.listeners.remove(_class_of(event), callback)

    @overload
    def on(
        self,
        event: type[E] | ClientEventName,
        listener: Callable[[E], object],
        **fields: Unpack[ListenerFields],
    ) -> ListenerHandle: ...
    @overload
    def on(
        self, event: type[E] | ClientEventName, **fields: Unpack[ListenerFields]
    ) -> Callable[[F], F]: ...
    def on(
        self,
        event: type[E] | ClientEventName,
        listener: Callable[[E], object] | None = None,
        **fields: Unpack[ListenerFields],
    ) -> ListenerHandle | Callable[[F], F]:
        """Add a listener; without one, a decorator that does; as `Call.on`."""
        options = ListenerOptions(**fields)

        def add(function: Callable[..., object]) -> ListenerHandle:
            return self.add_event_listener(event, function, options)

        return added_or_decorator(add, listener)

    @overload
    def events(self, *, max_waiting: int = 256) -> EventSubscription[ClientEvent]: ...
    @overload
    def events(self, *types: type[E], max_waiting: int = 256) -> EventSubscription[E]: ...
    @overload
    def events(
        self, *types: type[ClientEvent] | ClientEventName, max_waiting: int = 256
    ) -> EventSubscription[ClientEvent]: ...
    def events(
        self, *types: type[ClientEvent] | ClientEventName, max_waiting: int = 256
    ) -> EventSubscription[Any]:
        """Iterate over the client's events of these classes, or all, from now on."""
        return self._emitter.subscribe(*map(_class_of, types), max_waiting=max_waiting)


def _class_of(event: type[ClientEvent] | ClientEventName) -> type[ClientEvent]:
    return event_class(event, ClientEvent, "trivox.IncomingCall")
