"""How a call goes from step to step, and what it publishes on the way."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from trivox.actor.correlation import log_fields
from trivox.call._listening import CAN_RECONNECT, CallListening
from trivox.call.events import (
    CallEnd,
    Connected,
    EndReason,
    Originator,
    Reconnected,
    Reconnecting,
    RemoteMediaAdded,
    RemoteMediaRemoved,
    StopRinging,
)
from trivox.call.states import IGNORED, TABLE, Action, Phase, Trigger
from trivox.call.streams import RemoteStream

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGER = logging.getLogger("trivox.call")


class CallMachine(CallListening, ABC):
    """Steps through the table of `trivox.call.states`."""

    def _step(self, trigger: Trigger) -> None:
        """Take a trigger; one raised within a step waits until that step is complete."""
        self._triggers.append(trigger)
        if self._is_stepping:
            return
        while self._triggers:
            self._take(self._triggers.popleft())

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
        self._is_stepping = True
        try:
            if Action.END_SIGNALLING in go.actions:
                self._end_signalling()
            if Action.RELEASE_MEDIA in go.actions:
                self._release_media()
            if Action.CONNECT in go.actions:
                self.timings.connected = self._now()
                self._begin_media()
        finally:
            self._is_stepping = False
        if Action.FINISH in go.actions:
            self._note_end()
        self._publications += go.actions
        CallListening.state.set(self, to=self._state_now())
        self._publish_all()
        if self._life:
            self._life.unpark_all()

    def _publish_all(self) -> None:
        """Tell of each step in turn: what a listener sets off is told after what it heard of."""
        if self._is_publishing:
            return
        self._is_publishing = True
        try:
            while self._publications:
                self._publish(self._publications.popleft())
        finally:
            self._is_publishing = False

    def _publish(self, action: Action) -> None:
        match action:
            case Action.STOP_RINGING if CallListening.is_ringing.of(self):
                CallListening.is_ringing.set(self, to=False)
                self._emit(StopRinging, Originator.SYSTEM)
            case Action.RELEASE_MEDIA:
                self._publish_released()
            case Action.CONNECT:
                self._publish_connected()
            case Action.FINISH:
                self._publish_end()

    def _publish_released(self) -> None:
        self._remove_remote_stream()
        CallListening.local_streams.set(self, to=frozenset())
        CallListening.is_remotely_held.set(self, to=False)
        CallListening.has_early_media.set(self, to=False)
        CallListening.media_state.set(self, to="closed")

    def _publish_connected(self) -> None:
        name, uri = self._party
        CallListening.remote_display_name.set(self, to=name)
        CallListening.remote_sip_uri.set(self, to=uri)
        self._add_remote_stream()
        self._emit(Connected, Originator.REMOTE)

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
        self.end = CallEnd(
            reason=cause.reason,
            originator=cause.originator,
            sip_code=cause.sip_code,
            sip_reason=cause.sip_reason,
            headers=cause.headers,
            at=now,
            error=cause.error,
        )

    def _publish_end(self) -> None:
        self._seq += 1
        error = self._ended_error()
        for watchable in self._watchables.values():
            watchable.observers().close(error)
        if self._emitter is not None:
            self._emitter.finish(self._terminal_event())
            self._emitter = None  # a later reader gets a new one; no cycle keeps the call alive
        for scope in self._end_scopes:
            scope.cancel()
        self._end_scopes.clear()
        self._settle_requests(error)
        self._host.leave(self._face)

    @abstractmethod
    def _end_signalling(self) -> None: ...
    @abstractmethod
    def _release_media(self) -> None: ...
    @abstractmethod
    def _begin_media(self) -> None: ...
    @abstractmethod
    def _settle_requests(self, error: Exception) -> None: ...
    @abstractmethod
    def _fail_media(self, text: str) -> None: ...

    def _lose(self, text: str, trigger: Trigger) -> None:
        """End an established call that was lost; an unestablished one fails."""
        if self._phase is Phase.CONNECTED:
            reason = EndReason.CONNECTION_LOST
        elif self._phase in (Phase.ENDING, Phase.FAILING):
            self._step(trigger)
            return
        else:
            reason = EndReason.FAILED
        self._cause = CallEnd(reason=reason, originator=Originator.SYSTEM, sip_reason=text)
        self._step(trigger)

    def _begin_reconnecting(self, cause: str) -> None:
        """Note that a path is lost, the media's ("ice") or signalling's ("flow")."""
        if self._phase not in CAN_RECONNECT:
            return
        is_first = not self._lost_paths
        self._lost_paths |= {cause}
        if is_first:
            CallListening.state.set(self, to=self._state_now())
            self._emit(Reconnecting, Originator.SYSTEM, cause=cause)

    def _end_reconnecting(self, cause: str) -> None:
        """Note that a path is back; the call is in its old state again when none is lost."""
        if cause not in self._lost_paths:
            return
        self._lost_paths -= {cause}
        if self._phase in CAN_RECONNECT and not self._lost_paths:
            CallListening.state.set(self, to=self._state_now())
            self._emit(Reconnected, Originator.SYSTEM, cause=cause)

    def _after(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Act after so many seconds, unless the call ends or it is withdrawn before."""
        self._withdraw(name)
        self._timers[name] = self._host.call_at(self._now() + seconds, act)

    def _withdraw(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _add_remote_stream(self) -> None:
        if self._remote_stream is None:
            stream = self._remote_stream = RemoteStream(f"{self.id}/remote-audio")
            CallListening.remote_streams.set(self, to=frozenset({stream}))
            self._emit(RemoteMediaAdded, Originator.REMOTE, stream=stream, type=str(stream.type))

    def _remove_remote_stream(self) -> None:
        stream, self._remote_stream = self._remote_stream, None
        if stream is not None:
            CallListening.remote_streams.set(self, to=frozenset())
            self._emit(RemoteMediaRemoved, Originator.REMOTE, stream=stream, type=str(stream.type))
