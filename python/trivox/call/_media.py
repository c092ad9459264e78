"""The media side of a call's face: play, record, listen, mute, keys, figures."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import trio

from trivox.call._digits import INBAND, RFC4733, checked_entry
from trivox.call._listening import CallListening
from trivox.call._machine import CallMachine
from trivox.call.audio_events import LevelReport, VoiceActivity
from trivox.call.events import DtmfReceived, FirstRtpReceived, Originator, StatsReport
from trivox.call.playback import Played, begin_playback, failure_of, play_out
from trivox.call.quality import QualityIssueCleared, QualityIssueRaised, read_issue
from trivox.call.recording import Recording
from trivox.call.recording_events import RecordingBehind, RecordingFailed
from trivox.call.states import Phase, Trigger
from trivox.call.tone_events import AnswererDetected, ToneDetected, read_answerer, read_tone
from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.media.port import AudioPort
from trivox.media.sources import FileSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from typing import Literal

    from trivox.call.media_leg import MediaLeg
    from trivox.call.quality import QualityIssue, QualityLevel
    from trivox.call.remote_stream import RemoteStream
    from trivox.media.sources import AudioSource
    from trivox.media.statistics import StatisticsReport, StatisticsSample

# Python 3.11 takes longer to find a member of an enum than all else in a step.
_MEDIA_UP: Final = Trigger.MEDIA_UP
ICE: Final = "ice"
"""The path of a call's media, among those that can be lost."""
_ICE_GRACE = 2.0
"""Seconds an ICE path may be away before the call says so."""


