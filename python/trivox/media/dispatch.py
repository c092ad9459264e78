"""Engine events ⇄ the calls they belong to: drained in slices, by session number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.media.engine import EngineEvent, EngineEventSink

SLICE: Final = 500
"""Events handed out between two checkpoints, so that a burst does not starve timers."""


@final
class Dispatcher:
    """Gives each engine event to the sink of its session. Events without a sink are dropped."""

    def __init__(self, drain: Callable[[int], list[EngineEvent]]) -> None:
        self._drain: Final = drain
        self._sinks: Final[dict[int, EngineEventSink]] = {}

    def attach(self, session: int, sink: EngineEventSink) -> None:
        """Give the events of a session to `sink` from now on."""
        self._sinks[session] = sink

    def detach(self, session: int) -> None:
        """Drop what still comes for a session. Unknown sessions are ignored."""
        self._sinks.pop(session, None)

    async def drain(self) -> None:
        """Hand out all that waits, with a checkpoint after each full slice."""
        while True:
            events = self._drain(SLICE)
            for session, kind, number, text in events:
                sink = self._sinks.get(session)
                if sink is not None:
                    sink.handle_engine_event(kind, number, text)
            if len(events) < SLICE:
                return
            await trio.lowlevel.checkpoint()
