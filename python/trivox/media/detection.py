"""What is listened for in received audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from trivox.media.engine import MediaSessions


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
    """

    voice: bool = False
    hang_over: float = 0.3
    level_interval: float = 0.0
    inband_dtmf: bool = False

    def __post_init__(self) -> None:
        if not 0.02 <= self.hang_over <= 10.0:
            raise InvalidArgumentsError(f"hang_over is {self.hang_over}; it must be 0.02 to 10 s")
        if self.level_interval and not 0.1 <= self.level_interval <= 60.0:
            raise InvalidArgumentsError(
                f"level_interval is {self.level_interval}; it must be 0.1 to 60 s, or 0 for never"
            )

    @property
    def is_on(self) -> bool:
        """Whether the engine is to be told anything."""
        return self != NO_DETECTION

    def begin(self, sessions: MediaSessions, session: int) -> None:
        """Tell a session what to listen for."""
        sessions.set_listening(
            session,
            voice=self.voice,
            hang_over=self.hang_over,
            level_interval=self.level_interval,
        )
        if self.inband_dtmf:
            sessions.set_tones(session, dtmf=True)


NO_DETECTION: Final = Detection()
"""Listen for nothing."""
