"""What a step of a call publishes once it is done, and how its end is fixed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from trivox.call._parts import settle_requests
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
from trivox.call.states import Action, CallDirection, Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call._core import CallCore

# Python 3.11 takes longer to find a member of an enum than all else in a step.
_FAILED: Final = Phase.FAILED
_REMOTE: Final = Originator.REMOTE


def _publish_quiet(call: CallCore) -> None:
    if call._values.get("is_ringing"):
        call._tell(is_ringing=False)
        call._emit(StopRinging, Originator.SYSTEM)


def _publish_released(call: CallCore) -> None:
    remove_remote_stream(call)
    call._tell(
        local_streams=frozenset(),
        is_on_hold=False,
        is_remotely_held=False,
        has_early_media=False,
        media_state="closed",
    )


def _publish_connected(call: CallCore) -> None:
    if call._watchables:
        call._tell("remote_display_name", "remote_sip_uri")
    add_remote_stream(call)
    answerer = call.settings.detection.answerer
    if answerer is not None and call.direction is CallDirection.OUTGOING and call._leg.is_open:
        answerer.begin(call._leg.sessions, call._leg.session)
    call._emit(Connected, _REMOTE)


def _publish_end(call: CallCore) -> None:
    call._seq += 1
    for watchable in call._watchables.values():
        watchable.observers().close(call._ended_error())
    if call._emitter is not None:
        if call._emitter.is_heard(Failed if call._phase is _FAILED else Disconnected):
            call._emitter.finish(call._terminal_event())
        else:
            call._emitter.abandon()
        call._emitter = None  # a later reader gets a new one; no cycle keeps the call alive
    for scope in call._end_scopes:
        scope.cancel()
    call._end_scopes.clear()
    settle_requests(call)
    call._host.leave(call._face)


def note_end(call: CallCore) -> None:
    """Fix how the call ended, before anybody sees that it did."""
    for timer in call._timers.values():
        timer.cancel()
    call._timers.clear()
    now = call._now()
    call.timings.ended = now
    cause = call._cause
    if cause is None:
        cause = CallEnd(reason=EndReason.LOCAL_ENDED, originator=Originator.LOCAL)
    call.end = cause if cause.at == now else replace(cause, at=now)


def add_remote_stream(call: CallCore) -> None:
    """Tell once that the far end sends audio."""
    if not call._has_remote_stream:
        call._has_remote_stream = True
        _note_remote_stream(call, RemoteMediaAdded)


def remove_remote_stream(call: CallCore) -> None:
    """Tell that nothing of the far end is to be had any more."""
    for line in tuple(call._remote_videos):
        remove_line(call, line)
    if call._has_remote_stream:
        call._has_remote_stream = False
        _note_remote_stream(call, RemoteMediaRemoved)


def _note_remote_stream(call: CallCore, kind: type[RemoteMediaAdded | RemoteMediaRemoved]) -> None:
    if call._watchables:
        call._tell("remote_streams")
    if call._hears(kind):
        stream = call._remote_stream
        call._hand_out(kind, Originator.REMOTE, stream=stream, type=str(stream.type))


PUBLISHED: Final[dict[Action, Callable[[CallCore], None]]] = {
    Action.STOP_RINGING: _publish_quiet,
    Action.RELEASE_MEDIA: _publish_released,
    Action.CONNECT: _publish_connected,
    Action.FINISH: _publish_end,
}
"""What is told of what a step has done."""
