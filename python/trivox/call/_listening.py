"""Listening to a call: listeners in order, its events as an iterator, and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, overload

import trio

from trivox.actor.correlation import bound
from trivox.actor.emitter import Emitter
from trivox.actor.mailbox import Overflow
from trivox.actor.registry import ListenerOptions, added_or_decorator, event_class
from trivox.call._values import CallValues
from trivox.call.event_names import DROPPABLE_EVENTS, CallEvent
from trivox.call.events import Disconnected, Event, Failed, Originator
from trivox.call.messages import headers_of
from trivox.call.states import CallState, Phase
from trivox.errors import CallEndedError, CallReconnectingError, CallWrongStateError
from trivox.errors.attempt import call_failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message
    from trivox.actor.isolation import Isolation
    from trivox.actor.registry import ListenerFields, ListenerHandle
    from trivox.actor.subscription import EventSubscription

E = TypeVar("E", bound=Event)
F = TypeVar("F", bound="Callable[..., object]")
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_DISCONNECTING: Final = CallState.DISCONNECTING


class CallListening(CallValues):
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

    # For the other parts.

    def _emit(
        self,
        kind: type[Event],
        originator: Originator,
        message: Message | None = None,
        /,
        **payload: Any,  # noqa: ANN401 (the fields of that class)
    ) -> None:
        """Build and emit an event, if anybody would hear it."""
        if self._hears(kind):
            self._hand_out(kind, originator, message, **payload)

    def _hears(self, kind: type[Event]) -> bool:
        """Count an event, and tell whether anybody would hear it: then `_hand_out` is to follow."""
        self._seq += 1
        return self._emitter is not None and self._emitter.wants(kind)

    def _hand_out(
        self,
        kind: type[Event],
        originator: Originator,
        message: Message | None = None,
        /,
        **payload: Any,  # noqa: ANN401 (as above)
    ) -> None:
        self._emitting().emit(kind(**self._common(originator, headers_of(message)), **payload))

    def _common(self, originator: Originator, headers: Any) -> dict[str, Any]:  # noqa: ANN401
        return {
            "call": self,
            "call_id": self.id,
            "at": self._now(),
            "seq": self._seq,
            "originator": originator,
            "state": self._state_now(),
            "headers": headers,
        }

    def _emitting(self) -> Emitter[Event]:
        if self._emitter is None:
            self._emitter = Emitter(
                isolation=self._watch_isolation(),
                start_soon=self._host.start_soon,
                context=bound(self._context, self.id),
                droppable=DROPPABLE_EVENTS,
            )
            if self.end is not None:
                self._emitter.finish(self._terminal_event())
        return self._emitter

    def _terminal_event(self) -> Event:
        end = self.end
        assert end is not None, "the end is noted before it is published"
        common = self._common(end.originator, end.headers)
        if self._phase is Phase.FAILED:
            return Failed(code=end.sip_code, reason=end.sip_reason, **common)
        return Disconnected(
            reason=end.reason, sip_code=end.sip_code, sip_reason=end.sip_reason, **common
        )

    def _watch_isolation(self) -> Isolation:
        if self._isolation is None:
            self._isolation = self._host.isolation_for(self._face)
        return self._isolation

    def _final_error(self) -> Exception | None:
        return None if self.end is None else self._ended_error()

    def _ended_error(self) -> Exception:
        end = self.end or self._cause
        if self._phase in (Phase.FAILED, Phase.FAILING) and end is not None:
            error = call_failed(end.sip_code, end.sip_reason, headers=end.headers, call_id=self.id)
            error.__cause__ = end.error
            return error
        return CallEndedError(end=end, call_id=self.id)

    def _refuse_ended(self) -> None:
        """Raise CallEndedError on a call that is over or about to be."""
        state = self._state_now()
        if state is _DISCONNECTING or state.is_terminal:
            raise CallEndedError(end=self.end or self._cause, call_id=self.id)

    def _wrong_state(self, message: str, *allowed: CallState) -> CallWrongStateError:
        return CallWrongStateError(
            message, state=self._state_now(), allowed=allowed, call_id=self.id
        )

    def _reconnecting(self, what: str) -> CallReconnectingError:
        return CallReconnectingError(
            f"{what} has to wait: the call is reconnecting",
            state=self._state_now(),
            allowed=(CallState.CONNECTED,),
            call_id=self.id,
        )


def _class_of(event: type[Event] | CallEvent) -> type[Event]:
    return event_class(event, Event, "trivox.Connected")
