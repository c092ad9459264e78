"""The engine seen from Python: what a call asks of it, and what it reports."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from trivox.media.engine_audio import AudioSessions
from trivox.media.engine_codecs import CodecOptions
from trivox.media.engine_data import DataSessions
from trivox.media.engine_gathering import GatheringSessions
from trivox.media.engine_joining import JoiningSessions
from trivox.media.engine_taps import TapSessions
from trivox.media.engine_tones import ToneSessions
from trivox.media.engine_video import VideoSessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import trio

EngineEvent = tuple[int, int, float, str]
"""(session, kind, number, text); what number and text mean stands at the kind."""


class Report(Protocol):
    """Figures of a session by the names of `StatisticsReport`; those that are not known are absent."""

    def __getitem__(self, name: str, /) -> float | str: ...
    def __contains__(self, name: str, /) -> bool: ...
    def get(self, name: str, default: float | str | None, /) -> float | str | None:
        """Return a figure, or `default` where it is not known."""
        ...

    def streams(self) -> Sequence[Mapping[str, float | str]]:
        """Return the figures of each stream by the names of `StreamStatistics`."""
        ...

    def seconds(self) -> Sequence[tuple[float, float, float, float, float, float, float]]:
        """Return the last seconds, oldest first, as the fields of `StatisticsSample`."""
        ...


class EngineEventKind(IntEnum):
    """What an engine event says. Values are shared with `rust/media`."""

    CONNECTED = 1
    """Media may flow: the transport is up (ICE and DTLS done, or plain)."""
    FAILED = 2
    """The session is dead; text says why."""
    ICE_STATE = 3
    """text is the new state: checking, connected, disconnected, failed."""
    FIRST_RTP = 4
    """The first valid RTP packet was received."""
    DTMF = 5
    """One key press ended: text is the tone, number its duration in seconds."""
    DTMF_SENT = 6
    """number is the sending returned by send_dtmf."""
    PLAYBACK_ENDED = 7
    """number is the playback; text is the seconds really sent, a space and the error if it failed."""
    RECORDING_ENDED = 8
    """number is the recording; text is empty or the error."""
    FRAMES_READY = 9
    """number is the audio port that has a batch to take."""
    AUDIO_LOW = 10
    """number is the audio port whose send queue has room again."""
    MEDIA_TIMEOUT = 11
    """number is the seconds without RTP and RTCP while receiving was agreed; reported each second from 5 s on."""
    DTMF_STARTED = 12
    """A key went down: text is the tone (for barge-in)."""
    MARK_PASSED = 20
    """number is the audio port; text is its mark that is past, and " heard" where it was heard."""
    VOICE_ACTIVITY = 21
    """text is "start" or "end" of speech; with the end, number is how many seconds it lasted."""
    LEVEL = 22
    """number is the level of what is received, text of what is sent, both in dBov."""
    INBAND_DTMF = 23
    """A key press heard in the audio itself ended: as DTMF."""
    INBAND_DTMF_STARTED = 24
    """A key went down, heard in the audio itself: as DTMF_STARTED."""
    TONE_HEARD = 25
    """text is the name of a tone and its two frequencies in Hz, 0.0 for one that is not there."""
    ANSWERER_TOLD = 26
    """text is who has answered, why, and how many words; number the seconds of the greeting."""
    VIDEO_ADDED = 40
    """number is the video line the far end sends on now, text what it is: "video VP8"."""
    VIDEO_REMOVED = 41
    """number is the video line the far end no longer sends on."""
    KEY_FRAME_WANTED = 42
    """number is the push of video that is to make a key frame."""
    ENCODED_READY = 43
    """number is the tap that has encoded frames to take."""
    VIDEO_ENDED = 44
    """number is the video file that was played out."""
    CHANNEL_OPENED = 46
    """number is the data channel that messages may be sent on now; the far end may have opened it."""
    CHANNEL_CLOSED = 47
    """number is the data channel that is over; text is the reason, if it was not closed."""
    DATA_READY = 48
    """number is the data channel that has messages to take."""
    DATA_LOW = 49
    """More messages may be queued on the call's data channels."""
    QUALITY_RAISED = 50
    """number is the value; text is the issue, its level and the threshold."""
    QUALITY_CLEARED = 51
    """number is the value; text is the issue, "fine" and the threshold."""
    GATHERED = 60
    """Addresses were gathered: text is how many, a space, and what could not be had."""
    RELAY_LOST = 61
    """A relay that was in use is gone; text says which and why."""
    LOCAL_CANDIDATES = 62
    """A candidate of ours that no description has had is there: a fragment tells it."""
    LINE_FAILED = 63
    """number is the video line whose path of its own is dead; text says why."""
    LINE_RESTORED = 64
    """number is the video line whose path was dead, and is there again."""
    RTP_READY = 70
    """number is the tap that has packets to take."""
    RECORDING_FAILED = 71
    """number is a recording that cannot be written any more, text the reason; RECORDING_ENDED comes later."""
    RECORDING_BEHIND = 72
    """number is a recording that loses what it is given, text how many blocks it has lost so far."""
    ACTIVE_SPEAKER = 30
    """Of a room: number is the session that speaks most, 0 for nobody."""


