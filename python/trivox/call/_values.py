"""The values of a call: who it is with, how it stands, what of that is watched and told as events."""

from __future__ import annotations

import contextvars
import weakref
from typing import TYPE_CHECKING, Any, Final, cast

from trivox.actor.correlation import bound
from trivox.actor.emitter import Emitter
from trivox.actor.watchable import assign
from trivox.call._watched import WatchedValue
from trivox.call.codec_info import CodecInfo, audio_codec_of
from trivox.call.event_names import DROPPABLE_EVENTS
from trivox.call.events import Disconnected, Event, Failed, Originator
from trivox.call.messages import headers_of, party_untrusted
from trivox.call.remote_stream import RemoteStream
from trivox.call.states import PHASE_STATE, Action, CallDirection, CallState, Phase, Trigger
from trivox.call.streams import LocalStream
from trivox.call.timings import CallTimings
from trivox.errors import CallEndedError, CallReconnectingError, CallWrongStateError
from trivox.errors.attempt import call_failed

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping

    import trio

    from trivox._native import Message
    from trivox.actor.isolation import Isolation
    from trivox.actor.watchable import ReadonlyWatchable
    from trivox.call.call import Call
    from trivox.call.events import CallEnd
    from trivox.call.host import AccountFace, CallHost, Timer
    from trivox.call.media_leg import MediaLeg
    from trivox.call.settings import CallSettings
    from trivox.call.trace import TraceRecord

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
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_OUTGOING: Final = CallDirection.OUTGOING
_IN_CREATED: Final = Phase.IN_CREATED
_DISCONNECTING: Final = CallState.DISCONNECTING


class CallValues:
    """What a call is at any moment, what of that can be watched, and who hears of it."""

    # Python looks an attribute up slowly where an object has more than thirty; a call has fifty.
    __slots__ = (
        "_cause",
        "_context",
        "_emitter",
        "_end_scopes",
        "_has_remote_stream",
        "_host",
        "_is_publishing",
        "_is_stepping",
        "_isolation",
        "_lost_paths",
        "_made_own_stream",
        "_now",
        "_party_untrusted",
        "_phase",
        "_publications",
        "_remote_videos",
        "_seq",
        "_timers",
        "_triggers",
        "_until_connected",
        "_until_ended",
        "_values",
        "_was_ringing",
        "_watchables",
        "account",
        "destination",
        "direction",
        "end",
        "id",
        "quality_issues",
        "remote_headers",
        "settings",
        "sip_call_id",
        "timings",
        "token",
        "trace",
        "user_data",
    )  # fmt: skip
    _leg: MediaLeg
    _remote_videos: Mapping[int, RemoteStream]
    """What the far end sends, by the engine's lines; never changed, only replaced."""

    state = WatchedValue[CallState](
        first=CallState.CREATED, made=lambda call: CallValues._state_now(call)
    )
    is_on_hold = WatchedValue[bool](first=False)
    is_microphone_muted = WatchedValue[bool](first=False)
    is_video_enabled = WatchedValue[bool](first=False)
    has_screen_sharing = WatchedValue[bool](first=False)
    local_streams = WatchedValue[frozenset[LocalStream]](
        first=frozenset(), made=lambda call: frozenset({CallValues._own_stream(call)})
    )
    remote_streams = WatchedValue[frozenset[RemoteStream]](
        first=frozenset(),
        made=lambda call: call._remote_streams_now(),
    )
    remote_display_name = WatchedValue[str | None](
        first=None, made=lambda call: CallValues._party(call)[0]
    )
    remote_sip_uri = WatchedValue[str | None](
        first=None, made=lambda call: CallValues._party(call)[1]
    )
    is_remotely_held = WatchedValue[bool](first=False)
    is_ringing = WatchedValue[bool](first=False)
    has_early_media = WatchedValue[bool](first=False)
    ice_state = WatchedValue[str](first="new")
    media_state = WatchedValue[str](first="new")
    _audio_codec = WatchedValue[CodecInfo | None](
        first=None,
        made=lambda call: audio_codec_of(call._leg),
    )

    def __init__(
        self,
        host: CallHost,
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
        self.remote_headers = headers_of(None)
        self.end: CallEnd | None = None
        self.trace: deque[TraceRecord] = host.trace_of(sip_call_id)
        """Its SIP messages, the last 256, if the client keeps them (`keep_trace`)."""
        self._host = host
        self._now = host.now
        self.timings = CallTimings(self._now())
        is_ours = direction is _OUTGOING
        self._context = contextvars.copy_context() if is_ours else host.context
        self._phase = Phase.OUT_CREATED if is_ours else _IN_CREATED
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
        audio = (self._remote_stream,) if self._has_remote_stream else ()
        return frozenset((*audio, *self._remote_videos.values()))

    def _tell(self, *made: str, **values: object) -> None:
        """Set values and tell who watches them, and those named, which are made from the call."""
        self._values.update(values)
        if not self._watchables:
            return
        for name in (*made, *values):
            watchable = self._watchables.get(name)
            if watchable is not None:
                assign(watchable, getattr(type(self), name).of(self))

    def _state_now(self) -> CallState:
        if self._lost_paths and self._phase in CAN_RECONNECT:
            return CallState.RECONNECTING
        return PHASE_STATE[self._phase]

    # What is told of it.

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
                self._watch_isolation(),
                self._host.start_soon,
                bound(self._context, self.id),
                DROPPABLE_EVENTS,
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
