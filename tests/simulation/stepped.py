"""A Trio program that goes on only when it is told to, and whose clock stands still otherwise."""

from __future__ import annotations

import math
import queue
from typing import TYPE_CHECKING

import trio
import trio.testing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from outcome import Outcome

SMALLEST = 1e-6
STUCK = 60.0
"""Real seconds after which a step is given up."""


class Stepped:
    """Runs an async function beside a caller that has no loop (Trio's guest mode).

    Args:
        main: Called with a receive channel of async functions to await, one after the other.
    """

    def __init__(self, main: Callable[[trio.MemoryReceiveChannel], Awaitable[None]]) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._send, receive = trio.open_memory_channel[object](math.inf)
        self._outcome: Outcome[None] | None = None
        self._clock = trio.testing.MockClock()
        trio.lowlevel.start_guest_run(
            main,
            receive,
            run_sync_soon_threadsafe=self._calls.put,
            done_callback=self._finish,
            clock=self._clock,
        )

    def _finish(self, outcome: Outcome[None]) -> None:
        self._outcome = outcome

    def do(self, action: Callable[[], Awaitable[object]]) -> None:
        """Await something in the program, and then all that follows without time passing."""
        done: list[bool] = []

        async def step() -> None:
            try:
                await action()
                await trio.testing.wait_all_tasks_blocked()
            finally:
                done.append(True)

        self._send.send_nowait(step)
        while not done and self._outcome is None:
            self._calls.get(timeout=STUCK)()
        if self._outcome is not None:
            self._outcome.unwrap()

    def advance(self, seconds: float) -> None:
        """Let time pass: from one deadline to the next."""
        rest = [seconds]

        async def jump() -> None:
            waits = trio.lowlevel.current_statistics().seconds_to_next_deadline
            # A little at least: the sum of many deadlines may stop short of the last.
            step = min(rest[0], max(waits, SMALLEST))
            rest[0] -= step
            self._clock.jump(step)

        while rest[0] > 0.0:
            self.do(jump)

    def close(self) -> None:
        """End the program and raise what it raised."""
        self._send.close()
        while self._outcome is None:
            self._calls.get(timeout=STUCK)()
        self._outcome.unwrap()