class CallMedia(CallMachine):
    """What a call does with sound."""

    _leg: MediaLeg
    quality_issues: Mapping[QualityIssue, QualityLevel] = MappingProxyType({})
    """What is wrong with the media now, as `QualityIssueRaised` told."""

    async def play(
        self, source: AudioSource | str | PathLike[str], *, loop: bool = False
    ) -> Played:
        """Play a source and return when it was played out, with what was heard of it.

        It begins when media flows; playbacks of one call take turns. Cancelling it stops the sound
        within a packet time and drops the rest.

        Args:
            source: A path of a WAV, Ogg Opus or FLAC file, or a source.
            loop: Repeat a file until cancelled or the call ends.

        Raises:
            CallEndedError: The call ended before the source did.
            CallFailedError: The call was never established.
            EngineError: The file cannot be read, or proved damaged while it was played.
        """
        if loop:
            path = source.path if isinstance(source, FileSource) else source
            if isinstance(path, str) or hasattr(path, "__fspath__"):
                source = FileSource(path, loop=True)
        await self._wait_flowing()
        return await play_out(self._leg, source, self._ended_error)

    def recording(
        self,
        path: str | PathLike[str],
        *,
        side: Literal["both", "received", "sent"] = "both",
        format: Literal["wav", "ogg", "mkv", "ivf"] | None = None,  # noqa: A002 (as others call it)
        video: RemoteStream | None = None,
    ) -> Recording:
        """Record into a file while inside `async with`: 16 kHz, stereo for both sides.

        The format goes by the name's end where none is given: .ogg and .opus are Opus, .mkv is
        Matroska with the far end's video and the sound as Opus, .ivf the video alone.

        It begins when media flows. Leaving, also by cancellation or the call's end, finalises the
        file. Left is what was received, right what was sent. Video is written as it comes, from a
        key frame on, which is asked for.

        Args:
            path: The file, which is written anew.
            side: Whose sound.
            format: What is written, whatever the file's name says.
            video: Whose pictures; None: the first video stream that shows something.

        Raises:
            InvalidArgumentsError: The format takes no video, or `video` is none of this call's.
        """
        line = 0
        if video is not None:
            if video not in tuple(self._remote_streams_now()) or video.home is None:
                raise InvalidArgumentsError(
                    f"{video!r} is no video of this call: see remote_streams"
                )
            line = video.home[1]
        return Recording(self._leg, path, side, format, self._wait_flowing, line)

    def audio(
        self, *, rate: int = 16_000, frame: float = 0.02, batch: int = 1, ahead: float = 0.2
    ) -> AudioPort:
        """Open the call's audio to the program: iterate frames in, `send` samples out.

        Args:
            rate: Samples a second, both ways; 8000 to 48 000.
            frame: Seconds of a received frame, 0.01 to 0.12.
            batch: Frames handed over for each wake-up, 1 to 50.
            ahead: Seconds that may be queued before `send` waits, 0.02 to 10.

        Raises:
            CallWrongStateError: There is no media session yet: start or answer first.
            CallEndedError: The call is over.
        """
        self._refuse_ended()
        self._refuse_reconnecting("audio()")
        if not self._leg.is_open:
            raise self._wrong_state(
                "audio() needs a started or answered call: start() or answer() first"
            )
        leg = self._leg
        port = AudioPort(
            leg.sessions, leg.session, rate=rate, frame=frame, batch=batch, ahead=ahead
        )
        leg.add_port(port)
        return port

    def mute_microphone(self) -> None:
        """Send silence from now on. Local only; idempotent."""
        self._mute(is_muted=True)

    def unmute_microphone(self) -> None:
        """Send what is played again. Idempotent."""
        self._mute(is_muted=False)

    def toggle_microphone(self) -> bool:
        """Mute or unmute and return the new muted state."""
        self._mute(is_muted=not self._leg.is_muted)
        return self._leg.is_muted

    def statistics(self) -> StatisticsReport:
        """Return the figures of the call's media; the last ones after its end."""
        return self._leg.statistics()

    def statistics_history(self) -> tuple[StatisticsSample, ...]:
        """Return one sample a second for the last 300 seconds, oldest first; also after the end."""
        return self._leg.history()

    async def collect_dtmf(
        self,
        *,
        max_digits: int | None = None,
        terminators: str = "#",
        first_timeout: float = 5.0,
        inter_digit_timeout: float = 3.0,
        prompt: AudioSource | str | PathLike[str] | None = None,
        flush: bool = False,
    ) -> str:
        """Collect the keys the far end presses and return them without the terminator.

        Starts with keys pressed before (type-ahead). A prompt stops at the first key. When a time
        limit passes, what was entered so far is returned. Cancelling it stops the prompt and
        leaves the keys for the next collect.

        Args:
            max_digits: Return as soon as there are so many; None: no limit.
            terminators: Keys that end the entry; "" for none.
            first_timeout: Seconds for the first key, from the end of the prompt.
            inter_digit_timeout: Seconds for each further key.
            prompt: What is played meanwhile.
            flush: Forget keys pressed before.

        Raises:
            InvalidArgumentsError: A limit or the terminators are of no use.
            CallEndedError: The call ended first.
            CallFailedError: The call was never established.
            EngineError: The prompt cannot be read, or proved damaged before a key went down.
        """
        checked_entry(max_digits, terminators, first_timeout, inter_digit_timeout)
        await self._wait_flowing()
        digits = self._leg.digits
        if flush:
            digits.flush()
        if prompt is not None and digits.is_empty:
            await self._prompt(prompt)
        while True:
            entry = digits.complete(max_digits, terminators)
            if entry is not None:
                return entry
            self._refuse_ended()
            with trio.move_on_after(
                first_timeout if digits.is_empty else inter_digit_timeout
            ) as limit:
                await digits.wait_moved()
            if limit.cancelled_caught:
                return digits.take_all()

    async def _prompt(self, source: AudioSource | str | PathLike[str]) -> None:
        """Play until played out or a key goes down."""
        leg = self._leg
        number = begin_playback(leg, source)
        pending = leg.expect(EngineEventKind.PLAYBACK_ENDED, number)
        pending.on_done = leg.digits.wake
        try:
            while leg.digits.is_empty and not pending.is_done:
                await leg.digits.wait_moved()
        finally:
            if not pending.is_done and leg.is_open:
                leg.sessions.stop_playback(leg.session, number)
        failure = failure_of(pending.text)
        if failure is not None and leg.digits.is_empty:
            raise failure

    async def _wait_flowing(self) -> None:
        """Wait until media flows, then let the operation begin."""
        if self._phase in (Phase.OUT_CREATED, Phase.IN_CREATED) and not self._leg.is_open:
            raise self._wrong_state(
                "media needs a started or answered call: start() or answer() first"
            )
        self._refuse_ended()
        self._refuse_reconnecting("media")
        await trio.lowlevel.checkpoint()
        while not self._leg.is_flowing:
            self._refuse_ended()
            await self._leg.wait_moved()
        self._refuse_ended()

    def _mute(self, *, is_muted: bool) -> None:
        self._refuse_ended()
        self._leg.mute(is_muted=is_muted)
        CallListening.is_microphone_muted.set(self, to=is_muted)

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        """Take an event of this call's media session; the engine's drain task calls it."""
        leg = self._leg
        if leg.handle(kind, number, text) or leg.is_released:
            return
        match kind:
            case EngineEventKind.CONNECTED:
                leg.is_up = True
                self._tell(media_state="connected")
                self._step(_MEDIA_UP)
            case EngineEventKind.FAILED:
                self._tell(media_state="failed")
                self._fail_media(text)
            case EngineEventKind.ICE_STATE:
                self._take_ice_state(text)
            case EngineEventKind.FIRST_RTP:
                self.timings.first_rtp = self._now()
                self._emit(FirstRtpReceived, Originator.REMOTE, stream=self._remote_stream)
            case EngineEventKind.DTMF_STARTED:
                leg.digits.note_key_down(RFC4733)
            case EngineEventKind.DTMF:
                self._take_digit(text, number, RFC4733)
            case EngineEventKind.MEDIA_TIMEOUT:
                self._note_silence(number)
            case EngineEventKind.QUALITY_RAISED | EngineEventKind.QUALITY_CLEARED:
                self._note_quality(number, text)
            case _:
                self._tell_heard(kind, number, text)

    @abstractmethod
    def _take_lost_relay(self, text: str) -> None: ...

    def _tell_recording(self, kind: int, number: float, text: str) -> None:
        """Take what a full or a slow disk has done to a recording."""
        recording = self._leg.recording(number)
        if recording is None:
            return
        path = recording.path
        if kind == EngineEventKind.RECORDING_FAILED:
            recording.error = text
            self._emit(RecordingFailed, Originator.SYSTEM, path=path, error=text)
        else:
            recording.lost_blocks = lost = int(text)
            self._emit(RecordingBehind, Originator.SYSTEM, path=path, lost_blocks=lost)

    def _tell_heard(self, kind: int, number: float, text: str) -> None:
        """Take what a detector or a recording has told of."""
        match kind:
            case EngineEventKind.RECORDING_FAILED | EngineEventKind.RECORDING_BEHIND:
                self._tell_recording(kind, number, text)
            case EngineEventKind.INBAND_DTMF_STARTED:
                self._leg.digits.note_key_down(INBAND)
            case EngineEventKind.INBAND_DTMF:
                self._take_digit(text, number, INBAND)
            case EngineEventKind.TONE_HEARD:
                tone, frequencies = read_tone(text)
                self._emit(ToneDetected, Originator.REMOTE, tone=tone, frequencies=frequencies)
            case EngineEventKind.ANSWERER_TOLD:
                who, cause, words = read_answerer(text)
                self._emit(
                    AnswererDetected,
                    Originator.REMOTE,
                    answerer=who,
                    cause=cause,
                    greeting=number,
                    words=words,
                )
            case EngineEventKind.VOICE_ACTIVITY:
                self._emit(
                    VoiceActivity,
                    Originator.REMOTE,
                    is_speaking=text == "start",
                    duration=number,
                )
            case EngineEventKind.RELAY_LOST:
                self._take_lost_relay(text)
            case EngineEventKind.LEVEL:
                sent = float(text)
                self._emit(LevelReport, Originator.SYSTEM, received_dbov=number, sent_dbov=sent)

    def _take_digit(self, tone: str, duration: float, method: str) -> None:
        if self._leg.digits.take(tone, method, self._now()):
            self._emit(DtmfReceived, Originator.REMOTE, tone=tone, duration=duration, method=method)

    def _note_silence(self, seconds: float) -> None:
        limit = self.settings.media_timeout
        is_held = CallListening.is_remotely_held.of(self) or CallListening.is_on_hold.of(self)
        if limit is not None and seconds >= limit and not is_held:
            self._lose("no media was received", Trigger.MEDIA_TIMEOUT)

    def _note_quality(self, value: float, text: str) -> None:
        kind, level, threshold = read_issue(text)
        issues = {known: held for known, held in self.quality_issues.items() if known != kind}
        if level is None:
            self.quality_issues = MappingProxyType(issues)
            self._emit(
                QualityIssueCleared,
                Originator.SYSTEM,
                kind=kind,
                value=value,
                threshold=threshold,
            )
            return
        self.quality_issues = MappingProxyType({**issues, kind: level})
        self._emit(
            QualityIssueRaised,
            Originator.SYSTEM,
            kind=kind,
            level=level,
            value=value,
            threshold=threshold,
        )

    def _take_ice_state(self, state: str) -> None:
        CallListening.ice_state.set(self, to=state)
        if state == "disconnected":
            self._after("ice", _ICE_GRACE, partial(self._begin_reconnecting, ICE))
        elif state == "connected":
            self._withdraw("ice")
            self._end_reconnecting(ICE)

    def _report_statistics(self) -> None:
        if self._leg.is_open:
            self._emit(StatsReport, Originator.SYSTEM, report=self._leg.statistics())
            self._after("statistics", self.settings.stats_interval, self._report_statistics)
