"""What joins sessions of an engine with each other, as a call asks for it."""

from __future__ import annotations

from typing import Protocol

LaneFigures = tuple[int, int, int]
"""(packets passed on undecoded, frames of 20 ms transcoded, dropped)."""


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
