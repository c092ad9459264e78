"""What can be played into a call, and how a source is told to the engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_duration, checked_path, checked_whole, checked_within
from trivox.media.push import AsyncIterSource, IterSource, PushSource, RemoteSource
from trivox.media.url import UrlSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trivox.media.engine import MediaSessions
    from trivox.media.engine_audio import AudioPart
    from trivox.media.native_engine import AudioShare

_MOST_PARTS: Final = 16
_LATEST_START: Final = 1e9
"""Seconds; no file is as long."""
SAMPLE_BYTES: Final = {"s16": 2, "s24": 3, "s32": 4, "f32": 4, "u8": 1, "alaw": 1, "ulaw": 1}
"""The encodings of samples without a header, and octets of each sample."""


@final
@dataclass(frozen=True, slots=True)
class RawAudio:
    """How the samples lie in a file that has no header.

    Attributes:
        encoding: "s16", "s24", "s32", "f32" (little-endian; full scale of "f32" is 1.0), "u8",
            "alaw" or "ulaw" (G.711).
        rate: Samples a second, 4000 to 384 000.
        channels: Interleaved, 1 to 32.
    """

    encoding: Literal["s16", "s24", "s32", "f32", "u8", "alaw", "ulaw"] = "s16"
    rate: int = 16_000
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in SAMPLE_BYTES:
            names = ", ".join(SAMPLE_BYTES)
            raise InvalidArgumentsError(f"encoding is {self.encoding!r}; there are {names}")
        checked_whole(self.rate, "rate", 4000, 384_000, unit=" samples a second")
        checked_whole(self.channels, "channels", 1, 32)


@final
@dataclass(frozen=True, slots=True)
class FileSource:
    """A WAV, Ogg Opus or FLAC file, or bare samples, any rate; further channels are mixed down.

    WAV: PCM of 8, 16, 24 or 32 bits, 32-bit float, A-law or µ-law. FLAC: RFC 9639, up to 24 bits.
    Which of them it is, its first octets say. It is read a second ahead by a thread of the engine.

    Attributes:
        path: Where it lies.
        loop: Start again at the end, until stopped.
        start: Seconds of the file to skip.
        raw: What its samples are, if it has no header; a WAV file's is then taken for samples too.
    """

    path: str | PathLike[str]
    loop: bool = False
    start: float = 0.0
    raw: RawAudio | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | PathLike):
            raise InvalidArgumentsError(
                f"{self.path!r} cannot be played: give the path of a WAV file, or a source"
            )
        checked_path(self.path, "play")
        checked_within(self.start, "start", 0.0, _LATEST_START, unit=" seconds")
        if not isinstance(self.raw, RawAudio | None):
            raise InvalidArgumentsError(f"raw is {self.raw!r}; give a RawAudio, or None")


@final
@dataclass(frozen=True, slots=True)
class ToneSource:
    """A sum of sine tones, with a cadence if wanted.

    Attributes:
        frequencies: In Hz, 1 to 4 of them, each from 20 to 20 000.
        cadence: (seconds on, seconds off) pairs, repeated; empty for a steady tone.
        duration: Seconds; infinity plays until stopped.
        level_dbov: Level of the sum in dBov, -90 to 0, which is full scale.
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
        for frequency in self.frequencies:
            checked_within(frequency, "a frequency", 20.0, 20_000.0, unit=" Hz")
        _check_cadence(self.cadence)
        checked_duration(self.duration)
        checked_within(self.level_dbov, "level_dbov", -90.0, 0.0, unit=" dBov")


def _check_cadence(cadence: object) -> None:
    pairs = cadence if isinstance(cadence, tuple | list) else (None,)
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InvalidArgumentsError("a cadence is a tuple of pairs: ((seconds on, off), …)")
        on, off = (checked_within(part, "a part of a cadence", 0.0, unit=" s") for part in pair)
        if not on + off > 0:
            raise InvalidArgumentsError("a cadence has pairs of seconds on and off, not both 0")


@final
@dataclass(frozen=True, slots=True)
class SilenceSource:
    """Silence, which holds the queue of playbacks for `duration` seconds."""

    duration: float = math.inf

    def __post_init__(self) -> None:
        checked_duration(self.duration)


@final
@dataclass(frozen=True, slots=True)
class MusicOnHoldSource:
    """A file, or any other source, for `hold(music=)` and queues: a file goes round for ever.

    All calls that are given the same one hear it together, as with `SharedSource`.

    Attributes:
        music: The path of a file, or a source.
    """

    music: AudioSource | str | PathLike[str]
    shared: SharedSource = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inner = source_of(self.music)
        if isinstance(inner, FileSource):
            inner = replace(inner, loop=True)
        object.__setattr__(self, "shared", shared_of(inner))


@final
@dataclass(frozen=True, slots=True)
class MixSource:
    """Several sources heard at once as one, which ends with the last of them.

    Attributes:
        sources: What is mixed: sources or paths, 1 to 16.
    """

    sources: tuple[AudioSource | str | PathLike[str], ...]

    def __post_init__(self) -> None:
        if not isinstance(self.sources, tuple | list) or not 1 <= len(self.sources) <= _MOST_PARTS:
            raise InvalidArgumentsError(f"a MixSource has 1 to {_MOST_PARTS} sources in a tuple")
        object.__setattr__(self, "sources", tuple(source_of(part) for part in self.sources))


