"""Two thousand calls, and a panic in the extension in one of a thousand: exactly those end."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import trio

from trivox.call.events import EndReason
from trivox.call.settings import CallSettings
from trivox.client.opening import open_client
from trivox.errors import EngineError
from trivox.media.native_engine import driven_media
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media

pytestmark = [pytest.mark.native, pytest.mark.slow]

CALLS, AT_ONCE = 2000, 50
STRUCK = (499, 1499)
CALLER, CALLEE = "10.0.0.1", "10.0.0.2"
SETTINGS = CallSettings(media="rtp")


class Run:
    """Two clients in virtual time, with a media engine they share."""

    def __init__(self, media) -> None:
        self._media = media
        self.ends: dict[int, EndReason] = {}
        self.callee_ends: list[EndReason] = []

    async def calls(self, strike, *, talk: float) -> None:
        """Place all calls, some at once; `strike(client, call)` is called in those that are struck."""
        link, media = Link(1, delay=0.002), self._media
        listen = "sip:{}:5060"
        async with (
            open_client(
                listen=[listen.format(CALLER)], engine=media, sockets=link.host(CALLER)
            ) as caller,
            open_client(
                listen=[listen.format(CALLEE)],
                engine=media,
                sockets=link.host(CALLEE),
                call_settings=SETTINGS,
            ) as callee,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(callee.serve, self._serve)
            for first in range(0, CALLS, AT_ONCE):
                async with trio.open_nursery() as group:
                    for number in range(first, first + AT_ONCE):
                        group.start_soon(self._call, caller, number, strike, talk)
            await trio.sleep(100)
            for client in (caller, callee):
                statistics = client.statistics()
                assert (statistics.calls, statistics.tokens) == (0, 0)
                assert statistics.sip.core["transactions"] == 0
                assert statistics.engine["sessions"] == 0
            self.panics = sum(c.statistics().sip.core["panics"] for c in (caller, callee))
            nursery.cancel_scope.cancel()

    async def _call(self, client, number, strike, talk) -> None:
        call = client.create_call(f"sip:bob@{CALLEE}", SETTINGS)
        async with call:
            await call.start()
            await call.wait_connected()
            if number in STRUCK:
                strike(client, call)
            with trio.move_on_after(talk):
                await call.wait_ended()
        self.ends[number] = (await call.wait_ended()).reason

    async def _serve(self, call) -> None:
        await call.answer()
        self.callee_ends.append((await call.wait_ended()).reason)


async def test_a_panic_in_the_engine_ends_its_call_alone(
    autojump_clock, capfd: pytest.CaptureFixture[str]
):
    def strike(client, call) -> None:
        sessions = client._wiring.media.sessions
        with pytest.raises(EngineError, match="fault"):
            sessions.inject_fault(call._leg.session)

    media = driven_media(seed=b"panics", now=trio.current_time())
    run = Run(media)
    await run.calls(strike, talk=0.06)
    media.close()

    struck = {number for number, reason in run.ends.items() if reason is not EndReason.LOCAL_ENDED}
    assert len(run.ends) == len(run.callee_ends) == CALLS
    assert struck == set(STRUCK)
    assert set(run.callee_ends) == {EndReason.REMOTE_ENDED}
    assert capfd.readouterr().err.count("a fault was asked for") == len(STRUCK)


async def test_a_panic_in_the_sip_core_ends_its_call_alone(
    autojump_clock, capfd: pytest.CaptureFixture[str]
):
    def strike(client, call) -> None:
        # The next step is that of the INFO's answer, or of one of another call at that moment.
        client._wiring.endpoint.core.inject_fault(1)
        call.send_info("application/x-note", "now")

    run = Run(fake_media(now=trio.current_time())[0])
    await run.calls(strike, talk=1.0)

    good = {EndReason.LOCAL_ENDED, EndReason.REMOTE_ENDED}
    assert len(run.ends) == CALLS
    assert sum(reason not in good for reason in run.ends.values()) <= len(STRUCK)
    assert run.panics == len(STRUCK)
    assert capfd.readouterr().err.count("a fault was asked for") == len(STRUCK)


def test_the_release_profile_unwinds():
    cargo = Path(__file__).parents[2] / "Cargo.toml"

    profile = tomllib.loads(cargo.read_text())["profile"]["release"]

    assert profile["panic"] == "unwind"
    assert profile["overflow-checks"] is True
