"""What may be cancelled in a simulated world: handlers, dials, and each single wait of theirs."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator


class Perils:
    """Knows what is open; some of it is cancelled now and then."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._open: dict[int, tuple[str, trio.CancelScope]] = {}
        self.happened: Counter[str] = Counter()
        """What was cancelled, by its kind."""
        self.doomed = 0.0
        """Share of the single waits that are cancelled where they begin: at their first checkpoint."""
        self.draw: random.Random | None = None

    @contextmanager
    def risk(self, kind: str) -> Iterator[trio.CancelScope]:
        """Run a body that may be cancelled at any time; it is left quietly then."""
        number = next(self._numbers)
        with trio.CancelScope() as scope:
            self._open[number] = kind, scope
            try:
                yield scope
            finally:
                del self._open[number]

    async def run(self, kind: str, function: Callable[[], Awaitable[object]]) -> bool:
        """Wait for something that may be cancelled; return whether it was not."""
        with self.risk(kind) as scope:
            if self.draw is not None and self.draw.random() < self.doomed:
                scope.cancel()
                self.happened[f"cancelled {kind}"] += 1
            await function()
        return not scope.cancelled_caught

    def strike(self, draw: random.Random) -> None:
        """Cancel one of what is open: first a kind is drawn, so that rare ones are hit too."""
        kinds = sorted({kind for kind, scope in self._open.values() if not scope.cancel_called})
        if not kinds:
            return
        wanted = draw.choice(kinds)
        scopes = [
            scope
            for kind, scope in self._open.values()
            if kind == wanted and not scope.cancel_called
        ]
        draw.choice(scopes).cancel()
        self.happened[f"cancelled {wanted}"] += 1
