"""What can be played into a call: values that say what to read or make, not how far it got."""

from __future__ import annotations

import math
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, TypeAlias, final

from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from trivox.media.engine import MediaSessions


@final
@dataclass(frozen=True, slots=True)
class FileSource:
    """A WAV file (PCM 16 bit, any rate; further channels are mixed down).

    Attributes:
        path: Where it lies.
        loop: Start again at the end, until stopped.
        start: Seconds of the file to skip.
    """

    path: str | PathLike[str]
    loop: bool = False
    start: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | PathLike):
            raise InvalidArgumentsError(
                f"{self.path!r} cannot be played: give the path of a WAV file, or a source"
            )
        if not 0.0 <= self.start < math.inf:
            raise InvalidArgumentsError(f"start is {self.start}; it must be 0 or more seconds")


@final
@dataclass(frozen=True, slots=True)
class ToneSource:
    """A sum of sine tones, with a cadence if wanted.

    Attributes:
        frequencies: In Hz, 1 to 4 of them, each from 20 to 20 000.
        cadence: (seconds on, seconds off) pairs, repeated; empty for a steady tone.
        duration: Seconds; infinity plays until stopped.
        level_dbov: Level of the sum in dBov; 0 is full scale.
    """

    frequencies: tuple[float, ...] = (440.0,)
    cadence: tuple[tuple[float, float], ...] = ()
    duration: float = math.inf
    level_dbov: float = -12.0

    def __post_init__(self) -> None:
        if not isinstance(self.frequencies, tuple | list):
            raise InvalidArgumentsError(f"frequencies is a tuple: ({self.frequencies!r},)")
        if not 1 <= len(self.frequencies) <= 4:
            raise InvalidArgumentsError("a tone has 1 to 4 frequencies")
        if any(not 20.0 <= frequency <= 20_000.0 for frequency in self.frequencies):
            raise InvalidArgumentsError("frequencies are from 20 to 20 000 Hz")
        if any(on < 0 or off < 0 or on + off <= 0 for on, off in self.cadence):
            raise InvalidArgumentsError("a cadence has pairs of seconds on and off, not both 0")
        if not self.duration > 0:
            raise InvalidArgumentsError(f"duration is {self.duration}; it must be above 0")


@final
@dataclass(frozen=True, slots=True)
class SilenceSource:
    """Silence, which holds the queue of playbacks for `duration` seconds."""

    duration: float = math.inf

    def __post_init__(self) -> None:
        if not self.duration > 0:
            raise InvalidArgumentsError(f"duration is {self.duration}; it must be above 0")


AudioSource: TypeAlias = FileSource | ToneSource | SilenceSource
"""Anything `Call.play` takes besides a path."""


def source_of(source: AudioSource | str | PathLike[str]) -> AudioSource:
    """Return a source; a path becomes one of that file. Raises InvalidArgumentsError."""
    if isinstance(source, FileSource | ToneSource | SilenceSource):
        return source
    return FileSource(source)


def start_playback(
    sessions: MediaSessions,
    session: int,
    source: AudioSource | str | PathLike[str],
    place: str = "queue",
) -> int:
    """Play a source on a session and return the playback's number.

    Args:
        sessions: The engine's sessions.
        session: Which of them.
        source: A source, or the path of a WAV file.
        place: "queue": in its turn; "beside": at once, mixed with the rest; "hold": while the far
            end is on hold.

    Raises:
        EngineError: The file cannot be read or is no WAV file.
    """
    match source:
        case ToneSource(frequencies, cadence, duration, level_dbov):
            return sessions.play_tone(
                session, frequencies, cadence, duration, level_dbov, place=place
            )
        case SilenceSource(duration):
            return sessions.play_silence(session, duration, place=place)
        case FileSource(path, loop, start):
            return sessions.play_file(session, fspath(path), loop, start, place=place)
        case _:
            return start_playback(sessions, session, FileSource(source), place)
