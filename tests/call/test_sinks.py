"""The sound of a received stream in a file, in a pipe, and in a function of the program."""

from __future__ import annotations

import wave

import pytest
import trio
from tests.media.pairs import tone_power
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

import trivox
from trivox.errors import CallEndedError, InvalidArgumentsError, StreamTypeMismatchError


def _stream(call):
    (stream,) = call.remote_streams.value
    return stream


async def test_a_file_sink_records_what_is_received(autojump_clock, pair, tmp_path) -> None:
    path = tmp_path / "heard.wav"

    async def body(call, far) -> None:
        async with _stream(call).into(trivox.FileSink(path)) as sinking:
            assert sinking.is_active
            await trio.sleep(1)
        with wave.open(str(path), "rb") as file:
            assert file.getnchannels() == 1
            assert file.getnframes() / file.getframerate() == pytest.approx(1.0, abs=0.1)

    await pair.run(body)


async def test_a_pipe_sink_writes_bare_samples_and_leaves_the_pipe_open(
    autojump_clock, pair
) -> None:
    ours, theirs = memory_stream_pair()

    async def body(call, far) -> None:
        async with _stream(call).into(trivox.PipeSink(ours, rate=8000)):
            await trio.sleep(1)
        await ours.send_all(b"open")
        data = await theirs.receive_some()
        assert data.endswith(b"open")
        assert len(data) - 4 == pytest.approx(2 * 8000, abs=2 * 800)

    await pair.run(body)


async def test_a_pipe_that_breaks_ends_the_sink_and_not_the_call(
    autojump_clock, pair, caplog
) -> None:
    ours, theirs = memory_stream_pair()
    await theirs.aclose()

    async def body(call, far) -> None:
        with pytest.raises(trio.BrokenResourceError):
            async with _stream(call).into(trivox.PipeSink(ours)) as sinking:
                await trio.sleep(0.5)
                assert not sinking.is_active
                assert isinstance(sinking.error, trio.BrokenResourceError)
        assert call.state.value == "connected"
        assert "PipeSink ended early" in caplog.text

    await pair.run(body)


async def test_a_function_is_given_every_frame_in_a_thread(autojump_clock, pair) -> None:
    pts: list[float] = []
    enough = trio.Event()

    def take(frame: trivox.AudioFrame) -> None:
        with pytest.raises(RuntimeError):
            trio.lowlevel.current_task()
        assert len(bytes(frame)) == 2 * 800
        pts.append(frame.pts)
        if len(pts) == 10:
            trio.from_thread.run_sync(enough.set)

    async def body(call, far) -> None:
        async with _stream(call).into(trivox.CallbackSink(take, rate=8000)):
            await enough.wait()
        assert pts[:10] == pytest.approx([index / 10 for index in range(10)])

    await pair.run(body)


async def test_what_a_function_raises_comes_out_on_leaving(autojump_clock, pair, caplog) -> None:
    error = ValueError("mine")

    def refuse(frame: trivox.AudioFrame) -> None:
        raise error

    async def body(call, far) -> None:
        with pytest.raises(ValueError) as caught:
            async with _stream(call).into(trivox.CallbackSink(refuse)) as sinking:
                while sinking.is_active:
                    await trio.sleep(0.1)
        assert caught.value is error
        assert "CallbackSink ended early" in caplog.text
        with pytest.raises(KeyError):
            async with _stream(call).into(trivox.CallbackSink(refuse)) as sinking:
                while sinking.is_active:
                    await trio.sleep(0.1)
                raise KeyError
        assert call.state.value == "connected"

    await pair.run(body)


