"""ICE begun anew while Chromium and a handler hear each other, by either side."""

from __future__ import annotations

import pytest
import trio

import trivox

from .browser_house import Handler, house
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROUNDS = 10
MOST_MISSED = 3
"""Packets a restart may cost: 60 ms."""


@pytest.fixture(
    params=[
        pytest.param("jssip", marks=pytest.mark.far_end("chromium-jssip")),
        pytest.param("sipjs", marks=pytest.mark.far_end("chromium-sipjs")),
    ]
)
def library(request: pytest.FixtureRequest) -> str:
    """Which library the page uses."""
    return request.param


async def test_twenty_restarts_by_turns_are_not_heard(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        await trio.sleep(1)
        before = await browser.call("counters")
        began = handler.call.duration
        for _ in range(ROUNDS):
            with trio.fail_after(10):
                await handler.call.restart_ice()
            await trio.sleep(0.5)
            await browser.call("restartIce")
            await trio.sleep(0.5)
        after = await browser.call("counters")
        history = handler.call.statistics_history()
        lost = handler.call.statistics().packets_lost
        state = handler.call.state.value
        await browser.call("hangup")
        with trio.fail_after(5):
            await handler.ended.wait()

    during = [sample for sample in history if sample.at > began + 1]
    assert state is trivox.CallState.CONNECTED
    assert len(during) >= ROUNDS
    missed = 50 * len(during) - sum(sample.packets for sample in during)
    # JsSIP loses none; SIP.js takes its track anew for each re-INVITE.
    assert max(missed, lost) <= 2 * ROUNDS * MOST_MISSED
    assert after["lost"] == before["lost"]
    assert after["received"] - before["received"] >= 2 * ROUNDS * 24
    assert_tone(tmp_path / "handler.wav", 440, from_s=began + 5, seconds=4)