class MediaSessions(
    AudioSessions,
    CodecOptions,
    DataSessions,
    GatheringSessions,
    JoiningSessions,
    TapSessions,
    ToneSessions,
    VideoSessions,
    Protocol,
):
    """The methods of `trivox._native.MediaEngine` that a call uses; fakes implement these."""

    def open_session(
        self,
        *,
        transport: str,
        local_addresses: Sequence[str],
        advertised: str,
        codecs: Sequence[str],
        dtmf: bool,
        ptime_ms: int,
        accepts: Sequence[str] = (),
    ) -> int: ...
    def change_transport(
        self, session: int, *, transport: str, accepts: Sequence[str] = ()
    ) -> None: ...
    def create_offer(self, session: int, *, ice_restart: bool = False) -> str: ...
    def set_remote(self, session: int, sdp: str, kind: str, dialog: str) -> None: ...
    def create_answer(self, session: int) -> str: ...
    def close_session(self, session: int) -> None: ...
    def set_muted(self, session: int, muted: bool) -> None: ...
    def set_mix(self, session: int, *, own: bool, holding: bool) -> None: ...
    def set_direction(self, session: int, direction: str) -> None: ...
    def rollback(self, session: int) -> None: ...
    def set_impairment(self, session: int, drop: float) -> None: ...
    def play_file(
        self, session: int, path: str, loop: bool, start: float, *, place: str = "queue"
    ) -> int: ...
    def play_tone(
        self,
        session: int,
        frequencies_hz: Sequence[float],
        cadence: Sequence[tuple[float, float]],
        duration: float,
        level_dbov: float,
        *,
        place: str = "queue",
    ) -> int: ...
    def play_silence(self, session: int, duration: float, *, place: str = "queue") -> int: ...
    def stop_playback(self, session: int, playback: int) -> float: ...
    def start_recording(
        self, session: int, path: str, side: str, file_format: str = "wav"
    ) -> int: ...
    def stop_recording(self, session: int, recording: int) -> float: ...
    def send_dtmf(self, session: int, tones: str, duration: float, gap: float) -> int: ...
    def cancel_dtmf(self, session: int, sending: int) -> None: ...
    def statistics(self, session: int) -> Report: ...
    def counts(self) -> dict[str, int]: ...


class SteppedEngine(MediaSessions, Protocol):
    """An engine in virtual time: the native one in driven mode, or a fake."""

    def drain(self, limit: int) -> list[EngineEvent]: ...
    def next_deadline(self) -> float | None: ...
    def advance(self, now: float) -> None: ...
    def close(self) -> None: ...


class EngineEventSink(Protocol):
    """What the engine's drain task gives a session's events to: the call that owns it."""

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        """Take one event, synchronously, in the Trio thread."""
        ...


class Media(Protocol):
    """An engine together with the task that hands out its events; what a client owns.

    `LiveMedia` (threads and real sockets) and `DrivenMedia` (virtual time) are the two.
    """

    @property
    def sessions(self) -> MediaSessions: ...
    def attach(self, session: int, sink: EngineEventSink) -> None:
        """Give the events of a session to `sink` from now on."""
        ...

    def detach(self, session: int) -> None:
        """Drop what still comes for a session. Unknown sessions are ignored."""
        ...

    async def run(self, *, task_status: trio.TaskStatus[None] = ...) -> None:
        """Hand out events for ever; start it in a nursery that the owner cancels."""
        ...

    def close(self) -> None:
        """Close all sessions and join the engine's threads. A second call does nothing."""
        ...
