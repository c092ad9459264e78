"""Chromium's camera three times at once (sendEncodings): a layer is chosen, read, recorded, sent back."""

from __future__ import annotations

import pytest
import trio
from tests.media.clips import decode

import trivox

from .browser_house import house

pytestmark = [
    pytest.mark.interop,
    pytest.mark.far_end("chromium-jssip"),
    pytest.mark.slow,
]

LONG = 90
"""Seconds for Chromium to find that the line bears all layers, on a machine that is busy."""


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
    """Wait until all three layers are sent, and tell their sizes."""
    with trio.move_on_after(LONG):
        while True:
            layers = {one.name: one for one in stream.layers if one.is_active and one.width}
            if set(layers) == {"q", "h", "f"}:
                return layers
            await trio.sleep(0.1)
    raise AssertionError(f"not all layers are sent: {stream.layers}")


async def _width(frames: trivox.VideoFrames, wanted: int) -> set[int]:
    """Decode until a picture of that width comes; the widths of all."""
    seen: set[int] = set()
    with trio.fail_after(LONG):
        async for picture in frames:
            seen.add(picture.width)
            if picture.width == wanted:
                return seen
    raise AssertionError(f"the stream ended: {seen}")


async def test_layers_are_chosen_for_readers_files_and_the_page_itself(page, tmp_path):
    prism, path = Prism(), tmp_path / "half.mkv"
    async with house(page, prism) as (browser, client, target):
        prism.client = client
        await browser.call("dial", target)
        await browser.status("connected")
        await browser.call("addSimulcast")
        with trio.fail_after(LONG):
            assert await browser.call("renegotiate")
            await prism.is_ready.wait()
        stream, call = prism.stream, prism.call
        layers = await _layers(stream)
        widths = {name: layer.width for name, layer in layers.items()}

        with stream.decoded_frames(layer="q") as frames:
            first = await _width(frames, widths["q"])
            frames.choose_layer("f")
            await _width(frames, widths["f"])
            frames.choose_layer(max_height=layers["h"].height)
            await _width(frames, widths["h"])
            assert frames.damaged == 0
        async with stream.recording(path, layer="h"):
            await trio.sleep(2)

        await browser.until("newest", lambda seen: seen["width"] == widths["q"], LONG)
        call.choose_video_layer(prism.back, "f")
        await browser.until("newest", lambda seen: seen["width"] == widths["f"], LONG)
        before = (await browser.call("pictures"))["decoded"]
        call.choose_video_layer(prism.back, "q")
        await browser.until("newest", lambda seen: seen["width"] == widths["q"], LONG)
        await browser.until("pictures", lambda seen: seen["decoded"] > before + 10, LONG)
        await browser.call("hangup")

    assert widths["q"] * 2 == widths["h"]
    assert widths["h"] * 2 == widths["f"]
    assert first == {widths["q"]}
    assert {width for width, _ in decode(path).sizes} == {widths["h"]}