@final
class SharedSource:
    """One source that many calls hear together: it is read once, and encoded once a codec.

    The first playback begins it; whoever plays it later hears it where it is by then. It is over
    with its source, or when nobody plays it any more: the next playback begins it anew. A call
    that sends anything else at the same time encodes for itself.

    Args:
        source: A source, or the path of a file.
    """

    __slots__ = ("_sessions", "_share", "source")

    def __init__(self, source: AudioSource | str | PathLike[str]) -> None:
        self.source: Final = source_of(source)
        self._share: AudioShare | None = None
        self._sessions: MediaSessions | None = None

    def open(self, sessions: MediaSessions) -> AudioShare:
        """Return what runs in an engine, begun if nothing does. Raises EngineError."""
        share = self._share
        if share is None or self._sessions is not sessions or sessions.is_share_over(share):
            share = self._share = sessions.share(_part(self.source, sessions))
            self._sessions = sessions
        return share


def shared_of(source: AudioSource) -> SharedSource:
    """Return a source as one that is shared; one that is already is returned as it is."""
    match source:
        case SharedSource():
            return source
        case MusicOnHoldSource():
            return source.shared
        case _:
            return SharedSource(source)


AudioSource: TypeAlias = (
    FileSource
    | ToneSource
    | SilenceSource
    | MusicOnHoldSource
    | MixSource
    | PushSource
    | IterSource
    | AsyncIterSource
    | RemoteSource
    | UrlSource
    | SharedSource
)
"""Anything `Call.play` takes besides a path."""

SOUNDS: Final = (
    FileSource,
    ToneSource,
    SilenceSource,
    MusicOnHoldSource,
    MixSource,
    PushSource,
    IterSource,
    AsyncIterSource,
    RemoteSource,
    UrlSource,
    SharedSource,
)
"""The same, for isinstance."""


def source_of(source: AudioSource | str | PathLike[str]) -> AudioSource:
    """Return a source; a path becomes one of that file. Raises InvalidArgumentsError."""
    return source if isinstance(source, SOUNDS) else FileSource(source)


def pumps_of(source: AudioSource | str | PathLike[str]) -> list[Callable[[], Awaitable[None]]]:
    """Return the tasks that have to be started with a source, each only once."""
    match source:
        case IterSource() | AsyncIterSource() | UrlSource():
            pump = source.take_pump()
            return [] if pump is None else [pump]
        case MixSource(sources):
            return [pump for part in sources for pump in pumps_of(part)]
        case MusicOnHoldSource(music):
            return pumps_of(music)
        case SharedSource():
            return pumps_of(source.source)
        case _:
            return []


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
        source: A source, or the path of a file.
        place: "queue": in its turn; "beside": at once, mixed with the rest; "hold": while the far
            end is on hold.

    Raises:
        EngineError: The file cannot be read, or is none that is played.
    """
    try:
        return sessions.play_part(session, _part(source, sessions), place=place)
    except Exception:
        _forget_opened(source)
        raise


def _forget_opened(source: AudioSource | str | PathLike[str]) -> None:
    """Let the next playback have what is fetched next, where one has not begun."""
    match source:
        case UrlSource():
            source.forget_opened()
        case MixSource(sources):
            for part in sources:
                _forget_opened(part)
        case MusicOnHoldSource(inner) | SharedSource(source=inner):
            _forget_opened(inner)
        case _:
            pass


def error_of(source: AudioSource | str | PathLike[str]) -> Exception | None:
    """Return what broke a source that a program or a server fills; None if nothing has."""
    match source:
        case IterSource() | AsyncIterSource() | UrlSource():
            return source.error
        case MixSource(sources):
            return next(filter(None, map(error_of, sources)), None)
        case MusicOnHoldSource(inner) | SharedSource(source=inner):
            return error_of(inner)
        case _:
            return None


def _file_part(file: FileSource) -> AudioPart:
    path, raw = fspath(file.path), file.raw
    if raw is None:
        return (path, file.loop, file.start)
    return (path, file.loop, file.start, (raw.encoding, raw.rate, raw.channels))


def _part(source: AudioSource | str | PathLike[str], sessions: MediaSessions) -> AudioPart:
    match source_of(source):
        case ToneSource(frequencies, cadence, duration, level_dbov):
            return (list(frequencies), list(cadence), duration, level_dbov)
        case SilenceSource(duration):
            return duration
        case FileSource() as file:
            return _file_part(file)
        case SharedSource() as shared:
            return shared.open(sessions)
        case MusicOnHoldSource() as music:
            return music.shared.open(sessions)
        case MixSource(sources):
            return [_part(part, sessions) for part in sources]
        case PushSource() as push:
            return push.feed
        case IterSource() | AsyncIterSource() as pumped:
            return pumped.source.feed
        case RemoteSource() | UrlSource() as opened:
            return opened.open()
