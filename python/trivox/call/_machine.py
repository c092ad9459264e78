"""How a call goes from step to step, and what it publishes on the way."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from trivox.actor.correlation import log_fields
from trivox.call._listening import CallListening
from trivox.call._video import remove_line
from trivox.call.events import (
    CallEnd,
    Connected,
    Disconnected,
    EndReason,
    Failed,
    Originator,
    RemoteMediaAdded,
    RemoteMediaRemoved,
    StopRinging,
)
from trivox.call.states import (
    IGNORED,
    LEAVING,
    TABLE,
    Action,
    CallDirection,
    CallState,
    Phase,
    Trigger,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.farewell import Farewell
    from trivox.call.host import Route

_LOGGER = logging.getLogger("trivox.call")
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_END_SIGNALLING: Final = Action.END_SIGNALLING
_RELEASE_MEDIA: Final = Action.RELEASE_MEDIA
_CONNECT: Final = Action.CONNECT
_FINISH: Final = Action.FINISH
_FAILED: Final = Phase.FAILED
_REMOTE: Final = Originator.REMOTE


class CallMachine(CallListening, ABC):
    """Steps through the table of `trivox.call.states`."""

    _farewell: Farewell
    _route: Route | None

    def _step(self, trigger: Trigger) -> None:
        """Take a trigger; one raised within a step waits until that step is complete."""
        if self._is_stepping or self._triggers:
            self._triggers.append(trigger)
            if self._is_stepping:
                return
        else:
            self._take(trigger)
        while self._triggers:
            self._take(self._triggers.pop(0))

    def _take(self, trigger: Trigger) -> None:
        go = TABLE[self._phase].get(trigger)
        if go is None:
            if trigger not in IGNORED[self._phase]:
                _LOGGER.error(
                    "call %s: %s in %s is in no table",
                    self.id,
                    trigger,
                    self._phase,
                    extra=log_fields(self.id),
                )
            return
        self._phase = go.to
        if go.actions:
            self._act(go.actions)
        if self._watchables:
            self._tell("state")
        if go.actions:
            self._publications += go.actions
            self._publish_all()
            self._wake()

    def _act(self, actions: tuple[Action, ...]) -> None:
        """Do what belongs to a step itself; what it sets off is taken after it."""
        self._is_stepping = True
        try:
            if _END_SIGNALLING in actions:
                self._end_signalling()
            if _RELEASE_MEDIA in actions:
                self._release_media()
            if _CONNECT in actions:
                self.timings.connected = self._now()
                self._begin_media()
        finally:
            self._is_stepping = False
        if _FINISH in actions:
            self._note_end()

    def _wake(self) -> None:
        """Wake who waits for what has happened; each looks for itself."""
        if self._until_connected is not None:
            self._until_connected.unpark_all()
        if self._until_ended is not None and self.end is not None:
            self._until_ended.set()

    def _publish_all(self) -> None:
        """Tell of each step in turn: what a listener sets off is told after what it heard of."""
        if self._is_publishing:
            return
        self._is_publishing = True
        try:
            while self._publications:
                publish = _PUBLISHED.get(self._publications.pop(0))
                if publish is not None:
                    publish(self)
        finally:
            self._is_publishing = False

    def _publish_quiet(self) -> None:
        if self._values.get("is_ringing"):
            self._tell(is_ringing=False)
            self._emit(StopRinging, Originator.SYSTEM)

    def _publish_released(self) -> None:
        self._remove_remote_stream()
        self._tell(
            local_streams=frozenset(),
            is_on_hold=False,
            is_remotely_held=False,
            has_early_media=False,
            media_state="closed",
        )

    def _publish_connected(self) -> None:
        if self._watchables:
            self._tell("remote_display_name", "remote_sip_uri")
        self._add_remote_stream()
        answerer = self.settings.detection.answerer
        if answerer is not None and self.direction is CallDirection.OUTGOING and self._leg.is_open:
            answerer.begin(self._leg.sessions, self._leg.session)
        self._emit(Connected, _REMOTE)

    def _note_end(self) -> None:
        """Fix how the call ended, before anybody sees that it did."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        now = self._now()
        self.timings.ended = now
        cause = self._cause
        if cause is None:
            cause = CallEnd(reason=EndReason.LOCAL_ENDED, originator=Originator.LOCAL)
        self.end = cause if cause.at == now else replace(cause, at=now)

    def _publish_end(self) -> None:
        self._seq += 1
        for watchable in self._watchables.values():
            watchable.observers().close(self._ended_error())
        if self._emitter is not None:
            if self._emitter.is_heard(Failed if self._phase is _FAILED else Disconnected):
                self._emitter.finish(self._terminal_event())
            else:
                self._emitter.abandon()
            self._emitter = None  # a later reader gets a new one; no cycle keeps the call alive
        for scope in self._end_scopes:
            scope.cancel()
        self._end_scopes.clear()
        self._settle_requests()
        self._host.leave(self._face)

    @abstractmethod
    def _end_signalling(self) -> None: ...
    @abstractmethod
    def _release_media(self) -> None: ...
    @abstractmethod
    def _begin_media(self) -> None: ...
    @abstractmethod
    def _settle_requests(self) -> None: ...
    @abstractmethod
    def _go_on(self) -> None: ...
    @abstractmethod
    def _fail_media(self, text: str) -> None: ...

    def _ring_no_longer(self) -> None:
        if self._phase is Phase.OUT_INVITING:
            self._cause = CallEnd(
                reason=EndReason.FAILED,
                originator=Originator.SYSTEM,
                sip_code=408,
                sip_reason="no answer within ring_timeout",
            )
            self._step(Trigger.RING_TIMEOUT)

    def _fail_setup(self, error: Exception) -> None:
        self._cause = CallEnd(
            reason=EndReason.FAILED,
            originator=Originator.SYSTEM,
            sip_code=503,
            sip_reason=str(error),
            error=error,
        )
        self._step(Trigger.SETUP_FAILED)

    def _fail_connection(self) -> None:
        """Fail an attempt whose INVITE could not be sent (RFC 3261 §8.1.3.1)."""
        error = None if self._route is None else self._host.failure_of(self._route.flow)
        if self._phase not in LEAVING:
            self._cause = CallEnd(
                reason=EndReason.FAILED,
                originator=Originator.SYSTEM,
                sip_code=503,
                sip_reason=str(error or "connection failed"),
                error=error,
            )
        self._step(Trigger.REFUSED)

    def _lose(self, text: str, trigger: Trigger) -> None:
        """End an established call that was lost; an unestablished one fails."""
        if self._phase is Phase.CONNECTED:
            reason = EndReason.CONNECTION_LOST
        elif self._phase in LEAVING:
            self._step(trigger)
            return
        else:
            reason = EndReason.FAILED
        self._cause = CallEnd(reason=reason, originator=Originator.SYSTEM, sip_reason=text)
        self._step(trigger)

    def _refuse_reconnecting(self, what: str) -> None:
        """Raise CallReconnectingError while a path is lost."""
        if self._lost_paths and self._state_now() is CallState.RECONNECTING:
            raise self._reconnecting(what)

    def _after(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Act after so many seconds, unless the call ends or it is withdrawn before."""
        self._withdraw(name)
        self._timers[name] = self._host.call_at(self._now() + seconds, act)

    def _withdraw(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _add_remote_stream(self) -> None:
        if not self._has_remote_stream:
            self._has_remote_stream = True
            self._note_remote_stream(RemoteMediaAdded)

    def _remove_remote_stream(self) -> None:
        for line in tuple(self._remote_videos):
            remove_line(self._face, line)
        if self._has_remote_stream:
            self._has_remote_stream = False
            self._note_remote_stream(RemoteMediaRemoved)

    def _note_remote_stream(self, kind: type[RemoteMediaAdded | RemoteMediaRemoved]) -> None:
        if self._watchables:
            self._tell("remote_streams")
        if self._hears(kind):
            stream = self._remote_stream
            self._hand_out(kind, Originator.REMOTE, stream=stream, type=str(stream.type))


_PUBLISHED: Final[dict[Action, Callable[[CallMachine], None]]] = {
    Action.STOP_RINGING: CallMachine._publish_quiet,
    Action.RELEASE_MEDIA: CallMachine._publish_released,
    Action.CONNECT: CallMachine._publish_connected,
    Action.FINISH: CallMachine._publish_end,
}
"""What is told of what a step has done."""
