"""What the engine tells of a call's media, and what the call makes of it."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from trivox.call._digits import INBAND, INFO, RFC4733
from trivox.call._endings import fail_media, lose
from trivox.call._gathering import take_lost_relay
from trivox.call._paths import ICE, lose_path, regain_path
from trivox.call._values import CallValues
from trivox.call._video import (
    add_line,
    remove_line,
    settle_video,
    tell_dead_path,
    tell_restored_path,
)
from trivox.call.audio_events import LevelReport, VoiceActivity
from trivox.call.events import DtmfReceived, FirstRtpReceived, Originator, StatsReport
from trivox.call.quality import QualityIssueCleared, QualityIssueRaised, read_issue
from trivox.call.recording_events import RecordingBehind, RecordingFailed
from trivox.call.states import Trigger
from trivox.call.tone_events import AnswererDetected, ToneDetected, read_answerer, read_tone
from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call._core import CallCore

# Python 3.11 takes longer to find a member of an enum than all else in a step.
_MEDIA_UP: Final = Trigger.MEDIA_UP
_ICE_GRACE: Final = 2.0
"""Seconds an ICE path may be away before the call says so."""


def take_engine_event(call: CallCore, kind: int, number: float, text: str) -> None:
    """Take an event of this call's media session, unless it is for a part of the session."""
    if kind == EngineEventKind.VIDEO_ADDED:
        add_line(call, int(number), text)
    elif kind == EngineEventKind.VIDEO_REMOVED:
        remove_line(call, int(number))
    elif not call._leg.handle(kind, number, text) and not call._leg.is_released:
        take = _TAKEN.get(kind)
        if take is not None:
            take(call, number, text)


def _take_connected(call: CallCore, _: float, __: str) -> None:
    call._leg.is_up = True
    call._tell(media_state="connected")
    call._step(_MEDIA_UP)
    if call._leg.video is not None:
        settle_video(call)


def _take_failed(call: CallCore, _: float, text: str) -> None:
    call._tell(media_state="failed")
    fail_media(call, text)


def _take_first_packet(call: CallCore, _: float, __: str) -> None:
    call.timings.first_rtp = call._now()
    call._emit(FirstRtpReceived, Originator.REMOTE, stream=call._remote_stream)


def _tell_recording_failed(call: CallCore, number: float, text: str) -> None:
    """Take what a full disk has done to a recording."""
    recording = call._leg.recording(number)
    if recording is not None:
        recording.error = text
        call._emit(RecordingFailed, Originator.SYSTEM, path=recording.path, error=text)


def _tell_recording_behind(call: CallCore, number: float, text: str) -> None:
    """Take what a slow disk has done to a recording."""
    recording = call._leg.recording(number)
    if recording is not None:
        recording.lost_blocks = lost = int(text)
        call._emit(RecordingBehind, Originator.SYSTEM, path=recording.path, lost_blocks=lost)


def _tell_tone(call: CallCore, _: float, text: str) -> None:
    tone, frequencies = read_tone(text)
    call._emit(ToneDetected, Originator.REMOTE, tone=tone, frequencies=frequencies)


def _tell_answerer(call: CallCore, number: float, text: str) -> None:
    who, cause, words = read_answerer(text)
    call._emit(
        AnswererDetected,
        Originator.REMOTE,
        answerer=who,
        cause=cause,
        greeting=number,
        words=words,
    )


def _tell_voice(call: CallCore, number: float, text: str) -> None:
    call._emit(VoiceActivity, Originator.REMOTE, is_speaking=text == "start", duration=number)


def _tell_level(call: CallCore, number: float, text: str) -> None:
    call._emit(LevelReport, Originator.SYSTEM, received_dbov=number, sent_dbov=float(text))


def take_digit(call: CallCore, tone: str, duration: float, method: str) -> None:
    """Take a key of the far end, whatever told of it."""
    # An INFO request says how long a key is to sound, and comes as it goes down.
    sounded = duration if method != INFO else 0.0
    if call._leg.digits.take(tone, method, call._now(), sounded):
        call._emit(DtmfReceived, Originator.REMOTE, tone=tone, duration=duration, method=method)


def _note_silence(call: CallCore, seconds: float, _: str) -> None:
    limit = call.settings.media_timeout
    is_held = CallValues.is_remotely_held.of(call) or CallValues.is_on_hold.of(call)
    if limit is not None and seconds >= limit and not is_held:
        lose(call, "no media was received", Trigger.MEDIA_TIMEOUT)


def _note_quality(call: CallCore, value: float, text: str) -> None:
    kind, level, threshold = read_issue(text)
    issues = {known: held for known, held in call.quality_issues.items() if known != kind}
    if level is None:
        call.quality_issues = MappingProxyType(issues)
        call._emit(
            QualityIssueCleared,
            Originator.SYSTEM,
            kind=kind,
            value=value,
            threshold=threshold,
        )
        return
    call.quality_issues = MappingProxyType({**issues, kind: level})
    call._emit(
        QualityIssueRaised,
        Originator.SYSTEM,
        kind=kind,
        level=level,
        value=value,
        threshold=threshold,
    )


def _take_ice_state(call: CallCore, _: float, state: str) -> None:
    CallValues.ice_state.set(call, to=state)
    if state == "disconnected":
        call._after("ice", _ICE_GRACE, partial(lose_path, call, ICE))
    elif state == "connected":
        call._withdraw("ice")
        regain_path(call, ICE)


def report_statistics(call: CallCore) -> None:
    """Tell how the media are, now and after each interval."""
    if call._leg.is_open:
        call._emit(StatsReport, Originator.SYSTEM, report=call._leg.statistics())
        call._after("statistics", call.settings.stats_interval, partial(report_statistics, call))


_TAKEN: Final[dict[int, Callable[[CallCore, float, str], None]]] = {
    EngineEventKind.CONNECTED: _take_connected,
    EngineEventKind.FAILED: _take_failed,
    EngineEventKind.ICE_STATE: _take_ice_state,
    EngineEventKind.FIRST_RTP: _take_first_packet,
    EngineEventKind.DTMF_STARTED: lambda call, _, __: call._leg.digits.note_key_down(RFC4733),
    EngineEventKind.DTMF: lambda call, length, key: take_digit(call, key, length, RFC4733),
    EngineEventKind.INBAND_DTMF_STARTED: lambda call, _, __: call._leg.digits.note_key_down(INBAND),
    EngineEventKind.INBAND_DTMF: lambda call, length, key: take_digit(call, key, length, INBAND),
    EngineEventKind.MEDIA_TIMEOUT: _note_silence,
    EngineEventKind.QUALITY_RAISED: _note_quality,
    EngineEventKind.QUALITY_CLEARED: _note_quality,
    EngineEventKind.RECORDING_FAILED: _tell_recording_failed,
    EngineEventKind.RECORDING_BEHIND: _tell_recording_behind,
    EngineEventKind.TONE_HEARD: _tell_tone,
    EngineEventKind.ANSWERER_TOLD: _tell_answerer,
    EngineEventKind.VOICE_ACTIVITY: _tell_voice,
    EngineEventKind.RELAY_LOST: lambda call, _, text: take_lost_relay(call, text),
    EngineEventKind.LEVEL: _tell_level,
    EngineEventKind.LINE_FAILED: tell_dead_path,
    EngineEventKind.LINE_RESTORED: tell_restored_path,
}
"""What a call does with each kind of event that is not for a playback, a port or a line."""
