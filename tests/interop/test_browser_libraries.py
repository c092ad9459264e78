"""The same calls with both browser libraries: JsSIP and SIP.js in Chromium."""

from __future__ import annotations

import pytest
import trio

import trivox

from .browser_house import PATIENCE, Handler, house, uri_of
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.slow]

WEBRTC = trivox.CallSettings(media="webrtc")


@pytest.fixture(
    params=[
        pytest.param("jssip", marks=pytest.mark.far_end("chromium-jssip")),
        pytest.param("sipjs", marks=pytest.mark.far_end("chromium-sipjs")),
    ]
)
def library(request: pytest.FixtureRequest) -> str:
    """Which library the page uses."""
    return request.param


async def test_the_page_calls_and_both_hear_each_other(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.status("connected")
        await browser.hears(880)
        await trio.sleep(2)
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()

    assert handler.end.reason is trivox.EndReason.REMOTE_ENDED
    assert_tone(tmp_path / "handler.wav", 440, from_s=1.0)


async def test_the_page_is_called_and_both_hear_each_other(page, tmp_path, library):
    recording = tmp_path / "ours.wav"
    async with house(page, None, library=library) as (browser, client, own):
        async with client.dial(uri_of("alice", own), WEBRTC) as call:
            async with call.recording(str(recording)), trio.open_nursery() as nursery:
                nursery.start_soon(call.play, trivox.ToneSource((880.0,)))
                await browser.hears(880)
                await trio.sleep(2)
                nursery.cancel_scope.cancel()
        await browser.status("ended")

    assert_tone(recording, 440, from_s=1.0)


async def test_all_local_addresses_of_both_sides_do_not_break_a_call(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    wildcard = ("sip:0.0.0.0:0;transport=udp",)
    async with house(page, handler, listen=wildcard, library=library) as (browser, client, target):
        await browser.call("dial", target)
        await browser.hears(880)
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()
        async with client.dial(uri_of("alice", target), WEBRTC) as call:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call.play, trivox.ToneSource((880.0,)))
                await browser.hears(880)
                await _hears(call, -40, above=True)
                nursery.cancel_scope.cancel()


async def test_the_page_holds_and_resumes_three_times(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        for _ in range(3):
            assert await browser.call("hold")
            with trio.fail_after(PATIENCE):
                await handler.call.is_remotely_held.wait_value(True)
            await browser.hears_nothing()
            await browser.until("counters", lambda counters: counters["received"] == 0)
            await _hears(handler.call, -90, above=False)
            assert await browser.call("unhold")
            with trio.fail_after(PATIENCE):
                await handler.call.is_remotely_held.wait_value(False)
            await browser.until("counters", lambda counters: counters["received"] > 20)
            assert handler.call.statistics().level_sent_dbov > -40
            await _hears(handler.call, -40, above=True)
        await browser.call("hangup")
        await browser.status("ended")


async def test_we_hold_and_resume_three_times(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        for _ in range(3):
            await handler.call.hold(music=trivox.ToneSource((660.0,)))
            assert handler.call.is_on_hold.value
            await browser.hears(660)
            await _hears(handler.call, -90, above=False)
            await handler.call.hold(enable=False)
            await browser.hears(880)
            await _hears(handler.call, -40, above=True)
        await browser.call("hangup")
        await browser.status("ended")


async def _hears(call: trivox.Call, dbov: float, *, above: bool) -> None:
    """Wait until what the call receives is louder, or quieter, than that."""
    with trio.fail_after(PATIENCE):
        while (call.statistics().level_received_dbov > dbov) is not above:
            await trio.sleep(0.05)


async def test_a_renegotiation_of_the_page_leaves_the_call_as_it_is(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        assert await browser.call("renegotiate")
        await browser.hears(880)

        assert handler.call.state.value is trivox.CallState.CONNECTED
        await browser.call("hangup")


async def test_an_offer_of_more_than_we_take_is_answered_in_order(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target, {"video": True})
        await browser.status("connected")
        await browser.hears(880)
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()


@pytest.mark.parametrize("how", ["RFC2833", "INFO"])
async def test_digits_of_the_page_arrive_once_each(page, tmp_path, library, how):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        await browser.call("dtmf", "42#", how)
        with trio.fail_after(PATIENCE):
            while len(handler.digits) < 3:
                await trio.sleep(0.05)
        await trio.sleep(0.5)

        assert handler.digits == "42#"


async def test_info_goes_both_ways(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.status("connected")
        with trio.fail_after(PATIENCE):
            await handler.call.wait_connected()
        async with trio.open_nursery() as nursery:
            seen: list[trivox.InfoReceived] = []
            handler.call.add_event_listener(trivox.InfoReceived, seen.append)
            nursery.start_soon(browser.call, "info", "text/plain", "from the page")
            with trio.fail_after(PATIENCE):
                while not seen:
                    await trio.sleep(0.02)
        response = await handler.call.send_info("text/plain", "from Python").wait()

        assert seen[0].body == "from the page"
        assert response.status == 200
        assert (await browser.noted("info"))["body"] == "from Python"


async def test_messages_go_both_ways(page, library):
    async def nobody(call: trivox.Call) -> None:
        call.reject()

    heard: list[trivox.IncomingMessage] = []
    async with house(page, nobody, library=library) as (browser, client, own):
        client.add_event_listener(trivox.IncomingMessage, heard.append)
        await browser.call("message", own, "from the page")
        response = await client.request(
            "MESSAGE", uri_of("alice", own), body="from Python", content_type="text/plain"
        )

        assert response.status == 200
        assert (await browser.noted("message"))["body"] == "from Python"
        with trio.fail_after(PATIENCE):
            while not heard:
                await trio.sleep(0.02)

    assert heard[0].text == "from the page"


async def test_the_page_refers_us_and_we_call_whom_it_names(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    calls: list[trivox.Call] = []
    answered = trio.Event()

    async def guest(call: trivox.Call) -> None:
        await call.answer()
        await call.wait_connected()
        answered.set()
        await call.wait_ended()

    def follow(event: trivox.TransferRequested) -> None:
        calls.append(event.accept())

    async with house(page, handler, guest=guest, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        handler.call.add_event_listener(trivox.TransferRequested, follow)
        await browser.call("refer", uri_of("carol", target))
        with trio.fail_after(PATIENCE):
            await answered.wait()
            await calls[0].wait_connected()
        calls[0].hangup()
        await browser.call("hangup")


async def test_we_refer_the_page_and_it_calls_whom_we_name(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    guest = Handler(tmp_path / "guest.wav")
    async with house(page, handler, guest=guest, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.hears(880)
        with trio.fail_after(PATIENCE):
            await handler.call.transfer(uri_of("carol", target))
            await handler.ended.wait()
        await _hears(guest.call, -40, above=True)

        assert handler.end.reason is trivox.EndReason.TRANSFERRED
        assert guest.call.state.value is trivox.CallState.CONNECTED


async def test_we_put_the_page_through_to_whom_we_consulted(page, tmp_path, library):
    handler = Handler(tmp_path / "handler.wav")
    guest = Handler(tmp_path / "guest.wav")
    async with house(page, handler, guest=guest, library=library) as (browser, client, target):
        await browser.call("dial", target)
        await browser.hears(880)
        async with client.dial("carol") as consultation:
            consulted = guest.call
            with trio.fail_after(PATIENCE):
                await handler.call.transfer(consultation)
                await handler.ended.wait()
                end = await consultation.wait_ended()

        assert handler.end.reason is end.reason is trivox.EndReason.TRANSFERRED
        assert guest.call is not consulted
        assert consulted.end.reason is trivox.EndReason.TRANSFERRED
        await _hears(guest.call, -40, above=True)


async def test_a_page_that_gives_up_ends_the_ringing(page, library):
    ended: list[trivox.CallEnd] = []

    async def ring(call: trivox.Call) -> None:
        await call.progress(180)
        ended.append(await call.wait_ended())

    async with house(page, ring, library=library) as (browser, _, target):
        await browser.call("dial", target)
        await browser.status("ringing")
        await browser.call("hangup")
        await browser.status("failed")
        with trio.fail_after(PATIENCE):
            while not ended:
                await trio.sleep(0.02)

    assert ended[0].reason is trivox.EndReason.REMOTE_ENDED


async def test_busy_is_told_to_either_side(page, library):
    async def busy(call: trivox.Call) -> None:
        call.reject(trivox.RejectMode.BUSY)

    async with house(page, busy, library=library, refuse=486) as (browser, client, own):
        with pytest.raises(trivox.BusyError):
            async with client.dial(uri_of("alice", own), WEBRTC):
                pass
        await browser.call("dial", own)
        await browser.status("failed")
        look = await browser.call("look")

    assert 486 in [entry.get("code") for entry in look["log"]]
