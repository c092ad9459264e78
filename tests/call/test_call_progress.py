"""Tones of networks on early media, as events of a call that is not answered yet, with real sound."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox.media.native_engine import driven_media

from .conftest import World

pytestmark = pytest.mark.native

RINGBACK = trivox.ToneSource((440.0, 480.0), ((2.0, 4.0),), level_dbov=-20.0)
BUSY = trivox.ToneSource((480.0, 620.0), ((0.5, 0.5),), level_dbov=-20.0)
URI = "sip:bob@10.0.0.2:5060"


class HeardWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.media = driven_media(seed=b"progress", now=trio.current_time())


async def _tones_before_the_answer(handler, wanted: int) -> list[trivox.ToneDetected]:
    """Call somebody who lets tones be heard; those told before anything is answered."""
    world, told = HeardWorld(), []
    async with world.client() as near, world.client("10.0.0.2") as far:
        async with trio.open_nursery() as nursery:
            await nursery.start(far.serve, handler)
            call = near.create_call(
                URI, trivox.CallSettings(detection=trivox.Detection(tones=True), media="rtp")
            )
            events = call.events(trivox.ToneDetected)
            async with call:
                await call.start()
                async for event in events:
                    assert event.state is trivox.CallState.CONNECTING
                    assert call.has_early_media.value
                    told.append(event)
                    if len(told) == wanted:
                        break
            nursery.cancel_scope.cancel()
    world.media.close()
    return told


async def test_ringback_and_then_busy_are_told_while_the_call_is_not_answered(
    autojump_clock,
) -> None:
    async def network(call: trivox.Call) -> None:
        await call.progress(183)
        with trio.move_on_after(5):
            await call.play(RINGBACK)
        await call.play(BUSY)

    ringback, busy = await _tones_before_the_answer(network, 2)

    assert ringback.tone is trivox.CallTone.RINGBACK
    assert ringback.frequencies == pytest.approx((440.0, 480.0), abs=15)
    assert busy.tone is trivox.CallTone.BUSY
    assert busy.frequencies == pytest.approx((480.0, 620.0), abs=5)


async def test_an_announcement_of_the_network_begins_with_its_three_tones(autojump_clock) -> None:
    async def network(call: trivox.Call) -> None:
        await call.progress(183)
        for hz in (950.0, 1400.0, 1800.0):
            await call.play(trivox.ToneSource((hz,), duration=0.33, level_dbov=-20.0))
        await call.wait_ended()

    (information,) = await _tones_before_the_answer(network, 1)

    assert information.tone is trivox.CallTone.SPECIAL_INFORMATION


async def test_ringing_without_early_media_tells_of_nothing(autojump_clock) -> None:
    world, ringing = HeardWorld(), trio.Event()

    async def silent(call: trivox.Call) -> None:
        await call.progress(180)
        ringing.set()
        await call.wait_ended()

    async with world.client() as near, world.client("10.0.0.2") as far:
        async with trio.open_nursery() as nursery:
            await nursery.start(far.serve, silent)
            call = near.create_call(
                URI, trivox.CallSettings(detection=trivox.Detection(tones=True), media="rtp")
            )
            events = call.events(trivox.ToneDetected, max_waiting=10)
            async with call:
                await call.start()
                await ringing.wait()
                with trio.move_on_after(10) as limit:
                    await anext(events)
                assert limit.cancelled_caught
            nursery.cancel_scope.cancel()
    world.media.close()
