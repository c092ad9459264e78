"""Data channels with Chromium: opened and closed by either side, text and bytes both ways."""

from __future__ import annotations

import pytest
import trio

import trivox

from .browser_house import house, uri_of

pytestmark = [
    pytest.mark.interop,
    pytest.mark.far_end("chromium-jssip"),
    pytest.mark.slow,
]

LARGE = bytes(at % 251 for at in range(256 * 1024))
LARGE_SEEN = {"bytes": len(LARGE), "sum": sum(LARGE) % 65521}
WEBRTC = trivox.CallSettings(media="webrtc")


class Echo:
    """Answers, and sends back what comes on each channel until it is closed."""

    def __init__(self) -> None:
        self.channels: list[trivox.DataChannel] = []
        self.closed = trio.Event()

    async def __call__(self, call: trivox.Call) -> None:
        self.call = call
        async with (
            call,
            call.events(trivox.DataChannelOpened) as opened,
            trio.open_nursery() as nursery,
            call.cancel_on_end(),
        ):
            await call.answer()
            async for event in opened:
                self.channels.append(event.channel)
                nursery.start_soon(self.answer, event.channel)

    async def answer(self, channel: trivox.DataChannel) -> None:
        async for message in channel:
            await channel.send(message)
        self.closed.set()


def received(place: int, *wanted):
    """Whether a channel of the page has received exactly that."""
    return lambda channels: len(channels) > place and channels[place]["received"] == list(wanted)


def in_state(place: int, state: str):
    return lambda channels: len(channels) > place and channels[place]["state"] == state


async def test_the_page_opens_a_channel_and_closes_it(page):
    echo = Echo()
    async with house(page, echo) as (browser, _, target):
        await browser.call("wantChannel", "from the page")
        await browser.call("dial", target)
        await browser.until("lookAtChannels", in_state(0, "open"))
        await browser.call("sendText", 0, "héllo")
        await browser.call("sendText", 0, "")
        await browser.call("sendBytes", 0, len(LARGE))
        await browser.until(
            "lookAtChannels", received(0, {"text": "héllo"}, {"text": ""}, LARGE_SEEN)
        )
        await browser.call("openChannel", "second", {"ordered": False, "maxRetransmits": 2})
        await browser.until("lookAtChannels", in_state(1, "open"))
        await browser.call("closeChannel", 0)
        await browser.until("lookAtChannels", in_state(0, "closed"))
        with trio.fail_after(30):
            await echo.closed.wait()
        await browser.call("sendText", 1, "still there")
        await browser.until("lookAtChannels", received(1, {"text": "still there"}))
        first, second = echo.channels
        assert (first.label, first.state, first.is_ordered) == ("from the page", "closed", True)
        assert (second.is_ordered, second.max_retransmits) == (False, 2)
        await browser.call("hangup")


async def test_we_open_channels_and_close_them(page):
    async with house(page, None) as (browser, client, target):
        async with client.create_call(uri_of("alice", target), WEBRTC) as call:
            channel = call.create_data_channel("ours", protocol="echo")
            await call.start()
            with trio.fail_after(60):
                await channel.wait_open()
                for message in ("héllo", b"\x00\xff", "", b"", LARGE):
                    await channel.send(message)
                    assert await channel.receive() == message

                later = call.create_data_channel("later", max_packet_lifetime=2.0)
                await later.wait_open()
                await later.send("second")
                assert await later.receive() == "second"
            channel.close()
            channels = await browser.until("lookAtChannels", in_state(0, "closed"))
            assert [one["label"] for one in channels] == ["ours", "later"]
            assert (channels[0]["protocol"], channels[1]["state"]) == ("echo", "open")


async def test_a_channel_of_a_call_that_had_none_is_offered_anew(page):
    async with house(page, None) as (browser, client, target):
        async with client.create_call(uri_of("alice", target), WEBRTC) as call:
            await call.start()
            await call.wait_connected()
            with trio.fail_after(60):
                async with call.create_data_channel("late") as channel:
                    await channel.send("text")
                    assert await channel.receive() == "text"
            await browser.until("lookAtChannels", in_state(0, "closed"))


async def test_the_page_closes_what_we_fill(page):
    async with house(page, None) as (browser, client, target):
        async with client.create_call(uri_of("alice", target), WEBRTC) as call:
            channel = call.create_data_channel("flood")
            await call.start()
            with trio.fail_after(60):
                await channel.wait_open()
                for _ in range(20):
                    await channel.send(LARGE)
                await browser.call("closeChannel", 0)
                with pytest.raises((trio.EndOfChannel, trio.BrokenResourceError)):
                    while True:
                        await channel.receive()
                other = call.create_data_channel("other")
                async with other:
                    await other.send("still there")
                    assert await other.receive() == "still there"
