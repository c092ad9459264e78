"""What the parts of a FakeEngine share: its sessions, its clock, and the events it tells of."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from trivox.testing.fake_session import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.media.engine import EngineEvent, EngineEventKind
    from trivox.testing.fake_session import FakeSession


class FakeCore:
    """Sessions by number, what is due, and events that wait to be drained."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._sessions: dict[int, FakeSession] = {}
        self._events: list[EngineEvent] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def drain(self, limit: int) -> list[EngineEvent]:
        """Take up to `limit` events."""
        taken, self._events = self._events[:limit], self._events[limit:]
        return taken

    def next_deadline(self) -> float | None:
        """Return when something happens next, or None."""
        if self._events:
            return self._now
        return self._due[0][0] if self._due else None

    def advance(self, now: float) -> None:
        """Let happen what is due by `now`, in order."""
        while self._due and self._due[0][0] <= now:
            moment, _, action = heapq.heappop(self._due)
            self._now = max(self._now, moment)
            action()
        self._now = max(self._now, now)

    def _session(self, number: int) -> FakeSession:
        return find(self._sessions, number, "session")

    def _emit(
        self, session: int, kind: EngineEventKind, number: float = 0.0, text: str = ""
    ) -> None:
        if session in self._sessions:
            self._events.append((session, int(kind), float(number), text))

    def _emit_room(self, room: int, kind: EngineEventKind, number: float) -> None:
        self._events.append((room, int(kind), float(number), ""))

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._order), action))
