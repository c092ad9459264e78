"""What the engine does with audio in the hands of the program: ports, marks, listening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, Union

if TYPE_CHECKING:
    from trivox._native import AudioFeed, AudioFrame, AudioShare

AudioPart: TypeAlias = Union[
    "tuple[str, bool, float]",
    "tuple[str, bool, float, tuple[str, int, int]]",
    "tuple[list[float], list[tuple[float, float]], float, float]",
    float,
    "AudioFeed",
    "AudioShare",
    "list[AudioPart]",
]
"""What is played: a file (path, loop, start, and encoding, rate and channels of one without a header), a tone (Hz, cadence, seconds, dBov), seconds of silence,
a feed, what others play too, or several at once."""


class AudioSessions(Protocol):
    """The part of `MediaSessions` that is about samples; all numbers are the engine's own."""

    def open_audio(
        self, session: int, rate_hz: int, frame_ms: int, batch: int, ahead: float = 0.2
    ) -> int: ...
    def bound_audio(self, port: int, most: int, *, keeps_oldest: bool) -> None:
        """Say how many received frames wait, and whether the newest of more are dropped."""
        ...

    def close_audio(self, port: int) -> None: ...
    def send_audio(self, port: int, samples: bytes) -> float | None:
        """Queue int16 samples whole; seconds queued, or None while they do not fit."""
        ...

    def clear_audio(self, port: int, fade: float) -> float: ...
    def mark_audio(self, port: int) -> int: ...
    def audio_state(self, port: int) -> tuple[float, int]:
        """Seconds queued, and how often the queue ran dry within a packet."""
        ...

    def take_frames(self, port: int, limit: int) -> list[AudioFrame]: ...
    def set_listening(
        self, session: int, *, voice: bool, hang_over: float, level_interval: float
    ) -> None: ...
    def play_part(self, session: int, part: AudioPart, *, place: str = "queue") -> int: ...
    def share(self, part: AudioPart) -> AudioShare:
        """Open a source once for many sessions, to be given to play_part."""
        ...

    def is_share_over(self, share: AudioShare) -> bool:
        """Whether its source has ended, or the last who played it has left."""
        ...

    def tap(self, session: int, feed: AudioFeed) -> None: ...
