"""Decoded pictures: formats, sizes, damage, and the extra that is not there."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace

import av
import numpy as np
import pytest
import trio
from trio.testing import assert_checkpoints

from trivox.errors import InvalidArgumentsError, NotSupportedError
from trivox.media.pictures import VideoFrames
from trivox.media.video import EncodedFrame

from .clips import make_clip, shade


class Frames:
    """Encoded frames out of a list, and what was asked of whoever sends them."""

    def __init__(self, frames: list[EncodedFrame]) -> None:
        self._frames = list(frames)
        self.is_closed = False
        self.lost = 0
        self.wanted = 0

    async def __anext__(self) -> EncodedFrame:
        await trio.lowlevel.checkpoint()
        if not self._frames or self.is_closed:
            raise StopAsyncIteration
        return self._frames.pop(0)

    def want_key_frame(self) -> None:
        self.wanted += 1

    def close(self) -> None:
        self.is_closed = True


def frames_of(path, codec: str) -> list[EncodedFrame]:
    with av.open(str(path)) as file:
        packets = [one for one in file.demux(video=0) if one.size]
    return [
        EncodedFrame(codec, number / 25, packet.is_keyframe, bytes(packet))
        for number, packet in enumerate(packets)
    ]


def made(tmp_path, codec: str, **kwargs) -> list[EncodedFrame]:
    return frames_of(make_clip(tmp_path / f"clip.{codec}", codec, **kwargs), codec)


async def taken(pictures: VideoFrames) -> list:
    return [one async for one in pictures]


async def test_the_next_picture_is_a_checkpoint_and_so_is_the_end(tmp_path) -> None:
    source = Frames(made(tmp_path, "VP8")[:1])
    pictures = VideoFrames(lambda: source, "rgb24")
    with assert_checkpoints():
        await anext(pictures)
    with pytest.raises(StopAsyncIteration), assert_checkpoints():
        await anext(pictures)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "AV1"])
async def test_each_frame_of_each_codec_is_a_picture_in_its_time(tmp_path, codec) -> None:
    source = Frames(made(tmp_path, codec, count=10))

    found = await taken(VideoFrames(lambda: source, "rgb24"))

    assert [round(one.pts * 25) for one in found] == list(range(10))
    assert {(one.width, one.height, one.format) for one in found} == {(160, 96, "rgb24")}
    means = [float(one.array.mean()) for one in found]
    assert np.allclose(means, [shade(number) for number in range(10)], atol=6)


@pytest.mark.parametrize(
    ("layout", "shape", "length"),
    [
        ("rgb24", (90, 162, 3), 162 * 90 * 3),
        ("bgr24", (90, 162, 3), 162 * 90 * 3),
        ("i420", (135, 162), 162 * 135),
        ("nv12", (135, 162), 162 * 135),
    ],
)
async def test_pixels_lie_as_the_format_says(tmp_path, layout, shape, length) -> None:
    source = Frames(made(tmp_path, "VP8", count=2, size=(162, 90)))

    found = await taken(VideoFrames(lambda: source, layout))

    assert (found[0].array.shape, len(found[0].data)) == (shape, length)
    assert not found[0].array.flags.writeable
    luma = found[0].array[:90]
    # Luma has the range of video: 16 is black.
    wanted = shade(0) if found[0].array.ndim == 3 else 16 + shade(0) * 219 / 255
    assert abs(int(luma[40, 80].flat[0]) - wanted) <= 6


async def test_odd_sizes_have_their_colours_rounded_up_and_no_array(tmp_path) -> None:
    source = Frames(made(tmp_path, "VP8", count=1, size=(161, 91)))

    (picture,) = await taken(VideoFrames(lambda: source, "i420"))

    assert len(picture.data) == 161 * 91 + 2 * 81 * 46
    with pytest.raises(NotSupportedError, match="rgb24"):
        _ = picture.array


async def test_a_size_and_a_codec_that_change_are_followed(tmp_path) -> None:
    small, large = made(tmp_path, "VP8", count=3), made(tmp_path, "VP8", count=3, size=(320, 192))
    source = Frames(small + large + made(tmp_path, "H264", count=3))

    found = await taken(VideoFrames(lambda: source, "rgb24"))

    assert [one.width for one in found] == [160] * 3 + [320] * 3 + [160] * 3


async def test_pixels_lie_as_they_came_and_how_to_turn_them_is_told(tmp_path) -> None:
    frames = made(tmp_path, "VP8", count=4)
    turned = [replace(one, rotation=90 * number) for number, one in enumerate(frames)]

    upright = await taken(VideoFrames(lambda: Frames(frames), "rgb24"))
    found = await taken(VideoFrames(lambda: Frames(turned), "rgb24"))

    assert [one.rotation for one in found] == [0, 90, 180, 270]
    assert [replace(one, rotation=0) for one in found] == upright


async def test_damage_is_counted_and_a_key_frame_asked_for(tmp_path) -> None:
    frames = made(tmp_path, "VP8", count=12, key_every=6)
    broken = EncodedFrame("VP8", 0.0, True, b"\x10\x00\x00no start code")
    source = Frames([broken, *frames[1:]])
    pictures = VideoFrames(lambda: source, "rgb24")

    found = await taken(pictures)

    assert [round(one.pts * 25) for one in found] == list(range(6, 12))
    assert (pictures.damaged, source.wanted) == (6, 1)


async def test_decoding_is_no_work_of_the_trio_thread(tmp_path, monkeypatch) -> None:
    source, threads = Frames(made(tmp_path, "VP8", count=3)), set()
    pictures = VideoFrames(lambda: source, "rgb24")
    make = pictures._make

    def noted(*arguments):
        decoder = make(*arguments)

        class Noted:
            def decode(self, frame):
                threads.add(threading.get_ident())
                return decoder.decode(frame)

        return Noted()

    pictures._make = noted
    assert len(await taken(pictures)) == 3
    assert threading.get_ident() not in threads


async def test_a_closed_one_ends_and_closes_what_it_reads(tmp_path) -> None:
    source = Frames(made(tmp_path, "VP8", count=3))
    with VideoFrames(lambda: source, "rgb24") as pictures:
        await anext(pictures)
        assert not pictures.is_closed

    assert pictures.is_closed
    assert source.is_closed
    assert await taken(pictures) == []


def test_what_cannot_be_is_told_before_anything_is_opened(monkeypatch) -> None:
    def opened():
        raise AssertionError("it was opened")

    with pytest.raises(InvalidArgumentsError, match="nv12"):
        VideoFrames(opened, "yuv422p")
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "trivox.media.pyav", raising=False)
    with pytest.raises(NotSupportedError, match=r"pip install 'trivox\[video\]'"):
        VideoFrames(opened, "rgb24")
