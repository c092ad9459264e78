"""The common ground of a call's face: its values, its watchables, its events, its steps."""

from __future__ import annotations

import contextvars
import logging
import weakref
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast, overload

import trio

from trivox.actor.correlation import bound
from trivox.actor.emitter import Emitter
from trivox.actor.mailbox import Overflow
from trivox.actor.registry import ListenerOptions, added_or_decorator, event_class
from trivox.actor.watchable import assign
from trivox.call._watched import WatchedValue
from trivox.call.codec_info import CodecInfo, audio_codec_of
from trivox.call.event_names import DROPPABLE_EVENTS, CallEvent
from trivox.call.events import CallEnd, Disconnected, Event, Failed, Originator
from trivox.call.messages import Headers, headers_of, party_untrusted
from trivox.call.remote_stream import RemoteStream
from trivox.call.states import PHASE_STATE, Action, CallDirection, CallState, Phase, Trigger
from trivox.call.streams import LocalStream
from trivox.call.timings import CallTimings
from trivox.errors import CallEndedError, CallReconnectingError, CallWrongStateError
from trivox.errors.attempt import call_failed

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from trivox._native import Message
    from trivox.actor.isolation import Isolation
    from trivox.actor.registry import ListenerFields, ListenerHandle
    from trivox.actor.subscription import EventSubscription
    from trivox.actor.watchable import ReadonlyWatchable
    from trivox.call.call import Call
    from trivox.call.host import AccountFace, CallHost, Timer
    from trivox.call.media_leg import MediaLeg
    from trivox.call.settings import CallSettings
    from trivox.call.trace import TraceRecord

E = TypeVar("E", bound=Event)
F = TypeVar("F", bound="Callable[..., object]")
_LOGGER = logging.getLogger("trivox.call")
CAN_RECONNECT = frozenset(
    {
        Phase.OUT_INVITING,
        Phase.IN_CREATED,
        Phase.IN_ANSWERING,
        Phase.IN_ANSWERED,
        Phase.ESTABLISHING,
        Phase.CONNECTED,
    }
)


class CallListening:
    """What all parts of a call stand on."""

    _leg: MediaLeg

    state = WatchedValue[CallState](
        first=CallState.CREATED, made=lambda call: CallListening._state_now(call)
    )
    is_on_hold = WatchedValue[bool](first=False)
    is_microphone_muted = WatchedValue[bool](first=False)
    is_video_enabled = WatchedValue[bool](first=False)
    has_screen_sharing = WatchedValue[bool](first=False)
    local_streams = WatchedValue[frozenset[LocalStream]](
        first=frozenset(), made=lambda call: frozenset({CallListening._own_stream(call)})
    )
    remote_streams = WatchedValue[frozenset[RemoteStream]](
        first=frozenset(),
        made=lambda call: call._remote_streams_now(),  # noqa: SLF001 (its own, with video)
    )
    remote_display_name = WatchedValue[str | None](
        first=None, made=lambda call: CallListening._party(call)[0]
    )
    remote_sip_uri = WatchedValue[str | None](
        first=None, made=lambda call: CallListening._party(call)[1]
    )
    is_remotely_held = WatchedValue[bool](first=False)
    is_ringing = WatchedValue[bool](first=False)
    has_early_media = WatchedValue[bool](first=False)
    ice_state = WatchedValue[str](first="new")
    media_state = WatchedValue[str](first="new")
    _audio_codec = WatchedValue[CodecInfo | None](
        first=None,
        made=lambda call: audio_codec_of(call._leg),  # noqa: SLF001 (its own)
    )

    def __init__(
        self,
        host: CallHost,
        *,
        id: str,  # noqa: A002 (the reference's name)
        token: int,
        direction: CallDirection,
        destination: str,
        sip_call_id: str,
        settings: CallSettings,
        account: AccountFace | None,
    ) -> None:
        self.id = id
        self.token = token
        self.sip_call_id = sip_call_id
        self.direction = direction
        self.destination = destination
        self.settings = settings
        self.account = account
        self.user_data: Any = None
        self.remote_headers = Headers()
        self.end: CallEnd | None = None
        self.trace: deque[TraceRecord] = host.trace_of(sip_call_id)
        """Its SIP messages, the last 256, if the client keeps them (`keep_trace`)."""
        self._host = host
        self._now = host.now
        self.timings = CallTimings(created=self._now())
        is_ours = direction is CallDirection.OUTGOING
        self._context = contextvars.copy_context() if is_ours else host.context
        self._phase = Phase.OUT_CREATED if is_ours else Phase.IN_CREATED
        self._lost_paths: frozenset[str] = frozenset()
        self._cause: CallEnd | None = None
        self._party_untrusted = ""
        """Who the far end says it is: From of its INVITE, or To of its answer."""
        self._was_ringing = False
        self._has_remote_stream = False
        self._made_own_stream: LocalStream | None = None
        self._values: dict[str, Any] = {}
        self._watchables: dict[str, ReadonlyWatchable[Any]] = {}
        self._emitter: Emitter[Event] | None = None
        self._isolation: Isolation | None = None
        self._seq = 0
        self._triggers: list[Trigger] = []
        self._is_stepping = False
        self._publications: list[Action] = []
        self._is_publishing = False
        self._timers: dict[str, Timer] = {}
        self._until_connected: trio.lowlevel.ParkingLot | None = None
        self._until_ended: trio.Event | None = None
        self._end_scopes: list[trio.CancelScope] = []

    @property
    def _face(self) -> Call:
        """This object as the whole it is a part of (see `trivox.call.call`)."""
        return cast("Call", self)

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.direction} {self._state_now()}>"

    @property
    def duration(self) -> float:
        """Seconds since Connected; 0.0 before, frozen at the end."""
        if self.timings.connected is None:
            return 0.0
        until = self.timings.ended
        return (self._now() if until is None else until) - self.timings.connected

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

    def _party(self) -> tuple[str | None, str | None]:
        """Display name and URI of the far end; None for what cannot be read."""
        return party_untrusted(self._party_untrusted)

    def _own_stream(self) -> LocalStream:
        """The stream a call has of its own; made when somebody looks."""
        own = self._made_own_stream
        if own is None:
            own = self._made_own_stream = LocalStream(f"{self.id}/audio")
        return own

    @property
    def _remote_stream(self) -> RemoteStream:
        owner = cast("weakref.ref[Call]", weakref.ref(self))
        return RemoteStream(f"{self.id}/remote-audio", owner, _leg=self._leg)

    def _remote_streams_now(self) -> frozenset[RemoteStream]:
        return frozenset({self._remote_stream} if self._has_remote_stream else ())

    def _tell(self, *made: str, **values: object) -> None:
        """Set values and tell who watches them, and those named, which are made from the call."""
        self._values.update(values)
        for name in (*made, *values) if self._watchables else ():
            watchable = self._watchables.get(name)
            if watchable is not None:
                assign(watchable, getattr(type(self), name).of(self))

    def _state_now(self) -> CallState:
        if self._lost_paths and self._phase in CAN_RECONNECT:
            return CallState.RECONNECTING
        return PHASE_STATE[self._phase]

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
        if state.is_terminal or state is CallState.DISCONNECTING:
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

    def _remember_headers(self, message: Message) -> None:
        self.remote_headers = headers_of(message)


def _class_of(event: type[Event] | CallEvent) -> type[Event]:
    return event_class(event, Event, "trivox.Connected")
