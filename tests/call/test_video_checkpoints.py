"""The coroutines about video are checkpoints."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints

from trivox.media.sources import ToneSource
from trivox.media.video import EncodedVideoSource

from .test_video import send, two, video_of

pytestmark = pytest.mark.native


async def test_frames_and_the_wish_for_a_key_frame(autojump_clock) -> None:
    async with two() as (client, call, _, far):
        source = EncodedVideoSource()
        await call.add_stream(client.streams.create_video_stream(source))
        await trio.sleep(0.5)
        with assert_checkpoints():
            await source.wait_key_frame_wanted()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, source, 20)
            with video_of(far).encoded_frames() as frames, assert_checkpoints():
                await anext(frames)


async def test_screens(autojump_clock) -> None:
    async with two(media="webrtc") as (client, call, _, _far):
        streams = client.streams.create_screen_sharing_stream(EncodedVideoSource(), ToneSource())
        with assert_checkpoints():
            await call.start_screen_sharing(streams)
        with assert_checkpoints():
            await call.stop_screen_sharing()
