"""ICE begun anew while Chromium and a handler hear each other, by either side."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio

import trivox

from .browser_house import PATIENCE, Handler, house
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROUNDS = 10
MOST_LOST = 3
"""Packets a restart may cost, either way: 60 ms."""
MOST_LOST_ONCE = 25
"""Packets one may cost where the machine is busy: Chromium waits up to 480 ms for its next check."""


@pytest.fixture(
    params=[
        pytest.param("jssip", marks=pytest.mark.far_end("chromium-jssip")),
        pytest.param("sipjs", marks=pytest.mark.far_end("chromium-sipjs")),
    ]
)
def library(request: pytest.FixtureRequest) -> str:
    """Which library the page uses."""
    return request.param


@dataclass(frozen=True)
class Counted:
    """What each side has received, and what it misses by the sequence numbers of what was sent.

    A sender gives every packet that is due its number, whether it can leave or not, so what is
    missing is what a restart has cost. A clock would measure the machine as well.
    """

    page_received: int
    page_lost: int
    received: int
    lost: int

    @classmethod
    async def now(cls, browser, call: trivox.Call) -> Counted:
        counters = await browser.call("counters")
        own = call.statistics()
        return cls(counters["received"], counters["lost"], own.packets_received, own.packets_lost)


async def _restarted(browser, call: trivox.Call, before: str) -> str:
    """Wait until media travel under new credentials, and return them."""
    path = await browser.until(
        "path",
        lambda path: (
            path["state"] in ("connected", "completed")
            and path["used"] == path["described"] != before
        ),
        PATIENCE,
    )
    with trio.fail_after(PATIENCE):
        while call.statistics().connection.ice_state != "connected":
            await trio.sleep(0.02)
    return path["used"]


async def _goes_on(browser, call: trivox.Call, since: Counted, packets: int = 25) -> Counted:
    """Wait until media has come both ways since then."""
    with trio.fail_after(PATIENCE):
        while True:
            counted = await Counted.now(browser, call)
            if (
                counted.page_received - since.page_received >= packets
                and counted.received - since.received >= packets
            ):
                return counted
            await trio.sleep(0.1)


async def test_twenty_restarts_by_turns_are_not_heard(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav", seconds=600)
    costs: list[tuple[int, int]] = []
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880, PATIENCE)
        began = handler.call.duration
        used = (await browser.call("path"))["used"]
        counted = await _goes_on(browser, handler.call, await Counted.now(browser, handler.call))
        for turn in range(2 * ROUNDS):
            if turn % 2:
                with trio.fail_after(PATIENCE):
                    assert await browser.call("restartIce")
            else:
                with trio.fail_after(PATIENCE):
                    await handler.call.restart_ice()
            used = await _restarted(browser, handler.call, used)
            before = counted
            counted = await _goes_on(browser, handler.call, counted)
            counted = await _goes_on(browser, handler.call, counted)
            costs.append((counted.page_lost - before.page_lost, counted.lost - before.lost))
        state = handler.call.state.value
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()

    print(f"packets lost by restarts, at the page and here: {costs}")
    assert state is trivox.CallState.CONNECTED
    assert len(costs) == 2 * ROUNDS
    worse = sorted(max(cost) for cost in costs)
    assert worse[ROUNDS] <= MOST_LOST, str(costs)
    assert worse[-1] <= MOST_LOST_ONCE, str(costs)
    assert_tone(tmp_path / "handler.wav", 440, from_s=began + 5, seconds=4)
