"""Looks into every queue of the programs, again and again: none may grow beyond its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from trivox.net import outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stage import Stage

PACE = 0.25
"""Seconds between two looks."""
ENGINE_EVENTS = 65_536
ACCEPTED = 4096


class Gauge:
    """Remembers the most that was seen in each queue."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.most: dict[str, tuple[int, int]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for name, size, limit in self._look():
                self.most[name] = (max(size, self.most.get(name, (0, 0))[0]), limit)
            await trio.sleep(PACE)

    def _look(self) -> Iterator[tuple[str, int, int]]:
        stage = self._stage
        # A call is two owners at most: itself, and late answers of its other branches.
        calls = 2 * stage.shape.calls + 100
        for name, client in stage.clients.items():
            statistics = client.statistics()
            yield f"{name} tokens", statistics.tokens, calls
            yield f"{name} timers", statistics.timers, 4 * calls
            yield from _endpoint(name, client._wiring.endpoint)
        for name, board in stage.boards.items():
            yield f"{name} requests", board.statistics().requests, 20 * calls
            yield from _endpoint(name, board._endpoint)
        yield "engine events", stage.engine.counts()["events_waiting"], ENGINE_EVENTS


def _endpoint(name: str, endpoint) -> Iterator[tuple[str, int, int]]:
    flows = endpoint._flows
    for flow in flows._connections.values():
        waiting = flow.wire.outbox
        yield f"{name} messages to write", len(waiting._waiting), outbox.MESSAGES
        yield f"{name} bytes to write", waiting._size, outbox.BYTES
    yield f"{name} accepted connections", flows._accepted_total, ACCEPTED
