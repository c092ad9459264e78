"""The file of a recording, of a call or a conference: from the program's block to the disk."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import trio

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.errors.checks import checked_path
from trivox.media.native_engine import file_seconds

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from trivox.call.media_leg import Pending

_BY_ENDING: Final[dict[str, str]] = {
    "": "wav",
    ".wav": "wav",
    ".ogg": "ogg",
    ".opus": "ogg",
    ".mkv": "mkv",
    ".ivf": "ivf",
}
DISK_LIMIT: Final = 5.0
"""Seconds leaving waits for the file to be on disk."""


class RecordingFile(ABC):
    """What recordings have in common: how they are named, what they tell, how they end."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        format: str | None,  # noqa: A002 (as others call it)
        formats: tuple[str, ...],
    ) -> None:
        self.path: Final = checked_path(path, "record to")
        self.format: Final = _checked_format(format, self.path, formats)
        self.seconds = 0.0
        """Length of the file, after leaving."""
        self._number: int | None = None
        self._pending: Pending | None = None

    @property
    def error(self) -> str | None:
        """Why the file takes nothing more, as soon as that is known; None while it does."""
        return self._pending.error if self._pending is not None else None

    @property
    def lost_blocks(self) -> int:
        """What is lost to a slow disk, as last told."""
        return self._pending.lost_blocks if self._pending is not None else 0

    @abstractmethod
    def _stop(self, number: int) -> float:
        """Ask the engine for the end; return the length. Raises EngineError if that is past."""

    def _note_begun(self, number: int, pending: Pending) -> None:
        self._number = number
        self._pending = pending
        pending.path = self.path

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
        if not self._pending.is_done:
            # What was recorded may have ended this instant: the event under way says how.
            with contextlib.suppress(EngineError):
                self.seconds = self._stop(self._number)
        if kind is not None:
            return
        with trio.move_on_after(DISK_LIMIT):
            error = await self._pending.wait()
            if error:
                self.seconds = _length(self.path)
                raise EngineError(f"the recording {self.path} failed: {error}")
            if not self.seconds:  # what was recorded ended first, and finalised the file
                self.seconds = _length(self.path)


def _length(path: str) -> float:
    try:
        return file_seconds(path)
    except EngineError:
        return 0.0


def _checked_format(format: str | None, path: str, formats: tuple[str, ...]) -> str:  # noqa: A002 (as others call it)
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
