"""The m-lines of Chromium: held in every dialect, added, stopped, used again, not bundled."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from tests.media.clips import make_clip

import trivox

from .browser_house import PATIENCE, Handler, house, uri_of
from .test_browser_video import Mirror
from .tones import assert_tone

pytestmark = [
    pytest.mark.interop,
    pytest.mark.far_end("chromium-jssip"),
    pytest.mark.slow,
]

CYCLES = 2


async def _agreed(browser, place: int, direction: str) -> None:
    """Have the page offer a direction for a line, and wait until it is agreed."""
    await browser.call("direct", place, direction)
    with trio.fail_after(PATIENCE):
        assert await browser.call("renegotiate")
    await browser.until("directions", lambda lines: lines[place]["direction"] == direction)


async def _received(call: trivox.Call, packets: int = 25) -> None:
    """Wait until so many packets more have come."""
    wanted = call.statistics().packets_received + packets
    with trio.fail_after(PATIENCE):
        while call.statistics().packets_received < wanted:
            await trio.sleep(0.05)


async def _sends_no_more(call: trivox.Call) -> None:
    """Wait for a second in which nothing was sent."""
    with trio.fail_after(PATIENCE):
        while True:
            before = call.statistics().packets_sent
            await trio.sleep(1)
            if call.statistics().packets_sent == before:
                return


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "inactive"])
async def test_each_direction_the_page_offers_is_agreed_and_comes_back(page, tmp_path, direction):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880, PATIENCE)
        call = handler.call
        for _ in range(CYCLES):
            await _agreed(browser, 0, direction)
            if direction == "recvonly":
                sent = (await browser.call("counters"))["received"]
                await browser.until("counters", lambda now, sent=sent: now["received"] > sent + 25)
            else:
                await _sends_no_more(call)
            if direction == "sendonly":
                await _received(call)

            await _agreed(browser, 0, "sendrecv")
            await _received(call)
            await browser.until("counters", lambda counters: counters["received"] > 25)
        assert call.state.value is trivox.CallState.CONNECTED
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()

    assert handler.end.reason is trivox.EndReason.REMOTE_ENDED


async def test_more_lines_than_we_take_are_refused_in_their_places(page, tmp_path):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880, PATIENCE)
        await browser.call("addLines", 4, 3)
        with trio.fail_after(PATIENCE):
            assert await browser.call("renegotiate")
        ports = await browser.call("ports")
        await _received(handler.call)
        await browser.hears(880, PATIENCE)
        await handler.call.hold()
        await handler.call.hold(False)
        await browser.hears(880, PATIENCE)
        await browser.call("hangup")

    assert len(ports) == 8
    assert ports[0] != 0
    assert ports[1:] == [0] * 7


async def test_a_line_the_page_stops_is_used_again_for_its_next_camera(page):
    mirror = Mirror("VP8")
    events: list[str] = []

    async def handler(call: trivox.Call) -> None:
        call.add_event_listener(trivox.RemoteMediaAdded, lambda _: events.append("added"))
        call.add_event_listener(trivox.RemoteMediaRemoved, lambda _: events.append("removed"))
        await mirror(call)

    async with house(page, handler) as (browser, client, target):
        mirror.client = client
        await browser.call("dial", target, {"video": True})
        await browser.until("pictures", lambda seen: seen["decoded"] >= 10, 60)
        first = events.count("added")
        for cycle in range(1, 1 + CYCLES):
            await browser.call("stopLine", 1)
            with trio.fail_after(PATIENCE):
                assert await browser.call("renegotiate")
                while events.count("removed") < cycle:
                    await trio.sleep(0.05)
            await browser.call("addCamera")
            with trio.fail_after(PATIENCE):
                assert await browser.call("renegotiate")
                while events.count("added") < first + cycle:
                    await trio.sleep(0.05)
            assert len(await browser.call("ports")) == 2
            frames = len(mirror.frames)
        await browser.hears_nothing()
        await browser.call("hangup")

    assert frames > 0


async def test_lines_without_a_bundle_are_seen_and_heard_by_paths_of_their_own(page):
    mirror = Mirror("VP8")
    async with house(page, mirror) as (browser, client, target):
        mirror.client = client
        await browser.call("dial", target, {"video": True, "bundle": False})
        seen = await browser.until("pictures", lambda seen: seen["decoded"] >= 20, 60)
        counted = await browser.until("counters", lambda counters: counters["sent"] > 50)
        await browser.call("hangup")

    assert seen["width"] >= 320
    assert counted["sent"] > 50
    assert len(mirror.frames) >= 10


@pytest.mark.parametrize("bundles", [True, False])
async def test_the_page_sees_what_we_offer_whether_it_bundles_or_not(page, tmp_path, bundles):
    clip = make_clip(tmp_path / "clip.ivf", "VP8")
    async with house(page, None, bundles=bundles) as (browser, client, own):
        source = trivox.VideoFileSource(clip, loop=True)
        video = client.streams.create_video_stream(source)
        settings = trivox.CallSettings(media="webrtc", streams=(video,))
        async with client.dial(uri_of("alice", own), settings) as call:
            seen = await browser.until("pictures", lambda seen: seen["decoded"] >= 30, 60)
            counted = await browser.until("counters", lambda counters: counters["sent"] > 50)
            answer = call._leg.remote_sdp
        await browser.status("ended")

    assert ("BUNDLE" in answer) is bundles
    assert seen["width"] == 160
    assert counted["sent"] > 50


async def test_reports_of_arrivals_let_the_page_send_more(page):
    mirror = Mirror("VP8")
    async with house(page, mirror) as (browser, client, target):
        mirror.client = client
        await browser.call("dial", target, {"video": True})
        allowed = await browser.until("allowed", lambda bitrate: bitrate >= 1_000_000, 60)
        await browser.call("hangup")

    assert allowed >= 1_000_000


@pytest.mark.parametrize("codec", ["opus", "PCMU"])
async def test_digits_come_at_the_clock_of_the_codec(page, tmp_path, codec):
    settings = trivox.CallSettings(audio_codecs=(codec,))
    handler = Handler(tmp_path / "handler.wav", settings=settings)
    async with house(page, handler) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880, PATIENCE)
        await browser.call("dtmf", "19*")
        with trio.fail_after(PATIENCE):
            while len(handler.digits) < 3:
                await trio.sleep(0.05)
        answer = handler.call._leg.local_sdp
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()

    clock = 48000 if codec == "opus" else 8000
    digits = [line for line in answer.splitlines() if "telephone-event" in line]
    assert digits == [digits[0]]
    assert digits[0].endswith(f"telephone-event/{clock}")
    assert handler.digits == "19*"


_HELLO = bytes.fromhex("16fefd0000000000000000003c01000030000000000000003000" + "fefd" + "41" * 46)
_FATAL = bytes.fromhex("15fefd00000000000000000002" + "0228")
_CLOSE = bytes.fromhex("15fefd00010000000000090002" + "0100")
_CHECK = bytes.fromhex("0001000c2112a442" + "07" * 12 + "802a0008" + "ff" * 8)
_RTP = bytes.fromhex("806f0001") + bytes(40)
_BYE = bytes.fromhex("81cb000100000001")


async def _spray(port: int, task_status=trio.TASK_STATUS_IGNORED) -> None:
    """Send what a stranger can make up, about a thousand datagrams a second."""
    # The port is gone with the call.
    with (
        suppress(ConnectionRefusedError),
        trio.socket.socket(type=trio.socket.SOCK_DGRAM) as socket,
    ):
        await socket.connect(("127.0.0.1", port))
        task_status.started()
        while True:
            for data in (_HELLO, _FATAL, _CLOSE, _CHECK, _RTP, _BYE):
                await socket.send(data)
            await trio.sleep(0.006)


async def test_a_stranger_neither_stops_a_call_from_beginning_nor_is_heard(page, tmp_path):
    recording = tmp_path / "ours.wav"
    async with house(page, None, rings=True) as (browser, client, own), trio.open_nursery() as far:
        call = client.create_call(uri_of("alice", own), trivox.CallSettings(media="webrtc"))
        await call.start()
        with trio.fail_after(PATIENCE):
            await call.is_ringing.wait_value(True)
        candidate = next(
            line for line in call._leg.local_sdp.splitlines() if line.startswith("a=candidate")
        )
        await far.start(_spray, int(candidate.split()[5]))
        await browser.call("answer")
        with trio.fail_after(PATIENCE):
            await call.wait_connected()
        async with call.recording(str(recording)), trio.open_nursery() as nursery:
            nursery.start_soon(call.play, trivox.ToneSource((880.0,)))
            await browser.hears(880, PATIENCE)
            await _received(call, 150)
            nursery.cancel_scope.cancel()
        refused = call.statistics().connection
        call.hangup()
        await browser.status("ended")
        far.cancel_scope.cancel()

    assert refused.refused_source > 1000
    assert refused.refused_srtp == 0
    assert_tone(recording, 440, from_s=1.0)
