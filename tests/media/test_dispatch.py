"""Engine events reach the sink of their session, in slices."""

from __future__ import annotations

import trio

from trivox.media.dispatch import SLICE, Dispatcher


class Counting:
    def __init__(self) -> None:
        self.numbers: list[float] = []

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        self.numbers.append(number)


async def test_a_burst_leaves_room_for_other_tasks() -> None:
    waiting = [(1, 4, float(number), "") for number in range(3 * SLICE + 1)]
    turns = []

    def drain(limit: int) -> list[tuple[int, int, float, str]]:
        taken = waiting[:limit]
        del waiting[:limit]
        return taken

    async def other() -> None:
        while waiting:
            turns.append(len(waiting))
            await trio.lowlevel.checkpoint()

    dispatcher, sink = Dispatcher(drain), Counting()
    dispatcher.attach(1, sink)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        nursery.start_soon(dispatcher.drain)

    assert sink.numbers == list(range(3 * SLICE + 1))
    assert len(turns) >= 3


async def test_events_of_unknown_sessions_are_dropped() -> None:
    events = [(1, 4, 0.0, ""), (2, 4, 1.0, "")]
    dispatcher, sink = Dispatcher(lambda _: [events.pop()] if events else []), Counting()
    dispatcher.attach(2, sink)
    dispatcher.attach(1, sink)
    dispatcher.detach(1)
    dispatcher.detach(7)

    await dispatcher.drain()
    await dispatcher.drain()

    assert sink.numbers == [1.0]
