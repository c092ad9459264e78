"""Chromium's fake camera through us and back: what it sends, it decodes; screens beside it."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
import trio
from tests.media.clips import make_clip
from tests.media.test_pictures import made

import trivox

from .browser_house import PATIENCE, house
from .lossy_path import open_lossy_path

pytestmark = [
    pytest.mark.interop,
    pytest.mark.far_end("chromium-jssip"),
    pytest.mark.slow,
]


class Mirror:
    """Answers with video and sends the far end's own pictures back, on as many lines as wanted."""

    def __init__(self, codec: str | None, *, is_shared: bool = False) -> None:
        self.client: trivox.Client | None = None
        self.settings = trivox.CallSettings(receive_video=True, preferred_video_codec=codec)
        self.is_shared = is_shared
        self.frames: list[trivox.EncodedFrame] = []
        self.codec = ""

    async def __call__(self, call: trivox.Call) -> None:
        async with call, call.cancel_on_end():
            added = call.events(trivox.RemoteMediaAdded)
            await call.answer(self.settings)
            self.call = call
            await call.wait_connected()
            async for event in added:
                if event.stream.type is trivox.StreamType.VIDEO:
                    break
            source = event.stream.as_source()
            self.codec = event.stream.codec
            assert self.client is not None
            streams = self.client.streams
            await call.add_stream(streams.create_video_stream(source))
            if self.is_shared:
                await call.start_screen_sharing(streams.create_screen_sharing_stream(source))
            with event.stream.encoded_frames() as frames:
                async for frame in frames:
                    self.frames.append(frame)


@pytest.mark.parametrize("codec", ["VP8", "H264", "VP9", "AV1"])
async def test_the_page_decodes_a_file(page, codec, tmp_path):
    clip = make_clip(tmp_path / f"clip.{codec}", codec, size=(320, 192))

    async def show(call: trivox.Call) -> None:
        async with call, call.cancel_on_end():
            settings = trivox.CallSettings(receive_video=True, preferred_video_codec=codec)
            await call.answer(settings)
            await call.wait_connected()
            source = trivox.VideoFileSource(clip, loop=True, rate=25.0)
            await call.add_stream(client.streams.create_video_stream(source))
            await call.wait_ended()

    async with house(page, show) as (browser, client, target):
        await browser.call("dial", target, {"video": True})
        await browser.status("connected")
        # More than one round of the file: its beginning follows on its end.
        await browser.until("pictures", lambda seen: seen["decoded"] >= 60, 60)
        size = await browser.call("newest")
        await browser.call("hangup")

    assert size == {"width": 320, "height": 192}


@pytest.mark.parametrize("codec", ["VP8", "H264", "VP9", "AV1"])
async def test_the_page_decodes_its_own_camera(page, codec):
    mirror = Mirror(codec)
    async with house(page, mirror) as (browser, client, target):
        mirror.client = client
        await browser.call("dial", target, {"video": True})
        await browser.status("connected")
        seen = await browser.until("pictures", lambda seen: seen["decoded"] >= 40, 60)
        await browser.call("hangup")

    assert mirror.codec.value.name == codec
    assert seen["width"] >= 320
    # Pictures come in bursts; a few packets are the machine's, a fault of ours takes many.
    assert seen["lost"] <= 20
    assert mirror.frames[0].is_key
    assert len(mirror.frames) >= 30


async def test_the_page_turns_pictures_as_they_say_and_its_camera_stands_upright(page, tmp_path):
    """3GPP TS 26.114 §7.4.5: the page offers it, and shows 320 by 192 as 192 by 320."""
    clip = made(tmp_path, "VP8", size=(320, 192), count=50, key_every=25)
    turned: Counter[int] = Counter()

    async def look(call: trivox.Call) -> None:
        (stream,) = (one for one in call.remote_streams.value if one.home)
        with stream.encoded_frames() as frames:
            async for frame in frames:
                turned[frame.rotation] += 1

    async def show(call: trivox.Call) -> None:
        async with call, call.cancel_on_end(), trio.open_nursery() as nursery:
            await call.answer(trivox.CallSettings(receive_video=True, preferred_video_codec="VP8"))
            await call.wait_connected()
            assert "urn:3gpp:video-orientation" in call._leg.local_sdp
            source = trivox.EncodedVideoSource("VP8")
            await call.add_stream(client.streams.create_video_stream(source))
            nursery.start_soon(look, call)
            for number in count():
                source.send(clip[number % len(clip)].data, pts=number / 25, rotation=90)
                await trio.sleep(0.04)

    async with house(page, show) as (browser, client, target):
        await browser.call("dial", target, {"video": True})
        await browser.status("connected")
        await browser.until("shown", lambda size: size == {"width": 192, "height": 320}, 60)
        with trio.fail_after(PATIENCE):
            while turned.total() < 10:
                await trio.sleep(0.02)
        await browser.call("hangup")

    assert turned.keys() == {0}


async def test_a_shared_screen_is_decoded_on_a_line_of_its_own(page):
    mirror = Mirror("VP8", is_shared=True)
    async with house(page, mirror) as (browser, client, target):
        mirror.client = client
        await browser.call("dial", target, {"video": True})
        await browser.status("connected")
        seen = await browser.until("pictures", lambda seen: seen["lines"] == 2, 60)
        await browser.call("hangup")

    assert seen["decoded"] > 0


async def test_losses_both_ways_are_asked_for_and_repaired(page):
    mirror = Mirror("VP8")
    async with open_lossy_path() as path, house(page, mirror) as (browser, client, target):
        mirror.client = client
        # Without candidates of the page, and with that of the path for ours, there is no other way.
        await browser.call(
            "dial", target, {"video": True, "stripCandidates": True, "by": path.port}
        )
        with trio.fail_after(PATIENCE):
            while getattr(mirror, "call", None) is None:
                await trio.sleep(0.02)
        answer = mirror.call._leg.local_sdp
        candidate = next(line for line in answer.splitlines() if line.startswith("a=candidate"))
        path.target = int(candidate.split()[5])
        await browser.until("pictures", lambda seen: seen["decoded"] >= 20, 60)
        path.loss = 0.05
        seen = await browser.until(
            "pictures",
            lambda seen: (
                seen["decoded"] >= 100 and seen["repaired"] >= 10 and seen["repeated"] >= 10
            ),
            60,
        )
        await browser.call("hangup")

    assert path.dropped >= 20
    assert seen["asked"] >= 5


async def test_who_reads_late_begins_with_a_key_frame_that_is_asked_of_the_page(page):
    mirror = Mirror("VP8")
    async with house(page, mirror) as (browser, client, target):
        mirror.client = client
        await browser.call("dial", target, {"video": True})
        await browser.status("connected")
        await browser.until("pictures", lambda seen: seen["decoded"] >= 40, 60)
        (call,) = client.calls.values()
        stream = next(one for one in call.remote_streams.value if one.home)
        before = _received(call)
        with trio.fail_after(PATIENCE):
            with stream.encoded_frames() as frames:
                first = await anext(frames)
        after = _received(call)
        await browser.call("hangup")

    assert first.is_key
    assert after.plis > before.plis
    assert after.key_frames > before.key_frames
    assert (after.width, after.firs) == (before.width, 0)


def _received(call: trivox.Call) -> trivox.StreamStatistics:
    return next(
        one
        for one in call.statistics().streams
        if (one.kind, one.direction) == ("video", "received")
    )