async def test_a_sink_ends_with_its_call_and_when_it_is_cancelled(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with trio.move_on_after(0.5):
            async with _stream(call).into(trivox.CallbackSink(bytes)) as cancelled:
                await trio.sleep_forever()
        await wait_all_tasks_blocked()
        assert not cancelled.is_active
        stream = _stream(call)
        async with stream.into(trivox.CallbackSink(bytes)) as sinking:
            call.hangup()
            await call.wait_ended()
            await wait_all_tasks_blocked()
            assert not sinking.is_active
        with pytest.raises(CallEndedError):
            stream.into(trivox.CallbackSink(bytes))

    await pair.run(body)


async def test_what_is_no_sink_is_refused(autojump_clock, pair) -> None:
    for make in (trivox.FileSink, trivox.PipeSink, trivox.CallbackSink):
        with pytest.raises(InvalidArgumentsError):
            make(None)

    async def body(call, far) -> None:
        with pytest.raises(InvalidArgumentsError):
            _stream(call).into("heard.wav")

    await pair.run(body)


@pytest.mark.native
async def test_a_function_hears_what_the_far_end_plays() -> None:
    heard = bytearray()
    enough = trio.Event()

    async def sing(call: trivox.Call) -> None:
        await call.answer()
        await call.play(trivox.ToneSource((440.0,)))

    with trio.fail_after(30):
        async with (
            trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as callee,
            trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as caller,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(callee.serve, sing)

            def take(frame: trivox.AudioFrame) -> None:
                if frame.level > -20.0:
                    heard.extend(bytes(frame))
                if len(heard) >= 2 * 8000:
                    trio.from_thread.run_sync(enough.set)

            target = callee.listening_on[0].replace("sip:", "sip:sing@", 1)
            async with (
                caller.dial(target) as call,
                _stream(call).into(trivox.CallbackSink(take, rate=8000)),
            ):
                await enough.wait()
            nursery.cancel_scope.cancel()

    samples = memoryview(bytes(heard)).cast("h")[:4000]
    assert tone_power(samples.tolist(), 8000, 440.0) > 0.5


async def test_packets_are_read_as_they_came_until_the_call_ends(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        stream = _stream(call)
        tap = stream.rtp_packets(batch=10)
        sequences = []
        async for packet in tap:
            assert len(packet.payload) == 160
            sequences.append(packet.sequence)
            if len(sequences) == 50:
                call.hangup()
        assert sequences[:50] == list(range(50))
        assert (tap.is_closed, tap.lost) == (True, 0)
        with pytest.raises(CallEndedError):
            stream.rtp_packets()

    await pair.run(body)


async def test_encoded_sound_is_read_until_the_call_ends(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        stream = _stream(call)
        with pytest.raises(StreamTypeMismatchError):
            stream.encoded_frames(max_height=360)
        frames = stream.encoded_frames()
        taken = []
        async for frame in frames:
            assert (frame.codec, frame.is_key, len(frame.data)) == ("PCMU", True, 160)
            taken.append(frame.pts)
            if len(taken) == 50:
                call.hangup()
        assert taken[:50] == pytest.approx([0.02 * number for number in range(50)])
        assert (frames.is_closed, frames.lost) == (True, 0)
        with pytest.raises(CallEndedError):
            stream.encoded_frames()

    await pair.run(body)


async def test_each_encoded_frame_of_sound_is_told_of_when_it_comes(autojump_clock, pair) -> None:
    """A wake-up for each, not one for several: they come at as many times as there are frames."""

    async def body(call, far) -> None:
        moments = []
        with _stream(call).encoded_frames() as frames:
            await anext(frames)
            while len(moments) < 20:
                await anext(frames)
                moments.append(trio.current_time())
        assert len(set(moments)) == 20

    await pair.run(body)


async def test_frames_wait_as_many_as_asked_for_and_the_oldest_go(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with _stream(call).frames(8000, chunk=0.1, maxlen=5) as port:
            await trio.sleep(2)
            frames = []
            async for frame in port:
                frames.append(frame.pts)
                if len(frames) == 5:
                    break
        assert frames == pytest.approx([frames[0] + index / 10 for index in range(5)])
        assert frames[0] == pytest.approx(1.5, abs=0.15)
        assert port.lost == round(frames[0] * 10)

    await pair.run(body)


async def test_a_reader_of_frames_is_told_what_it_lost_and_goes_on(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        stream = _stream(call)
        port = stream.frames(8000, chunk=0.1, maxlen=5, overflow=trivox.Overflow.RAISE)
        await trio.sleep(2)
        before = [(await anext(port)).pts for _ in range(5)]
        with pytest.raises(trivox.EventOverflowError) as told:
            await anext(port)
        after = await anext(port)

        assert before == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
        assert told.value.lost == port.lost == round((after.pts - 0.5) * 10)
        assert after.pts == pytest.approx(2.0, abs=0.15)
        call.hangup()
        rest = [frame.pts async for frame in port]
        assert len(rest) <= 5

    await pair.run(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxlen": 0},
        {"maxlen": -1},
        {"maxlen": 601},
        {"overflow": trivox.Overflow.COALESCE},
        {"rate": 1},
        {"chunk": 1.0},
    ],
)
async def test_frames_out_of_range_are_refused_and_leave_nothing(
    autojump_clock, pair, wrong
) -> None:
    async def body(call, far) -> None:
        ports = pair.world.engine.counts()["ports"]
        with pytest.raises(InvalidArgumentsError):
            _stream(call).frames(**wrong)
        assert pair.world.engine.counts()["ports"] == ports

    await pair.run(body)
