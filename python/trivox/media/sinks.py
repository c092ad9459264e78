"""Where the sound of a stream that is received can go: a file, a pipe, a function of the program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, final

import trio

from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_rate, checked_within

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.media.frames import AudioFrame


class Pipe(Protocol):
    """What a `PipeSink` writes to; Trio's streams are such, so is the input of a process."""

    async def send_all(self, data: bytes) -> None:
        """Write all of it."""
        ...


@final
@dataclass(frozen=True, slots=True)
class FileSink:
    """A WAV or Ogg Opus file of what is received: 16 kHz, mono, true to wall time.

    Attributes:
        path: Where it is written.
        format: "wav" or "ogg"; None goes by the name's end.
    """

    path: str | os.PathLike[str]
    format: Literal["wav", "ogg"] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike):
            raise InvalidArgumentsError(f"{self.path!r} is no path to write to")
        if self.format not in (None, "wav", "ogg"):
            raise InvalidArgumentsError(f'format is {self.format!r}; it is "wav", "ogg" or None')


@final
@dataclass(frozen=True, slots=True)
class PipeSink:
    """Bare samples, int16 little-endian mono, into a pipe: to another program, a socket, a device.

    A pipe that takes nothing for 2 seconds loses the oldest audio. It is not closed at the end.

    Attributes:
        pipe: A stream of Trio: a socket, the input of a process, or `trio.lowlevel.FdStream`
            around a descriptor.
        rate: Samples a second, 8000 to 48 000.
        chunk: Seconds for each write, 0.01 to 0.12.
    """

    pipe: Pipe
    rate: int = 16_000
    chunk: float = 0.1

    def __post_init__(self) -> None:
        if not hasattr(self.pipe, "send_all"):
            raise InvalidArgumentsError(
                f"{self.pipe!r} is no pipe: give a stream of Trio; trio.lowlevel.FdStream makes one "
                "of a descriptor"
            )
        _check_frames(self.rate, self.chunk)

    async def take(self, frame: AudioFrame) -> None:
        """Write a frame."""
        await self.pipe.send_all(bytes(frame))


@final
@dataclass(frozen=True, slots=True)
class CallbackSink:
    """A function that is given one frame after the other, in a worker thread of Trio's.

    Frames that a slow function has not taken are kept for 2 seconds, then the oldest go. It must
    not call into trivox but by `trio.from_thread`.

    Attributes:
        function: Takes an `AudioFrame`; what it returns is dropped.
        rate: Samples a second, 8000 to 48 000.
        chunk: Seconds of a frame, 0.01 to 0.12.
    """

    function: Callable[[AudioFrame], object]
    rate: int = 16_000
    chunk: float = 0.1

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InvalidArgumentsError(f"{self.function!r} cannot be called with frames")
        _check_frames(self.rate, self.chunk)

    async def take(self, frame: AudioFrame) -> None:
        """Call the function with a frame."""
        await trio.to_thread.run_sync(self.function, frame, abandon_on_cancel=True)


def _check_frames(rate: int, chunk: float) -> None:
    checked_rate(rate)
    checked_within(chunk, "chunk", 0.01, 0.12, unit=" seconds")


AudioSink: TypeAlias = FileSink | PipeSink | CallbackSink
"""Anything `RemoteStream.into` takes."""
