"""A recording of a conference, as long as its block lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from trivox.call.recording_file import RecordingFile

if TYPE_CHECKING:
    import os

    from trivox.call.conference import Conference
    from trivox.media.engine import MediaSessions


@final
class RoomRecording(RecordingFile):
    """Made by `Conference.recording`; records while inside `async with`.

    `error` and `lost_blocks` are told by `ConferenceRecordingFailed` and
    `ConferenceRecordingBehind` too.
    """

    def __init__(
        self,
        conference: Conference,
        sessions: MediaSessions,
        path: str | os.PathLike[str],
        format: str | None,  # noqa: A002 (as others call it)
    ) -> None:
        super().__init__(path, format, ("wav", "ogg"))
        self._conference = conference
        self._sessions = sessions

    async def __aenter__(self) -> RoomRecording:
        """Begin. Raises EngineError when the file cannot be created."""
        await trio.lowlevel.checkpoint()  # before: nobody would stop what a cancelled one began
        room = self._conference._open_room()  # noqa: SLF001 (shared by the package)
        number = self._sessions.record_room(room, self.path, self.format)
        self._note_begun(number, self._conference._expect(number))  # noqa: SLF001 (as above)
        return self

    def _stop(self, number: int) -> float:
        room = self._conference._open_room()  # noqa: SLF001 (shared by the package)
        return self._sessions.stop_room_recording(room, number)
