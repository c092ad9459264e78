"""Chromium's camera three times at once (sendEncodings): layers are read, changed and sent back."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio

import trivox

from .browser_house import house

if TYPE_CHECKING:
    from .far_ends.browser import Browser

pytestmark = [
    pytest.mark.interop,
    pytest.mark.far_end("chromium-jssip"),
    pytest.mark.slow,
]

LONG = 60
"""Seconds for what takes one where nothing else runs."""


class Prism:
    """Answers, tells of the video that is added later, and sends it back."""

    def __init__(self) -> None:
        self.client: trivox.Client | None = None
        self.call: trivox.Call | None = None
        self.stream: trivox.RemoteStream | None = None
        self.back: trivox.LocalStream | None = None
        self.is_ready = trio.Event()

    async def __call__(self, call: trivox.Call) -> None:
        async with call, call.cancel_on_end():
            added = call.events(trivox.RemoteMediaAdded)
            await call.answer(trivox.CallSettings(receive_video=True, preferred_video_codec="VP8"))
            await call.wait_connected()
            async for event in added:
                if event.stream.type is trivox.StreamType.VIDEO:
                    break
            assert self.client is not None
            self.call, self.stream = call, event.stream
            streams = self.client.streams
            self.back = streams.create_video_stream(event.stream.as_source(layer="q"))
            await call.add_stream(self.back)
            self.is_ready.set()
            await call.wait_ended()


async def _layers(stream: trivox.RemoteStream) -> dict[str, trivox.VideoLayer]:
    """Wait until all three layers have told their sizes, and the smallest is sent.

    The larger ones are sent as long as the page believes that the line bears them, which on a busy
    machine is not for long.
    """
    with trio.move_on_after(LONG):
        while True:
            layers = {one.name: one for one in stream.layers if one.width}
            if set(layers) == {"q", "h", "f"} and layers["q"].is_active:
                return layers
            await trio.sleep(0.1)
    raise AssertionError(f"not all layers came: {stream.layers}")


async def _begin(prism: Prism, browser: Browser, client: trivox.Client, target: str) -> None:
    """Have the page call and add its camera in three layers."""
    prism.client = client
    await browser.call("dial", target)
    await browser.status("connected")
    await browser.call("addSimulcast")
    with trio.fail_after(LONG):
        assert await browser.call("renegotiate")
        await prism.is_ready.wait()


async def test_a_layer_of_the_page_is_read_and_sent_back_to_it(page):
    prism = Prism()
    async with house(page, prism) as (browser, client, target):
        await _begin(prism, browser, client, target)
        layers = await _layers(prism.stream)
        widths = {name: layer.width for name, layer in layers.items()}

        seen = []
        with trio.fail_after(LONG):
            with prism.stream.decoded_frames(layer="q") as frames:
                while len(seen) < 10:
                    seen.append((await anext(frames)).width)
        await browser.until("newest", lambda seen: seen["width"] == widths["q"], LONG)
        decoded = (await browser.call("pictures"))["decoded"]
        await browser.until("pictures", lambda now: now["decoded"] > decoded + 10, LONG)
        await browser.call("hangup")

    assert widths["q"] * 2 == widths["h"]
    assert widths["h"] * 2 == widths["f"]
    assert set(seen) == {widths["q"]}
    assert frames.damaged == 0


async def _sent(stream: trivox.RemoteStream, name: str) -> None:
    """Wait until the page sends a layer."""
    with trio.fail_after(LONG):
        while not any(one.name == name and one.is_active for one in stream.layers):
            await trio.sleep(0.02)


async def _until(frames: trivox.VideoFrames, width: int, seen: list[trivox.VideoFrame]) -> None:
    """Take pictures until one is of that width."""
    with trio.fail_after(LONG):
        while True:
            seen.append(await anext(frames))
            if seen[-1].width == width:
                return


async def test_a_layer_is_changed_by_a_key_frame_that_is_asked_for(page):
    prism = Prism()
    async with house(page, prism) as (browser, client, target):
        await _begin(prism, browser, client, target)
        widths = {name: layer.width for name, layer in (await _layers(prism.stream)).items()}
        before = await browser.call("layersSent")

        seen: list[trivox.VideoFrame] = []
        with prism.stream.decoded_frames(layer="q") as frames:
            await _until(frames, widths["q"], seen)
            for name in ("h", "q") * 3:
                await _sent(prism.stream, name)
                frames.choose_layer(name)
                await _until(frames, widths[name], seen)
            assert (frames.lost, frames.damaged) == (0, 0)
        # What is sent back to the page changes as what is read here does.
        await browser.until("newest", lambda newest: newest["width"] == widths["q"], LONG)
        await _sent(prism.stream, "h")
        prism.call.choose_video_layer(prism.back, "h")
        await browser.until("newest", lambda newest: newest["width"] == widths["h"], LONG)
        after = await browser.call("layersSent")
        await browser.call("hangup")

    for name in ("q", "h"):
        assert after[name]["plis"] >= before[name]["plis"] + 3
        assert after[name]["keys"] >= before[name]["keys"] + 3
    # Time goes on over a change as if it were one picture.
    assert all(0.0 <= late.pts - soon.pts < LONG for soon, late in pairwise(seen))
