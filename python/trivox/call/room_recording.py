"""A recording of a conference, as long as its block lasts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call.recording import DISK_LIMIT, checked_format
from trivox.errors import EngineError
from trivox.errors.checks import checked_path

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from trivox.call.conference import Conference
    from trivox.call.media_leg import Pending
    from trivox.media.engine import MediaSessions


@final
class RoomRecording:
    """Made by `Conference.recording`; records while inside `async with`."""

    def __init__(
        self,
        conference: Conference,
        sessions: MediaSessions,
        path: str | os.PathLike[str],
        format: str | None,  # noqa: A002 (as others call it)
    ) -> None:
        self.path: Final = checked_path(path, "record to")
        self.format: Final = checked_format(format, self.path, ("wav", "ogg"))
        self.seconds = 0.0
        """Length of the file, after leaving."""
        self._conference = conference
        self._sessions = sessions
        self._number: int | None = None
        self._pending: Pending | None = None

    async def __aenter__(self) -> RoomRecording:
        """Begin. Raises EngineError when the file cannot be created."""
        await trio.lowlevel.checkpoint()  # before: nobody would stop what a cancelled one began
        room = self._conference._open_room()  # noqa: SLF001 (shared by the package)
        self._number = self._sessions.record_room(room, self.path, self.format)
        self._pending = self._conference._expect(self._number)  # noqa: SLF001 (as above)
        self._pending.path = self.path
        return self

    @property
    def error(self) -> str | None:
        """Why the file takes nothing more; None while it does."""
        return self._pending.error if self._pending is not None else None

    @property
    def lost_blocks(self) -> int:
        """What is lost to a slow disk, as `ConferenceRecordingBehind` last told."""
        return self._pending.lost_blocks if self._pending is not None else 0

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
        # The conference may have ended first, and the file with it.
        with contextlib.suppress(EngineError):
            room = self._conference._open_room()  # noqa: SLF001 (shared by the package)
            self.seconds = self._sessions.stop_room_recording(room, self._number)
        if kind is not None:
            return
        with trio.move_on_after(DISK_LIMIT):
            error = await self._pending.wait()
            if error:
                raise EngineError(f"the recording {self.path} failed: {error}")
