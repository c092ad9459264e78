"""Received video in files, over the real engine in virtual time, decoded by a library nobody here wrote."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
import trio
from tests.media.clips import decode, encoded_frames, make_clip, shade

from trivox.call.settings import CallSettings
from trivox.errors import EngineError, InvalidArgumentsError, StreamTypeMismatchError
from trivox.media.sources import ToneSource
from trivox.media.video import EncodedVideoSource, VideoFileSource

from .test_video import two, video_of

pytestmark = [pytest.mark.native, pytest.mark.slow]

CODECS = {"VP8": "vp8", "VP9": "vp9", "H264": "h264", "AV1": "libdav1d"}


def settings(codec: str) -> CallSettings:
    return CallSettings(receive_video=True, preferred_video_codec=codec)


async def begin(client, call, far, source):
    """Send a source; what the far end receives of it."""
    stream = client.streams.create_video_stream(source)
    await call.add_stream(stream)
    with trio.fail_after(5):
        await far.remote_streams.wait_value(lambda streams: len(streams) == 2)
    return stream, video_of(far)


def steps(times) -> set[int]:
    return {round(1000 * (later - sooner)) for sooner, later in pairwise(times)}


def shades_are_near(found, wanted) -> bool:
    return all(abs(one - other) <= 3 for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("codec", CODECS)
async def test_a_call_is_recorded_with_pictures_and_sound(autojump_clock, codec, tmp_path) -> None:
    clip = make_clip(tmp_path / f"clip.{codec}", codec)
    path = tmp_path / "call.mkv"
    async with two(settings(codec), preferred_video_codec=codec) as (client, call, _, far):
        async with trio.open_nursery() as nursery, far.recording(path) as recording:
            nursery.start_soon(call.play, ToneSource([440.0], duration=1.0))
            source = VideoFileSource(clip, rate=25.0)
            await begin(client, call, far, source)
            await trio.sleep(3)

    found = decode(path)
    assert found.codec == CODECS[codec]
    # A wish for a key frame takes the file back to its last one: then some pictures come twice.
    assert 50 <= len(found.times) <= 100
    assert shades_are_near(found.shades[-25:], [shade(number) for number in range(25, 50)])
    assert set(found.sizes) == {(160, 96)}
    assert steps(found.times[-25:]) == {40}
    assert found.times == sorted(found.times)
    assert found.sound == pytest.approx(recording.seconds, abs=0.03)
    assert found.length == pytest.approx(recording.seconds, abs=0.03)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1"])
async def test_a_stream_is_recorded_alone(autojump_clock, codec, tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.ivf", codec)
    async with two(settings(codec), preferred_video_codec=codec) as (client, call, _, far):
        source = VideoFileSource(clip, loop=True)
        _, stream = await begin(client, call, far, source)
        await trio.sleep(0.3)
        async with stream.recording(tmp_path / "one.ivf") as one:
            async with stream.recording(tmp_path / "other.mkv") as other:
                await trio.sleep(4)

    for name, recording in (("one.ivf", one), ("other.mkv", other)):
        found = decode(tmp_path / name)
        # It begins with a key frame that was asked for.
        assert found.times[0] < 0.6
        assert 75 <= len(found.times) <= 125
        assert steps(found.times[-50:]) == {40}
        assert recording.seconds == pytest.approx(found.times[-1] + 0.04, abs=0.002)
        assert found.sound == 0.0


async def test_a_pause_is_a_gap_and_a_size_that_changes_is_followed(
    autojump_clock, tmp_path
) -> None:
    small = make_clip(tmp_path / "small.ivf", "VP8")
    large = make_clip(tmp_path / "large.ivf", "VP8", size=(320, 192))
    path = tmp_path / "call.mkv"
    async with two(media="webrtc") as (client, call, _, far):
        async with far.recording(path):
            first, _ = await begin(client, call, far, VideoFileSource(small))
            await trio.sleep(4)
            second = client.streams.create_video_stream(VideoFileSource(large))
            await call.add_stream(second)
            await trio.sleep(3)
            assert first.is_active.value

    found = decode(path)
    small_ones = found.sizes.count((160, 96))
    assert small_ones >= 50
    assert found.sizes == [(160, 96)] * small_ones + [(320, 192)] * (len(found.sizes) - small_ones)
    assert shades_are_near(found.shades[-25:], [shade(number) for number in range(25, 50)])
    assert steps(found.times[small_ones - 25 : small_ones]) == {40}
    assert 1.0 < found.times[small_ones] - found.times[small_ones - 1] < 2.5


async def test_a_recording_over_a_bad_line_has_every_picture(autojump_clock, tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.ivf", "VP8", count=75)
    path = tmp_path / "bad.mkv"
    async with two(media="webrtc") as (client, call, _, far):
        _, stream = await begin(client, call, far, VideoFileSource(clip, loop=True))
        await trio.sleep(0.5)
        set_link = far._leg.sessions.set_link
        set_link(delay=0.02, jitter=0.01, loss=0.05, duplicate=0.02)
        async with stream.recording(path):
            await trio.sleep(5)
        await trio.sleep(0.1)
        set_link(delay=0.02, jitter=0.0, loss=0.0, duplicate=0.0)

    found = decode(path)
    assert len(found.times) >= 75
    assert steps(found.times) <= {40, 80}


@pytest.mark.parametrize(
    "record",
    [
        lambda call, stream: stream.recording("one.wav"),
        lambda call, stream: stream.recording("one.webm"),
        lambda call, stream: call.recording("one.wav", video=stream),
        lambda call, stream: call.recording("one.mkv", side="none", format="ogg"),
    ],
)
async def test_video_in_a_file_of_sound_is_refused_at_once(
    autojump_clock, tmp_path, record
) -> None:
    clip = make_clip(tmp_path / "clip.ivf", "VP8", count=5)
    async with two() as (client, call, _, far):
        _, stream = await begin(client, call, far, VideoFileSource(clip, loop=True))

        with pytest.raises(InvalidArgumentsError, match=r"\.mkv"):
            record(far, stream)


async def test_what_cannot_be_recorded_is_told(autojump_clock, tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.h264", "H264")
    async with two(settings("H264"), preferred_video_codec="H264") as (client, call, _, far):
        _, stream = await begin(client, call, far, VideoFileSource(clip, loop=True))
        with pytest.raises(EngineError, match=r"\.mkv"):
            async with stream.recording(tmp_path / "call.ivf"):
                await trio.sleep(2)
        with pytest.raises(EngineError, match="No space left"):
            async with far.recording("/dev/full", format="mkv", video=stream):
                pass
        (sound,) = far.remote_streams.value - {stream}
        with pytest.raises(StreamTypeMismatchError):
            sound.recording(tmp_path / "call.mkv")
        with pytest.raises(InvalidArgumentsError):
            call.recording(tmp_path / "call.mkv", video=stream)


async def test_a_disk_that_fills_up_is_told_when_the_recording_is_left(
    autojump_clock, tmp_path
) -> None:
    clip = make_clip(tmp_path / "clip.ivf", "VP8")
    async with two() as (client, call, _, far):
        _, stream = await begin(client, call, far, VideoFileSource(clip, loop=True))

        with pytest.raises(EngineError, match="No space left"):
            async with stream.recording("/dev/full", format="ivf"):
                await trio.sleep(3)


async def test_a_recording_that_the_call_ended_is_whole(autojump_clock, tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.ivf", "VP8")
    path = tmp_path / "call.mkv"
    async with two() as (client, call, _, far):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(begin, client, call, far, VideoFileSource(clip)))
            async with far.recording(path) as recording:
                await trio.sleep(3)
                call.hangup()
                await far.wait_ended()

    found = decode(path)
    assert len(found.times) >= 50
    assert recording.seconds == pytest.approx(found.length, abs=0.01)


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_frames_that_a_program_encodes_arrive_as_they_were(
    autojump_clock, codec, tmp_path
) -> None:
    encoded = encoded_frames(make_clip(tmp_path / "clip.ivf", codec))
    async with two(settings(codec), preferred_video_codec=codec) as (client, call, _, far):
        source = EncodedVideoSource(codec)
        _, stream = await begin(client, call, far, source)
        with stream.encoded_frames() as frames:
            for number, data in enumerate(encoded):
                assert source.send(data, pts=number / 25) == 1
                await trio.sleep(0.04)
            found = [await anext(frames) for _ in encoded]

    # What begins a picture of AV1 in a file is none of the picture.
    assert [one.data for one in found] == [data.removeprefix(b"\x12\x00") for data in encoded]
    assert [number for number, one in enumerate(found) if one.is_key] == [0, 25]
    assert {one.codec for one in found} == {codec}


@pytest.mark.parametrize("codec", ["VP8", "AV1"])
async def test_pictures_are_decoded_for_a_program(autojump_clock, codec, tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.ivf", codec)
    async with two(settings(codec), preferred_video_codec=codec) as (client, call, _, far):
        _, stream = await begin(client, call, far, VideoFileSource(clip))
        with stream.decoded_frames() as pictures:
            await trio.sleep(3)
            found = [await anext(pictures) for _ in range(25)]
        assert pictures.lost == 0
        (sound,) = far.remote_streams.value - {stream}
        with pytest.raises(StreamTypeMismatchError):
            sound.decoded_frames()

    assert {(one.width, one.height) for one in found} == {(160, 96)}
    assert {round(float(one.array.mean()) / 8) for one in found} <= {
        round(shade(number) / 8) + near for number in range(50) for near in (-1, 0, 1)
    }


async def test_figures_of_video_tell_frames_sizes_and_requests(autojump_clock, tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.ivf", "VP8")
    async with two(media="webrtc") as (client, call, _, far):
        _, stream = await begin(client, call, far, VideoFileSource(clip, loop=True))
        with stream.encoded_frames() as frames:
            async for frame in frames:
                if frame.pts > 1.0 and not far.statistics().streams[-1].plis:
                    frames.want_key_frame()
                if frame.pts > 4.0:
                    break
        ours = next(
            s for s in call.statistics().streams if (s.kind, s.direction) == ("video", "sent")
        )
        theirs = far.statistics().streams[-1]

    assert (theirs.kind, theirs.direction) == ("video", "received")
    assert (theirs.width, theirs.height) == (160, 96)
    assert theirs.frame_rate == pytest.approx(25, abs=2)
    assert ours.frame_rate == pytest.approx(25, abs=2)
    assert theirs.plis >= 1
    assert ours.plis == theirs.plis
    assert (ours.firs, theirs.firs, theirs.nacks, theirs.frames_dropped) == (0, 0, 0, 0)
    assert abs(ours.frames - theirs.frames) <= 2
    assert ours.key_frames >= theirs.key_frames >= 4
    audio = call.statistics().streams[0] if call.statistics().streams else None
    assert audio is None or audio.frames is None
