"""Video of calls over the real engine in virtual time: sent, received, passed on, shared screens."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel

from trivox.call.codec_info import CodecInfo
from trivox.call.events import CallUpgrade, RemoteMediaAdded, RemoteMediaRemoved, StreamEnded
from trivox.call.settings import CallSettings
from trivox.call.streams import LocalStream, StreamType
from trivox.errors import (
    CallOnHoldError,
    EngineError,
    InactiveStreamError,
    InvalidArgumentsError,
    StreamAlreadySendingError,
    StreamNotSendingError,
    StreamTypeMismatchError,
    StreamUpdateFailedError,
)
from trivox.media.native_engine import driven_media
from trivox.media.sources import ToneSource
from trivox.media.video import EncodedVideoSource, VideoFileSource
from trivox.testing.far_end import SDP

from .conftest import World

pytestmark = pytest.mark.native

URI = "sip:bob@10.0.0.2:5060"
RECEIVING = CallSettings(receive_video=True)


class VideoWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.media = driven_media(seed=b"video", now=trio.current_time())


@asynccontextmanager
async def two(theirs: CallSettings = RECEIVING, **ours):
    """Two connected calls of two clients; yields (our client, our call, their client, their call)."""
    world, arrived, calls = VideoWorld(), trio.Event(), []

    async def handler(call) -> None:
        calls.append(call)
        await call.answer(theirs)
        await call.wait_connected()
        arrived.set()
        await call.wait_ended()

    async with world.client() as near, world.client("10.0.0.2") as far:
        async with trio.open_nursery() as nursery:
            await nursery.start(far.serve, handler)
            async with near.dial(URI, CallSettings(**ours)) as call:
                await arrived.wait()
                yield near, call, far, calls[0]
            nursery.cancel_scope.cancel()
    world.media.close()


def frame(number: int, *, key: bool) -> bytes:
    """A frame of VP8 as far as anybody here looks at it."""
    return bytes([0x10 if key else 0x31, number]) + bytes(3000 if key else 800)


async def send(source: EncodedVideoSource, count: int) -> None:
    """Send 25 frames a second, with the key frames that are wanted."""
    wanted = trio.Event()

    async def watch() -> None:
        while True:
            await source.wait_key_frame_wanted()
            wanted.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.lowlevel.checkpoint()
        nonce = wanted
        for number in range(count):
            key = nonce.is_set()
            if key:
                wanted = nonce = trio.Event()
            source.send(frame(number, key=key), pts=number / 25)
            await trio.sleep(0.04)
        nursery.cancel_scope.cancel()


async def read(stream, count: int) -> list[int]:
    with stream.encoded_frames() as frames:
        numbers = []
        async for one in frames:
            assert (one.codec, one.is_key) == ("VP8", one.data[0] == 0x10)
            numbers.append(one.data[1])
            if len(numbers) == count:
                break
    return numbers


def video_of(call):
    streams = [one for one in call.remote_streams.value if one.type is not StreamType.AUDIO]
    return streams[0] if streams else None


@pytest.mark.parametrize("media", ["rtp", "srtp", "dtls", "webrtc"])
async def test_a_video_stream_is_sent_received_and_taken_away(autojump_clock, media) -> None:
    async with two(media=media) as (client, call, _, far):
        seen: list[str] = []
        for kind in (RemoteMediaAdded, RemoteMediaRemoved):
            far.on(kind, lambda event: seen.append(f"{type(event).__name__} {event.type}"))
        source = EncodedVideoSource()
        stream = client.streams.create_video_stream(source)
        await call.add_stream(stream)
        await trio.sleep(0.5)
        assert stream in call.local_streams.value
        assert call.is_video_enabled.value
        assert far.is_video_enabled.value
        received = video_of(far)
        assert (received.type, received.codec.value) == (StreamType.VIDEO, CodecInfo("VP8", 90_000))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, source, 30)
            numbers = await read(received, 20)
        assert numbers == list(range(numbers[0], numbers[0] + 20))

        await call.remove_stream(stream)
        await trio.sleep(0.1)
        assert video_of(far) is None
        assert seen == ["RemoteMediaAdded video", "RemoteMediaRemoved video"]
        assert stream not in call.local_streams.value
        assert stream.is_active.value
        assert not call.is_video_enabled.value
        await call.add_stream(stream)
        await trio.sleep(0.1)
        assert video_of(far) is not None


async def test_a_call_can_be_placed_and_answered_with_video(autojump_clock) -> None:
    ours, theirs = EncodedVideoSource(), EncodedVideoSource()
    one = LocalStream("one", ours, type=StreamType.VIDEO)
    other = LocalStream("other", theirs, type=StreamType.VIDEO)
    async with two(CallSettings(streams=(other,)), streams=(one,)) as (_, call, _, far):
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, ours, 20)
            nursery.start_soon(send, theirs, 20)
            nursery.start_soon(read, video_of(call), 10)
            nursery.start_soon(read, video_of(far), 10)


async def test_a_screen_has_a_line_of_its_own_beside_the_camera(autojump_clock) -> None:
    async with two(media="webrtc") as (client, call, _, far):
        camera = client.streams.create_video_stream(EncodedVideoSource())
        await call.add_stream(camera)
        source = EncodedVideoSource()
        streams = client.streams.create_screen_sharing_stream(source, ToneSource())
        await call.start_screen_sharing(streams)
        await trio.sleep(0.2)
        assert call.has_screen_sharing.value
        assert not far.has_screen_sharing.value
        kinds = {one.type for one in far.remote_streams.value}
        assert kinds == {StreamType.AUDIO, StreamType.VIDEO, StreamType.SCREEN_VIDEO}
        (screen,) = [s for s in far.remote_streams.value if s.type is StreamType.SCREEN_VIDEO]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, source, 20)
            assert len(await read(screen, 10)) == 10
        with pytest.raises(StreamAlreadySendingError):
            await call.start_screen_sharing(streams)

        await call.stop_screen_sharing()
        await trio.sleep(0.1)
        assert not call.has_screen_sharing.value
        assert StreamType.SCREEN_VIDEO not in {one.type for one in far.remote_streams.value}
        with pytest.raises(StreamNotSendingError):
            await call.stop_screen_sharing()


async def test_what_one_call_receives_is_passed_on_to_another(autojump_clock) -> None:
    async with two(media="webrtc") as (client, call, middle, received):
        source = EncodedVideoSource()
        await call.add_stream(client.streams.create_video_stream(source))
        await trio.sleep(0.2)
        onward = middle.streams.create_video_stream(video_of(received).as_source())
        calls = client.incoming_calls()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, source, 150)
            second = middle.create_call("sip:carol@10.0.0.1:5060", CallSettings(media="webrtc"))
            await second.start()
            end = await calls.__anext__()
            await end.answer(RECEIVING)
            await second.wait_connected()
            await second.add_stream(onward)
            await trio.sleep(0.1)
            with trio.fail_after(1.0):
                first = await read(video_of(end), 1)
            assert first
            assert len(await read(video_of(end), 20)) == 20
            second.hangup()
            nursery.cancel_scope.cancel()
        calls.close()


async def test_an_offer_of_video_is_accepted_with_a_stream_of_ours(autojump_clock) -> None:
    async with two(CallSettings()) as (client, call, their_client, far):
        back = their_client.streams.create_video_stream(EncodedVideoSource())
        far.on(CallUpgrade, lambda event: event.accept(back))
        await call.add_stream(client.streams.create_video_stream(EncodedVideoSource()))
        await trio.sleep(0.2)
        assert back in far.local_streams.value
        assert video_of(far) is not None
        assert video_of(call) is not None


async def test_an_offer_waits_on_when_the_stream_for_it_cannot_be_sent(autojump_clock) -> None:
    async with two(CallSettings()) as (client, call, their_client, far):
        closed = their_client.streams.create_video_stream(EncodedVideoSource())
        closed.close()

        def accept(event) -> None:
            with pytest.raises(InactiveStreamError):
                event.accept(closed)
            assert event.status.value == "waiting"
            event.accept()

        far.on(CallUpgrade, accept)
        await call.add_stream(client.streams.create_video_stream(EncodedVideoSource()))
        await trio.sleep(0.1)
        assert video_of(far) is not None
        assert video_of(call) is None


async def test_refused_video_is_an_error_and_changes_nothing(autojump_clock) -> None:
    async with two(CallSettings()) as (client, call, _, far):
        stream = client.streams.create_video_stream(EncodedVideoSource())
        with pytest.raises(StreamUpdateFailedError):
            await call.add_stream(stream)
        assert stream not in call.local_streams.value
        assert not call.is_video_enabled.value
        far.on(CallUpgrade, lambda event: event.reject())
        with pytest.raises(StreamUpdateFailedError):
            await call.add_stream(stream)
        await call.hold()
        with pytest.raises(CallOnHoldError):
            await call.add_stream(stream)


async def test_a_file_is_played_and_its_end_told(autojump_clock, tmp_path) -> None:
    path = tmp_path / "clip.ivf"
    header = b"DKIF\0\0\x20\0VP80\x40\x01\xf0\0" + (25).to_bytes(4, "little")
    pictures = [
        len(one).to_bytes(4, "little") + number.to_bytes(8, "little") + one
        for number, one in enumerate(frame(n, key=n == 0) for n in range(25))
    ]
    path.write_bytes((header + (1).to_bytes(4, "little")).ljust(32, b"\0") + b"".join(pictures))
    async with two() as (client, call, _, far):
        ended = trio.Event()
        call.on(StreamEnded, lambda event: ended.set())
        began = trio.current_time()
        stream = client.streams.create_video_stream(VideoFileSource(path))
        await call.add_stream(stream)
        await ended.wait()
        assert trio.current_time() - began == pytest.approx(1.0, abs=0.2)
        await trio.sleep(0.1)
        assert stream not in call.local_streams.value
        assert video_of(far) is None


async def test_what_makes_no_sense_is_refused_before_anything_happens(autojump_clock) -> None:
    async with two() as (client, call, _, _far):
        camera = client.streams.create_video_stream(EncodedVideoSource())
        screen = client.streams.create_screen_sharing_stream(EncodedVideoSource())
        tone = client.streams.create_audio_stream(ToneSource())
        with pytest.raises(StreamTypeMismatchError):
            await call.add_stream(screen[0])
        with pytest.raises(StreamTypeMismatchError):
            await call.start_screen_sharing([camera])
        with pytest.raises(InvalidArgumentsError):
            await call.start_screen_sharing([])
        await call.add_stream(camera)
        with pytest.raises(StreamTypeMismatchError):
            await call.replace_stream(tone, camera)
        other = client.streams.create_video_stream(EncodedVideoSource())
        await call.replace_stream(other, camera)
        assert other in call.local_streams.value
        assert call._audio.told == call._audio.wish.asked, "the far end need not be asked again"
        assert camera not in call.local_streams.value
        camera.close()
        with pytest.raises(InactiveStreamError):
            await call.add_stream(camera)
        (audio,) = call.remote_streams.value
        with pytest.raises(StreamTypeMismatchError):
            audio.encoded_frames(layer="h")
        with pytest.raises(StreamTypeMismatchError):
            audio.as_source()


async def test_what_cannot_be_fed_ends_nothing(autojump_clock, tmp_path, caplog) -> None:
    rubbish = tmp_path / "rubbish.ivf"
    rubbish.write_bytes(b"no clip")
    async with two() as (client, call, _, far):
        gone = client.streams.create_video_stream(VideoFileSource(tmp_path / "gone.ivf"))
        with pytest.raises(EngineError):
            await call.add_stream(gone)
        assert gone not in call.local_streams.value
        bad = client.streams.create_video_stream(VideoFileSource(rubbish))
        await call.add_stream(bad)
        assert "is not sent" in caplog.text
        with pytest.raises(EngineError):
            await call.replace_stream(gone, bad)
        source = EncodedVideoSource()
        good = client.streams.create_video_stream(source)
        await call.replace_stream(good, bad)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, source, 20)
            assert len(await read(video_of(far), 10)) == 10


@pytest.mark.parametrize("bad", [{"codec": "H265"}, {"codec": "vp8"}])
def test_only_what_can_be_pushed_has_a_source(bad) -> None:
    with pytest.raises(InvalidArgumentsError):
        EncodedVideoSource(**bad)


def test_settings_order_the_codecs() -> None:
    settings = CallSettings(video_codecs=("h264", "vp8"), preferred_video_codec="vp8")
    assert settings.ordered_video_codecs == ("VP8", "H264")
    with pytest.raises(InvalidArgumentsError):
        CallSettings(video_codecs=("H263",))
    with pytest.raises(InvalidArgumentsError):
        CallSettings(preferred_video_codec="H263")


async def test_a_session_that_fails_as_it_connects_ends_no_client(
    autojump_clock, world, monkeypatch
) -> None:
    made = world()
    settings = CallSettings(receive_video=True)
    async with made.with_far_end() as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()

        def failed(session: int) -> list[tuple[int, str, str]]:
            raise EngineError(f"session {session} has failed")

        monkeypatch.setattr(made.engine, "video_lines", failed)
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await far.expect("ACK")
        await call.wait_connected()

        assert not call.is_video_enabled.value
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
