"""Sessions of a FakeEngine that hear each other: who is joined with whom, no samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.errors import EngineError
from trivox.testing.fake_session import find

if TYPE_CHECKING:
    import itertools

    from trivox.media.engine_joining import LaneFigures
    from trivox.testing.fake_session import FakeSession

_JOINED = "the session is in a bridge or a room: it must leave that first"


class FakeJoining:
    """The part of a FakeEngine that joins sessions."""

    _sessions: dict[int, FakeSession]
    _numbers: itertools.count[int]
    _bridges: dict[int, tuple[int, int]]

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
        if session in joined:
            raise EngineError(_JOINED)

    def _joined_counts(self) -> dict[str, int]:
        return {"bridges": len(self._bridges)}
