"""Chromium with JsSIP, registered at the embedded switchboard, talks to a Python handler."""

from __future__ import annotations

import pytest
import trio

import trivox

from .browser_house import PATIENCE, Handler, house, uri_of
from .tones import assert_tone

pytestmark = [
    pytest.mark.interop,
    pytest.mark.far_end("chromium-jssip"),
    pytest.mark.slow,
]


async def test_page_and_handler_hear_each_other_without_concealed_audio(page, tmp_path):
    handler = Handler(tmp_path / "handler.wav", seconds=600)
    async with house(page, handler) as (browser, _, target):
        await browser.call("dial", target)
        await browser.status("connected")
        await browser.hears(880)
        await _hears_three_seconds_whole(browser)
        # RTCP both ways: each side's reports gave the other a round trip (RFC 3550 §6.4.1).
        await browser.until("counters", lambda counters: counters["roundTrip"] > 0)
        with trio.fail_after(PATIENCE):
            while (round_trip := handler.call.statistics().round_trip) is None:
                await trio.sleep(0.1)
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()

    assert 0 < round_trip < 5
    assert handler.end.reason is trivox.EndReason.REMOTE_ENDED
    assert_tone(tmp_path / "handler.wav", 440, from_s=1.5)


async def _hears_three_seconds_whole(browser) -> None:
    """Wait for three seconds in a row of which the page has neither missed nor made up anything.

    A machine that is busy elsewhere spoils one stretch or another; a fault of ours spoils all.
    """
    begun = await browser.call("counters")
    with trio.fail_after(2 * PATIENCE):
        while True:
            now = await browser.call("counters")
            if now["samples"] - begun["samples"] >= 3 * 48_000:
                break
            if now["concealed"] != begun["concealed"] or now["lost"] != begun["lost"]:
                begun = now
            await trio.sleep(0.1)
    assert now["received"] - begun["received"] >= 140


async def test_handler_hangs_up_and_the_page_sees_it(page, tmp_path):
    handler = Handler(tmp_path / "handler.wav", seconds=1.5)
    async with house(page, handler) as (browser, _, target):
        await browser.call("dial", target)
        await browser.status("connected")
        await browser.status("ended")

        assert handler.end.reason is trivox.EndReason.LOCAL_ENDED


async def test_digits_of_the_page_arrive_once_each(page, tmp_path):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler) as (browser, _, target):
        await browser.call("dial", target)
        await browser.status("connected")
        await browser.hears(880)
        await browser.call("dtmf", "42#")
        with trio.fail_after(PATIENCE):
            while len(handler.digits) < 3:
                await trio.sleep(0.05)
        await trio.sleep(0.5)

        assert handler.digits == "42#"


async def test_mute_on_either_side_is_heard_as_silence(page, tmp_path):
    calls: list[trivox.Call] = []

    async def handler(call: trivox.Call) -> None:
        calls.append(call)
        async with call:
            await call.answer()
            async with call.cancel_on_end(), call.recording(str(tmp_path / "handler.wav")):
                await call.play(trivox.ToneSource((880.0,)))

    async with house(page, handler) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        calls[0].mute_microphone()
        await browser.hears_nothing()
        calls[0].unmute_microphone()
        await browser.hears(880)
        await browser.call("mute")
        with trio.fail_after(PATIENCE):
            while calls[0].statistics().level_received_dbov >= -60:
                await trio.sleep(0.05)
        await browser.call("hangup")


async def test_handler_calls_the_page_and_both_hear_each_other(page, tmp_path):
    recording = tmp_path / "ours.wav"
    async with house(page, None) as (browser, client, own):
        settings = trivox.CallSettings(media="webrtc")
        async with client.dial(uri_of("alice", own), settings) as call:
            async with call.recording(str(recording)):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(call.play, trivox.ToneSource((880.0,)))
                    await browser.hears(880)
                    await trio.sleep(2)
                    nursery.cancel_scope.cancel()
        await browser.status("ended")

    assert_tone(recording, 440, from_s=1.0)


async def test_missing_candidates_and_local_names_do_not_break_a_call(page, tmp_path):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, "--enable-features=WebRtcHideLocalIpsWithMdns") as (
        browser,
        _,
        target,
    ):
        await browser.call("dial", target, {"stripCandidates": True})
        await browser.status("connected")
        await browser.hears(880)
        await browser.call("hangup")
        await browser.status("ended")
        await browser.call("dial", target)
        await browser.status("connected")
        await browser.hears(880)
        await browser.call("hangup")
