"""Every kind of source in a call: by play, as a stream, as a prompt."""

from __future__ import annotations

import math
import re
import wave

import pytest
import trio

import trivox
from trivox.call.events import StreamEnded
from trivox.call.streams import LocalStream
from trivox.errors import CallEndedError, EngineError, InvalidArgumentsError
from trivox.media.sources import MixSource, MusicOnHoldSource, SilenceSource, ToneSource


def _blocks(count: int):
    for _ in range(count):
        yield bytes(2 * 1600)


async def _async_blocks(count: int):
    for _ in range(count):
        await trio.sleep(0.01)
        yield bytes(2 * 1600)


def _file(tmp_path) -> str:
    path = tmp_path / "prompt.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * 8000))
    return str(path)


SOURCES = {
    "file": lambda tmp_path: _file(tmp_path),
    "tone": lambda tmp_path: ToneSource(duration=1.0),
    "silence": lambda tmp_path: SilenceSource(1.0),
    "mixture": lambda tmp_path: MixSource((_file(tmp_path), ToneSource(duration=0.5))),
    "iterable": lambda tmp_path: trivox.IterSource(_blocks(10)),
    "async iterable": lambda tmp_path: trivox.AsyncIterSource(_async_blocks(10)),
}


@pytest.mark.parametrize("kind", SOURCES)
async def test_each_source_plays_to_its_end(autojump_clock, pair, tmp_path, kind: str) -> None:
    async def body(call, far) -> None:
        began = trio.current_time()
        await call.play(SOURCES[kind](tmp_path))

        # Virtual time does not wait for the thread that an iterable is asked in.
        most = math.inf if kind == "iterable" else 1.15
        assert 0.99 < trio.current_time() - began < most

    await pair.run(body)


@pytest.mark.parametrize("kind", SOURCES)
async def test_each_source_is_a_prompt_that_a_key_stops(
    autojump_clock, pair, tmp_path, kind: str
) -> None:
    async def body(call, far) -> None:
        async def press() -> None:
            await trio.sleep(0.4)
            pair.world.media.sessions.press(call._leg.session, "7")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(press)
            began = trio.current_time()
            digits = await call.collect_dtmf(prompt=SOURCES[kind](tmp_path), max_digits=1)

        assert digits == "7"
        assert trio.current_time() - began == pytest.approx(0.4, abs=0.05)
        assert pair.world.engine.counts()["playbacks"] == 0

    await pair.run(body)


async def test_each_source_makes_a_stream(autojump_clock, world, tmp_path) -> None:
    async def answer(call) -> None:
        await call.answer()
        await call.wait_ended()

    async with (
        world().with_server(answer) as (client, uri),
        client.dial(uri) as call,
    ):
        for make in SOURCES.values():
            await call.add_stream(client.streams.create_audio_stream(make(tmp_path)))
        push = trivox.PushSource()
        await call.add_stream(client.streams.create_audio_stream(push))
        assert len(call.local_streams.value) == len(SOURCES) + 2

        await push.send(bytes(2 * 1600))
        await push.wait_played()
        push.close()

        # All but the call's own have ended; virtual time does not wait for a thread.
        await call.local_streams.wait_value(lambda streams: len(streams) == 1)


async def test_a_remote_stream_is_relayed_until_its_call_ends(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        (stream,) = far.remote_streams.value
        source = trivox.RemoteSource(stream)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.play, source)
            await trio.sleep(1)
            assert pair.world.engine.counts()["playbacks"] == 1
            nursery.cancel_scope.cancel()
        with pytest.raises(InvalidArgumentsError):
            trivox.RemoteSource("a path")

    await pair.run(body)


