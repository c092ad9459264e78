"""Calls whose media go through rtpengine, which turns one kind of media into another."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager

import pytest
import trio

import trivox

from .far_ends.baresip import open_baresip
from .far_ends.browser import open_browser
from .far_ends.kamailio import DOMAIN, PASSWORD, open_kamailio
from .far_ends.rtpengine import PORTS, MediaRelay, open_rtpengine
from .test_kamailio import Callee, registered
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.far_end("rtpengine"), pytest.mark.slow]

PATIENCE = 30
CONVERSIONS = [
    ("rtp", "rtp"),
    ("srtp", "rtp"),
    ("rtp", "srtp"),
    ("dtls", "rtp"),
    ("rtp", "dtls"),
    ("webrtc", "rtp"),
    ("rtp", "webrtc"),
    ("webrtc", "srtp"),
    ("srtp", "webrtc"),
    ("webrtc", "webrtc"),
]
MARKS = {"rtp": "", "srtp": "a=crypto", "dtls": "a=fingerprint", "webrtc": "a=ice-ufrag"}


@asynccontextmanager
async def house(run_dir, caller_kind: str, callee_kind: str):
    """rtpengine, and a Kamailio that sends the media of its calls there."""
    async with open_rtpengine(run_dir) as rtpengine:
        relay = MediaRelay(rtpengine, caller_kind, callee_kind)
        async with open_kamailio(run_dir, relay=relay) as kamailio:
            yield rtpengine, kamailio


@asynccontextmanager
async def served(page):
    """The address of the page, which is all the switchboard is for: the browser is Kamailio's."""
    listen = ["sip:127.0.0.1:0;transport=ws"]
    async with trivox.open_switchboard(listen=listen, users={}, pages=page) as board:
        yield f"http://127.0.0.1:{trivox.sip.Uri.parse(str(board.listening_on[0])).port}/index.html"


def assert_relayed(call: trivox.Call, kind: str) -> None:
    """Assert that the far end of our media is the relay, and that they are of that kind."""
    sdp = call._leg.remote_sdp
    port = re.search(r"^m=audio (\d+) ", sdp, re.MULTILINE)
    assert port is not None, sdp
    assert int(port[1]) in PORTS, sdp
    assert MARKS[kind] in sdp, sdp
    for other in {"a=crypto", "a=fingerprint", "a=ice-ufrag"} - {MARKS[kind]}:
        assert other not in sdp or (kind, other) == ("webrtc", "a=fingerprint"), sdp


async def until_received(call: trivox.Call, packets: int) -> None:
    """Wait until the call has received so many packets more."""
    wanted = call.statistics().packets_received + packets
    with trio.fail_after(PATIENCE):
        while call.statistics().packets_received < wanted:
            await trio.sleep(0.05)


@pytest.mark.parametrize(("caller_kind", "callee_kind"), CONVERSIONS)
async def test_tones_come_through_both_ways(run_dir, tmp_path, nursery, caller_kind, callee_kind):
    callee = Callee(tmp_path / "theirs.wav")
    async with (
        house(run_dir, caller_kind, callee_kind) as (rtpengine, kamailio),
        registered(kamailio, "alice", "udp") as alice,
        registered(kamailio, "bob", "udp") as bob,
        trio.open_nursery() as serving,
    ):
        serving.start_soon(bob.serve, callee)
        settings = trivox.CallSettings(media=caller_kind)

        async with alice.dial(f"sip:bob@{DOMAIN}", settings) as call, trio.open_nursery() as plays:
            plays.start_soon(call.play, trivox.ToneSource((440.0,)))
            async with call.recording(str(tmp_path / "ours.wav"), side="received"):
                await until_received(call, 125)
            assert_relayed(call, caller_kind)
            assert_relayed(callee.call, callee_kind)
            await until_received(callee.call, 1)
            relayed = await rtpengine.relayed_packets(call.sip_call_id)
            lost = call.statistics().packets_lost
            plays.cancel_scope.cancel()

        with trio.fail_after(PATIENCE):
            await callee.ended.wait()
        serving.cancel_scope.cancel()

    assert relayed >= 200
    assert lost == 0
    assert callee.end.reason is trivox.EndReason.REMOTE_ENDED
    assert_tone(tmp_path / "ours.wav", 880, from_s=1.0)
    assert_tone(tmp_path / "theirs.wav", 440, from_s=1.0)


