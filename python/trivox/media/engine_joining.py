"""What joins sessions of an engine with each other, as a call asks for it."""

from __future__ import annotations

from typing import Protocol, TypedDict

LaneFigures = tuple[int, int, int]
"""(packets passed on undecoded, frames of 20 ms transcoded, dropped)."""


class MemberFigures(TypedDict):
    """How a member of a room is heard, and what it hears."""

    gain_db: float
    muted: bool
    deaf: bool
    whispers_to: int | None


class JoiningSessions(Protocol):
    """The part of `MediaSessions` that is about sessions which hear each other."""

    def bridge(self, one: int, other: int) -> int:
        """Let two sessions hear each other and return the bridge's number."""
        ...

    def end_bridge(self, bridge: int) -> None:
        """Part them. An ended bridge is ignored."""
        ...

    def bridge_figures(self, bridge: int) -> tuple[LaneFigures, LaneFigures]:
        """Return what was carried from the first to the second, and back."""
        ...

    def open_room(self) -> int:
        """Open a room and return its number, which its events carry as session."""
        ...

    def close_room(self, room: int) -> None:
        """Close a room; its members are alone again. A closed one is ignored."""
        ...

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
        """Give a session a seat in a room."""
        ...

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
        """Change how a member is heard and what it hears."""
        ...

    def remove_member(self, room: int, session: int) -> None:
        """Take a session out of a room. One that is not there is ignored."""
        ...

    def record_room(self, room: int, path: str, file_format: str = "wav") -> int:
        """Record what is heard in a room and return the recording's number."""
        ...

    def stop_room_recording(self, room: int, recording: int) -> float:
        """Finalise a recording; return its seconds."""
        ...