async def test_a_remote_stream_is_read_and_iterated(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        (stream,) = call.remote_streams.value
        assert len(await stream.read(0.5, rate=8000)) == 8000
        with stream.frames(rate=8000, chunk=0.1) as frames:
            frame = await anext(frames)
        assert len(bytes(frame)) == 1600
        call.hangup()
        await call.wait_ended()
        with pytest.raises(CallEndedError):
            stream.frames()

    await pair.run(body)


def _broken():
    yield bytes(2 * 1600)
    raise ValueError("mine")


async def _broken_async():
    yield bytes(2 * 1600)
    raise trio.ClosedResourceError("mine")


BROKEN = {
    "iterable": (lambda: trivox.IterSource(_broken()), ValueError),
    "async iterable": (lambda: trivox.AsyncIterSource(_broken_async()), trio.ClosedResourceError),
}
# Virtual time does not wait for the thread that an iterable is asked in.
TOLD = r"after (0\.[1-9]|[1-9])\d*(\.\d+)? s: (Value|ClosedResource)Error: mine"


@pytest.mark.parametrize("kind", BROKEN)
async def test_an_iterable_that_raises_is_told_behind_what_it_gave(
    autojump_clock, pair, caplog, kind: str
) -> None:
    make, cause = BROKEN[kind]

    async def body(call, far) -> None:
        source = make()
        with pytest.raises(EngineError, match=TOLD) as raised:
            await call.play(source)

        assert isinstance(raised.value.__cause__, cause)
        assert source.error is raised.value.__cause__
        assert "IterSource" in caplog.text
        with pytest.raises(EngineError, match=TOLD) as raised:
            await call.collect_dtmf(prompt=MixSource((make(), SilenceSource(0.11))))
        assert isinstance(raised.value.__cause__, cause)

    await pair.run(body)


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_stream_of_an_iterable_that_raises_ends_with_the_error(
    autojump_clock, pair, kind: str
) -> None:
    make, cause = BROKEN[kind]

    async def body(call, far) -> None:
        stream = LocalStream("broken", make())
        await call.add_stream(stream)
        async with call.events(StreamEnded) as ended:
            event = await anext(ended)
        assert event.stream is stream
        assert re.search(TOLD, str(event.error))
        assert isinstance(event.error.__cause__, cause)

    await pair.run(body)


DAMAGED = r"after 1\.500 s: the FLAC file is damaged"


async def _damage(call) -> None:
    await trio.sleep(2)
    ((kind, number),) = call._leg._pending
    call.handle_engine_event(kind, number, "1.500000 the FLAC file is damaged: here")


async def test_a_file_that_proves_damaged_raises_with_what_was_heard(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_damage, call)
            with pytest.raises(EngineError, match=DAMAGED):
                await call.play(SilenceSource(10.0))

    await pair.run(body)


async def test_a_prompt_that_proves_damaged_raises_and_keeps_keys(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_damage, call)
            with pytest.raises(EngineError, match=DAMAGED):
                await call.collect_dtmf(prompt=SilenceSource(10.0))
        far.send_dtmf("42#")
        assert await call.collect_dtmf(prompt=SilenceSource(10.0)) == "42"

    await pair.run(body)


async def test_a_stream_that_proves_damaged_ends_with_the_error(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        stream = LocalStream("broken", SilenceSource(10.0))
        await call.add_stream(stream)
        async with call.events(StreamEnded) as ended, stream.events() as told:
            await _damage(call)
            event = await anext(ended)
            assert await anext(told) is event
        assert event.stream is stream
        assert isinstance(event.error, EngineError)
        assert re.search(DAMAGED, str(event.error))
        assert stream not in call.local_streams.value

    await pair.run(body)


async def test_music_on_hold_that_proves_damaged_is_told_and_the_hold_goes_on(
    autojump_clock, pair
) -> None:
    async def body(call, far) -> None:
        await call.hold(music=SilenceSource(10.0))
        async with call.events(trivox.HoldMusicFailed) as failed:
            await _damage(call)
            event = await anext(failed)
        assert re.search(DAMAGED, str(event.error))
        assert (call.is_on_hold.value, far.is_remotely_held.value) == (True, True)
        await call.hold(False)

    await pair.run(body)


async def test_music_on_hold_goes_round(autojump_clock, pair, tmp_path) -> None:
    async def body(call, far) -> None:
        await call.hold(music=MusicOnHoldSource(_file(tmp_path)))
        await trio.sleep(5)
        assert pair.world.engine.counts()["playbacks"] == 1
        await call.hold(enable=False)

    await pair.run(body)


@pytest.mark.parametrize(
    ("name", "wanted"), [("a.wav", "wav"), ("a.OGG", "ogg"), ("a.opus", "ogg")]
)
def test_the_format_of_a_recording_goes_by_its_name(name: str, wanted: str) -> None:
    from trivox.call.recording import Recording

    async def begin() -> None: ...

    recording = Recording(None, name, "both", None, begin)
    assert recording.format == wanted


async def test_ports_that_were_closed_are_forgotten(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        (stream,) = call.remote_streams.value
        for _ in range(10):
            await stream.read(0.1)
        assert len(call._leg._ports) == 1

    await pair.run(body)
