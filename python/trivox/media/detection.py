"""What is listened for in received audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox.errors.checks import checked_kind, checked_whole, checked_within

if TYPE_CHECKING:
    from trivox.media.engine import MediaSessions


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswererDetection:
    """When who has answered a call is taken for a person or a machine.

    Attributes:
        initial_silence: Nobody speaks for so many seconds: unknown.
        greeting: Seconds of a greeting that is a machine's, pauses within it included.
        after_greeting: Seconds of silence that make a shorter greeting a person's.
        words: More words than these are a machine's.
        word: Seconds of voice that are a word; 0.05 s without a voice divide two.
        limit: Seconds after which nobody knows.
    """

    initial_silence: float = 2.5
    greeting: float = 1.5
    after_greeting: float = 0.8
    words: int = 3
    word: float = 0.1
    limit: float = 5.0

    def __post_init__(self) -> None:
        for name in ("initial_silence", "greeting", "after_greeting", "word", "limit"):
            checked_within(getattr(self, name), name, 0.02, 60.0, unit=" s")
        checked_whole(self.words, "words", 1, 1000)

    def begin(self, sessions: MediaSessions, session: int) -> None:
        """Let a session listen from now on."""
        sessions.begin_answerer(
            session,
            initial_silence=self.initial_silence,
            greeting=self.greeting,
            after_greeting=self.after_greeting,
            words=self.words,
            word=self.word,
            limit=self.limit,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Choose what a call listens for; what is not chosen costs nothing.

    Also in early media. Each is told by an event of its own.

    Attributes:
        voice: Tell when the far end begins and ends to speak: `VoiceActivity`. 8-20 µs of a core a
            frame.
        hang_over: Seconds without a voice after which speech has ended, 0.02 to 10. It also rules
            the `speech` flag of frames.
        level_interval: Tell the levels of both directions so often, 0.1 to 60 seconds:
            `LevelReport`. 0: never.
        inband_dtmf: Hear keys in the audio itself, beside RFC 4733 and INFO: `DtmfReceived` with
            method "inband", and `collect_dtmf`. A press told by another method too is one press.
        tones: Tell of tones of networks and machines: `ToneDetected`.
        answerer: Tell who has answered a call of ours, from Connected on: `AnswererDetected`.
    """

    voice: bool = False
    hang_over: float = 0.3
    level_interval: float = 0.0
    inband_dtmf: bool = False
    tones: bool = False
    answerer: AnswererDetection | None = None

    def __post_init__(self) -> None:
        checked_within(self.hang_over, "hang_over", 0.02, 10.0, unit=" s")
        if self.level_interval != 0:
            unit = " s, or 0 for never"
            checked_within(self.level_interval, "level_interval", 0.1, 60.0, unit=unit)
        if self.answerer is not None:
            checked_kind(self.answerer, AnswererDetection, "answerer")

    @property
    def is_on(self) -> bool:
        """Whether the engine is to be told anything."""
        # Asked for each call, and as a rule of the one default.
        return self is not NO_DETECTION and self != NO_DETECTION

    def begin(self, sessions: MediaSessions, session: int) -> None:
        """Tell a session what to listen for."""
        sessions.set_listening(
            session,
            voice=self.voice,
            hang_over=self.hang_over,
            level_interval=self.level_interval,
        )
        if self.inband_dtmf or self.tones:
            sessions.set_tones(session, dtmf=self.inband_dtmf, tones=self.tones)


NO_DETECTION: Final = Detection()
"""Listen for nothing."""
