"""A recording of a call, as long as its block lasts."""

from __future__ import annotations

import contextlib
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.errors.checks import checked_path
from trivox.media.engine import EngineEventKind
from trivox.media.native_engine import file_seconds

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from trivox.call.media_leg import MediaLeg, Pending

_OF_VIDEO: Final = ("mkv", "ivf")
_FORMATS: Final = ("wav", "ogg", *_OF_VIDEO)
_BY_ENDING: Final[dict[str, str]] = {
    "": "wav",
    ".wav": "wav",
    ".ogg": "ogg",
    ".opus": "ogg",
    ".mkv": "mkv",
    ".ivf": "ivf",
}
_SIDES: Final = ("both", "received", "sent", "none")
DISK_LIMIT: Final = 5.0
"""Seconds leaving waits for the file to be on disk."""


@final
class Recording:
    """Made by `Call.recording`; records while inside `async with`."""

    def __init__(
        self,
        leg: MediaLeg,
        path: str | os.PathLike[str],
        side: str,
        format: str | None,  # noqa: A002 (as others call it)
        begin: Callable[[], Awaitable[None]],
        line: int = 0,
        layer: str = "",
    ) -> None:
        self.path: Final = checked_path(path, "record to")
        self.format: Final = checked_format(format, self.path, _FORMATS)
        if side not in _SIDES:
            raise InvalidArgumentsError(f'side is {side!r}; it is "both", "received" or "sent"')
        if (line or side == "none") and self.format not in _OF_VIDEO:
            raise InvalidArgumentsError(
                f"{self.path!r} would be sound: video is recorded to .mkv or .ivf"
            )
        self.seconds = 0.0
        """Length of the file, after leaving."""
        self._leg = leg
        self._side = side
        self._begin = begin
        self._line = line
        self._layer = layer
        self._number: int | None = None
        self._pending: Pending | None = None

    async def __aenter__(self) -> Recording:
        """Wait until media flows and begin."""
        await self._begin()
        leg = self._leg
        self._number = self._start(leg)
        self._pending = leg.expect(EngineEventKind.RECORDING_ENDED, self._number)
        self._pending.path = self.path
        return self

    @property
    def error(self) -> str | None:
        """Why the file takes nothing more, told by `RecordingFailed` too; None while it does."""
        return self._pending.error if self._pending is not None else None

    @property
    def lost_blocks(self) -> int:
        """What is lost to a slow disk, as `RecordingBehind` last told."""
        return self._pending.lost_blocks if self._pending is not None else 0

    def _start(self, leg: MediaLeg) -> int:
        if self.format in _OF_VIDEO:
            return leg.sessions.start_video_recording(
                leg.session, self._line, self.path, self._side, self.format, self._layer
            )
        return leg.sessions.start_recording(leg.session, self.path, self._side, self.format)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finalise the file; waits until it is on disk unless leaving by an error.

        Raises:
            EngineError: The file could not be written.
        """
        assert self._pending is not None, "left without having been entered"
        assert self._number is not None, "left without having been entered"
        if self._leg.is_open and not self._pending.is_done:
            # It may have ended this instant, with its session: the event under way says how.
            with contextlib.suppress(EngineError):
                self.seconds = self._leg.sessions.stop_recording(self._leg.session, self._number)
        if kind is not None:
            return
        with trio.move_on_after(DISK_LIMIT):
            error = await self._pending.wait()
            if error:
                self.seconds = _length(self.path)
                raise EngineError(f"the recording {self.path} failed: {error}")
            if not self.seconds:  # the call's end was first, and finalised the file
                self.seconds = _length(self.path)


def _length(path: str) -> float:
    try:
        return file_seconds(path)
    except EngineError:
        return 0.0


def checked_format(format: str | None, path: str, formats: tuple[str, ...]) -> str:  # noqa: A002 (as others call it)
    """Return the format of a recording; None goes by the file's ending, and without one is WAV.

    Raises:
        InvalidArgumentsError: It is none of these formats, or of those that can be written.
    """
    if format is not None:
        if not isinstance(format, str) or format not in formats:
            raise InvalidArgumentsError(f"format is {format!r}; it is one of {', '.join(formats)}")
        return format
    ending = PurePath(path).suffix.lower()
    found = _BY_ENDING.get(ending)
    if found in formats:
        return found
    known = ", ".join(name for name, kind in _BY_ENDING.items() if name and kind in formats)
    raise InvalidArgumentsError(
        f"{path!r} would be no {ending} file: record to one of {known}, or give the format"
    )
