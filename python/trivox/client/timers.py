"""All deadlines of a client's calls in one heap, and the one task that keeps them."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_WITHDRAWN: Final = 1024
"""Withdrawn entries beyond this, if they are the greater part, are swept out."""


@final
class Deadline:
    """One entry of the heap."""

    __slots__ = ("_heap", "act")

    def __init__(self, heap: Timers, act: Callable[[], None]) -> None:
        self._heap = heap
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        """Withdraw it; what it would have done is let go at once."""
        if self.act is not None:
            self.act = None
            self._heap.note_withdrawn()


@final
class Timers:
    """Calls back at given times; a call costs no task and no cancel scope for it."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._withdrawn = 0
        self._scope = trio.CancelScope()

    def __len__(self) -> int:
        """How many deadlines are live."""
        return len(self._entries) - self._withdrawn

    def call_at(self, at: float, act: Callable[[], None]) -> Deadline:
        """Call `act` at that time of Trio's clock."""
        entry = Deadline(self, act)
        heapq.heappush(self._entries, (at, next(self._numbers), entry))
        self._scope.deadline = min(self._scope.deadline, at)
        return entry

    def note_withdrawn(self) -> None:
        """Count a withdrawn entry, and sweep when they are too many."""
        self._withdrawn += 1
        if self._withdrawn > _MOST_WITHDRAWN and self._withdrawn * 2 > len(self._entries):
            self._entries = [entry for entry in self._entries if entry[2].act is not None]
            heapq.heapify(self._entries)
            self._withdrawn = 0

    async def run(self) -> None:
        """Keep the times for ever."""
        while True:
            with trio.CancelScope() as self._scope:
                self._scope.deadline = self._entries[0][0] if self._entries else math.inf
                await trio.sleep_forever()
            self._fire(trio.current_time())

    def _fire(self, now: float) -> None:
        while self._entries and self._entries[0][0] <= now:
            _, _, entry = heapq.heappop(self._entries)
            act, entry.act = entry.act, None
            if act is None:
                self._withdrawn -= 1
            else:
                act()
