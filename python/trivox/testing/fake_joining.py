"""Sessions of a FakeEngine that hear each other: who is joined with whom, no samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.testing.fake_core import FakeCore
from trivox.testing.fake_session import find, write_silence

if TYPE_CHECKING:
    from trivox.media.engine_joining import LaneFigures

_JOINED = "the session is in a bridge or a room: it must leave that first"


@dataclass(slots=True)
class FakeRoom:
    """Who is in a room, by session, and its recordings."""

    members: dict[int, tuple[float, bool, bool, int | None]] = field(default_factory=dict)
    recordings: dict[int, tuple[str, float]] = field(default_factory=dict)


class FakeJoining(FakeCore):
    """The part of a FakeEngine that joins sessions."""

    _bridges: dict[int, tuple[int, int]]
    _rooms: dict[int, FakeRoom]

    def open_room(self) -> int:
        """Open a room."""
        number = next(self._numbers)
        self._rooms[number] = FakeRoom()
        return number

    def close_room(self, room: int) -> None:
        """Close a room, and the files of its recordings. A closed one is ignored."""
        own = self._rooms.get(room)
        if own is not None:
            for recording in tuple(own.recordings):
                self.stop_room_recording(room, recording)
            del self._rooms[room]

    def add_member(
        self,
        room: int,
        session: int,
        *,
        gain_db: float,
        muted: bool,
        deaf: bool,
        whispers_to: int | None,
    ) -> None:
        """Give a session a seat."""
        own = find(self._rooms, room, "room")
        find(self._sessions, session, "session")
        self._refuse_joined(session)
        check_gain(gain_db)
        own.members[session] = (gain_db, muted, deaf, whispers_to)

    def set_member(
        self,
        room: int,
        session: int,
        *,
        gain_db: float,
        muted: bool,
        deaf: bool,
        whispers_to: int | None,
    ) -> None:
        """Change a member."""
        own = find(self._rooms, room, "room")
        find(own.members, session, "member")
        check_gain(gain_db)
        own.members[session] = (gain_db, muted, deaf, whispers_to)

    def remove_member(self, room: int, session: int) -> None:
        """Take a session out. One that is not there is ignored."""
        if room in self._rooms:
            self._rooms[room].members.pop(session, None)

    def record_room(self, room: int, path: str, file_format: str = "wav") -> int:
        """Start a recording; its file holds silence, as WAV, when it is stopped."""
        own = find(self._rooms, room, "room")
        if file_format not in {"wav", "ogg"}:
            raise InvalidArgumentsError('the format of a recording is "wav" or "ogg"')
        if not Path(path).parent.is_dir():
            raise EngineError(f"cannot record to {path}: no such folder")
        number = next(self._numbers)
        own.recordings[number] = (path, self._now)
        return number

    def stop_room_recording(self, room: int, recording: int) -> float:
        """Write the file and return its seconds."""
        own = find(self._rooms, room, "room")
        path, started = find(own.recordings, recording, "recording")
        del own.recordings[recording]
        write_silence(path, "received", self._now - started)
        self._emit_room(room, EngineEventKind.RECORDING_ENDED, recording)
        return self._now - started

    def speak(self, room: int, session: int) -> None:
        """Let a member of a room be its active speaker; 0: nobody."""
        self._emit_room(room, EngineEventKind.ACTIVE_SPEAKER, session)

    def bridge(self, one: int, other: int) -> int:
        """Join two sessions."""
        for session in (other, one):
            find(self._sessions, session, "session")
        for session in (one, other):
            self._refuse_joined(session)
        number = next(self._numbers)
        self._bridges[number] = (one, other)
        return number

    def end_bridge(self, bridge: int) -> None:
        """Part two sessions. An ended bridge is ignored."""
        self._bridges.pop(bridge, None)

    def bridge_figures(self, bridge: int) -> tuple[LaneFigures, LaneFigures]:
        """Return that nothing was carried."""
        find(self._bridges, bridge, "bridge")
        return (0, 0, 0), (0, 0, 0)

    def _refuse_joined(self, session: int) -> None:
        joined = {
            one
            for pair in self._bridges.values()
            if all(each in self._sessions for each in pair)
            for one in pair
        }
        if session in joined or any(session in room.members for room in self._rooms.values()):
            raise EngineError(_JOINED)

    def _joined_counts(self) -> dict[str, int]:
        seats = [each for room in self._rooms.values() for each in room.members]
        return {
            "bridges": len(self._bridges),
            "rooms": len(self._rooms),
            "members": sum(each in self._sessions for each in seats),
            "frames_dropped": 0,
        }


def check_gain(gain_db: float) -> None:
    """Raise InvalidArgumentsError for a gain out of range."""
    if not -60 <= gain_db <= 30:
        raise InvalidArgumentsError("the gain of a member is -60 to 30 dB")
