"""Hundreds of calls cancelled anywhere, on real sockets with the real engine: nothing is left."""

from __future__ import annotations

import random
import threading

import pytest
import trio

from trivox.client.opening import open_client
from trivox.errors import CallError

from .stage import open_descriptors

pytestmark = [pytest.mark.slow, pytest.mark.native]
CALLS = 300
AT_ONCE = 25
LIVE = ("sessions", "sockets", "playbacks", "recordings", "ports")


def left(client) -> dict[str, int]:
    """Return what of a client is alive."""
    figures = client.statistics()
    core = {name: figures.sip.core[name] for name in ("transactions", "dialogs", "timers")}
    engine = {name: figures.engine[name] for name in LIVE}
    return core | engine | {"calls": figures.calls, "tokens": figures.tokens, "of": figures.timers}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_calls_cancelled_anywhere_leave_nothing(mock_clock, transport):
    descriptors, threads = open_descriptors(), threading.active_count()

    outcomes = await _cancel_many(mock_clock, transport)

    assert {"cancelled", "raised"} <= outcomes
    assert open_descriptors() == descriptors
    assert threading.active_count() <= threads + 1  # a worker that Trio keeps for later


async def _cancel_many(mock_clock, transport: str) -> set[str]:
    """Place all calls, wait until all is quiet, and return how they ended."""
    mock_clock.rate = 1.0
    draw = random.Random(transport)
    listen = [f"sip:127.0.0.1:0;transport={transport}"]
    outcomes: set[str] = set()

    async def answer(call) -> None:
        await trio.sleep(draw.uniform(0.0, 0.03))
        await call.answer()
        await call.wait_connected()
        await trio.sleep(draw.uniform(0.0, 0.05))

    async def place(caller, uri: str, limiter: trio.CapacityLimiter) -> None:
        async with limiter:
            call = caller.create_call(uri)
            with trio.move_on_after(draw.choice((0.0, draw.uniform(0.0, 0.1), 5.0))) as scope:
                try:
                    async with call:
                        await call.start()
                        await call.wait_connected()
                        await call.wait_ended()
                        call.send_message("too late")
                except CallError:
                    outcomes.add("raised")
            outcomes.add("cancelled" if scope.cancelled_caught else "ended")

    async with (
        open_client(listen=listen) as callee,
        open_client(listen=listen) as caller,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, answer)
        limiter = trio.CapacityLimiter(AT_ONCE)
        base = left(callee), left(caller)
        for calls in (1, CALLS):  # the first one opens the connection that all others use
            tasks = trio.lowlevel.current_statistics().tasks_living
            async with trio.open_nursery() as placing:
                for _ in range(calls):
                    placing.start_soon(place, caller, callee.listening_on[0], limiter)
            mock_clock.rate = 60.0
            with trio.move_on_after(300):
                while (left(callee), left(caller)) != base:
                    await trio.sleep(2)
            mock_clock.rate = 1.0

        assert (left(callee), left(caller)) == base
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        nursery.cancel_scope.cancel()
    return outcomes
