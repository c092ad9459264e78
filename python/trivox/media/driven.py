"""An engine in virtual time, run by one Trio task: for tests, under a MockClock."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final, cast, final

import trio

from trivox.media.dispatch import Dispatcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.media.engine import EngineEventSink, MediaSessions, SteppedEngine


@final
class DrivenMedia:
    """Steps an engine by Trio's clock and hands out its events.

    The task sleeps until the engine's next deadline, or until a command moves it, advances the
    engine to Trio's time, drains, and starts again. No thread, no socket: with Trio's scheduling
    made deterministic a run repeats exactly.

    Several clients of one test share one: the sessions of an engine reach each other only.
    """

    def __init__(self, engine: SteppedEngine) -> None:
        self._engine: Final = engine
        self._dispatcher: Final = Dispatcher(engine.drain)
        self._moved = trio.Event()
        self.sessions: Final = cast("MediaSessions", _Watched(engine, self._wake))
        """The engine's sessions; a command on them wakes the task."""
        self._is_closed = False
        self._turn: Final = trio.Lock()

    @property
    def engine(self) -> SteppedEngine:
        """The engine itself, for what only tests ask of it (`set_link`)."""
        return self._engine

    def attach(self, session: int, sink: EngineEventSink) -> None:
        """Give the events of a session to `sink` from now on."""
        self._dispatcher.attach(session, sink)

    def detach(self, session: int) -> None:
        """Drop what still comes for a session."""
        self._dispatcher.detach(session)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Step the engine for ever. A second client's task waits for its turn: one is enough."""
        task_status.started()
        async with self._turn:
            while True:
                self._moved = trio.Event()
                self._engine.advance(trio.current_time())
                await self._dispatcher.drain()
                deadline = self._engine.next_deadline()
                with trio.move_on_at(math.inf if deadline is None else deadline):
                    await self._moved.wait()

    def close(self) -> None:
        """Close all sessions. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._engine.close()

    def _wake(self) -> None:
        self._moved.set()


class _Watched:
    """The commands of an engine, each followed by a wake-up of the task that steps it."""

    def __init__(self, engine: SteppedEngine, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._wake = wake

    def __getattr__(self, name: str) -> object:
        method = getattr(self._engine, name)
        watched = partial(self._call, method)
        setattr(self, name, watched)
        return watched

    def _call(self, method: Callable[..., object], *args: object, **keywords: object) -> object:
        # A command happens at Trio's now, not at the last step's: first come up to it.
        self._engine.advance(trio.current_time())
        try:
            return method(*args, **keywords)
        finally:
            self._wake()