@pytest.mark.parametrize(
    ("caller_kind", "callee_kind"), [("srtp", "rtp"), ("webrtc", "rtp"), ("rtp", "webrtc")]
)
async def test_hold_and_resume_by_either_end(run_dir, tmp_path, caller_kind, callee_kind):
    callee = Callee(tmp_path / "theirs.wav")
    async with (
        house(run_dir, caller_kind, callee_kind) as (_, kamailio),
        registered(kamailio, "alice", "udp") as alice,
        registered(kamailio, "bob", "udp") as bob,
        trio.open_nursery() as serving,
    ):
        serving.start_soon(bob.serve, callee)
        settings = trivox.CallSettings(media=caller_kind)

        async with alice.dial(f"sip:bob@{DOMAIN}", settings) as call, trio.open_nursery() as plays:
            plays.start_soon(call.play, trivox.ToneSource((440.0,)))
            await until_received(call, 25)
            for turn, (holder, held) in enumerate([(call, callee.call), (callee.call, call)] * 2):
                with trio.fail_after(PATIENCE):
                    await holder.hold()
                    await held.is_remotely_held.wait_value(True)
                    await holder.hold(False)
                    await held.is_remotely_held.wait_value(False)
                async with held.recording(str(tmp_path / f"held{turn}.wav"), side="received"):
                    await until_received(held, 75)
            assert_relayed(call, caller_kind)
            assert_relayed(callee.call, callee_kind)
            plays.cancel_scope.cancel()

        with trio.fail_after(PATIENCE):
            await callee.ended.wait()
        serving.cancel_scope.cancel()

    for turn in range(4):
        tone_hz = 880 if turn % 2 else 440
        assert_tone(tmp_path / f"held{turn}.wav", tone_hz, from_s=0.4, seconds=0.9)


@pytest.mark.parametrize("caller_kind", ["srtp", "dtls", "webrtc"])
async def test_a_phone_with_plain_rtp_is_called(run_dir, tmp_path, caller_kind):
    async with (
        open_baresip(run_dir, tone_hz=600) as baresip,
        house(run_dir, caller_kind, "rtp") as (rtpengine, kamailio),
        registered(kamailio, "alice", "udp") as alice,
    ):
        await kamailio.locate("phone", baresip.uri)
        settings = trivox.CallSettings(media=caller_kind)

        async with alice.dial(f"sip:phone@{DOMAIN}", settings) as call:
            async with trio.open_nursery() as plays, call.recording(str(tmp_path / "ours.wav")):
                plays.start_soon(call.play, trivox.ToneSource((880.0,)))
                await until_received(call, 150)
                plays.cancel_scope.cancel()
            await call.send_dtmf("42").wait()
            await baresip.until(lambda event: event.get("param") == "2")
            assert_relayed(call, caller_kind)
            assert await rtpengine.relayed_packets(call.sip_call_id) >= 200
        await baresip.event("CALL_CLOSED")

        digits = [e["param"] for e in baresip.events if e.get("type") == "CALL_DTMF_START"]
        assert digits == ["4", "2"]
        assert_tone(tmp_path / "ours.wav", 600, from_s=1.0)
        assert_tone(baresip.heard(), 880, from_s=1.0)


@pytest.mark.parametrize("callee_kind", ["rtp", "srtp"])
async def test_a_browser_calls_a_handler_without_ice(page, run_dir, tmp_path, callee_kind):
    callee = Callee(tmp_path / "theirs.wav")
    async with (
        served(page) as address,
        house(run_dir, "webrtc", callee_kind) as (_, kamailio),
        registered(kamailio, "bob", "udp") as bob,
        open_browser(address) as browser,
        trio.open_nursery() as serving,
    ):
        serving.start_soon(bob.serve, callee)
        ws = f"ws://127.0.0.1:{kamailio.ports['ws']}"
        await browser.register(ws=ws, uri=f"sip:alice@{DOMAIN}", password=PASSWORD)

        await browser.call("dial", f"sip:bob@{DOMAIN}")
        await browser.hears(880, PATIENCE)
        await until_received(callee.call, 100)
        assert_relayed(callee.call, callee_kind)
        assert await browser.call("hold")
        with trio.fail_after(PATIENCE):
            await callee.call.is_remotely_held.wait_value(True)
        assert await browser.call("unhold")
        with trio.fail_after(PATIENCE):
            await callee.call.is_remotely_held.wait_value(False)
        await until_received(callee.call, 50)
        await browser.call("hangup")

        with trio.fail_after(PATIENCE):
            await callee.ended.wait()
        serving.cancel_scope.cancel()

    assert callee.end.reason is trivox.EndReason.REMOTE_ENDED
    assert_tone(tmp_path / "theirs.wav", 440, from_s=1.0)
