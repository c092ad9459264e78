"""Every example runs, and does what its first line says, on real sockets."""

from __future__ import annotations

import importlib.util
import itertools
import wave
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trio

import trivox

EXAMPLES = Path(__file__).parent.parent / "examples"
LISTEN = ("sip:127.0.0.1:0;transport=udp",)
RTP = trivox.CallSettings(media="rtp")

pytestmark = [pytest.mark.native, pytest.mark.slow]


def example(name: str):
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def write_tone(path: Path, hz: float, seconds: float) -> Path:
    time = np.arange(int(seconds * 16_000)) / 16_000
    samples = (np.sin(2 * np.pi * hz * time) * 8000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return path


def heard_hz(path: Path, channel: int, from_s: float, seconds: float) -> float:
    with wave.open(str(path)) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    part = data.reshape(-1, channels)[int(from_s * rate) : int((from_s + seconds) * rate), channel]
    assert np.sqrt(np.mean(part.astype(float) ** 2)) > 200, "silence"
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    return float(np.argmax(spectrum) * rate / len(part))


@asynccontextmanager
async def serving(handler):
    """A server with that handler, and a caller: yields the caller's client and the server's address."""
    async with (
        trivox.open_client(listen=LISTEN) as server,
        trivox.open_client(listen=LISTEN) as caller,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(server.serve, handler)
        port = trivox.sip.Uri.parse(str(server.listening_on[0])).port
        yield caller, f"sip:example@127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


async def test_echo_sends_back_what_it_hears(tmp_path):
    recording = tmp_path / "caller.wav"
    async with serving(example("echo").echo) as (caller, address):
        async with caller.dial(address, RTP) as call, call.recording(recording):
            with trio.move_on_after(2):
                await call.play(trivox.ToneSource((440.0,)))

    assert heard_hz(recording, 0, 1.0, 0.5) == pytest.approx(440, abs=8)


async def test_outgoing_call_plays_the_question_and_records_the_answer(tmp_path):
    question = write_tone(tmp_path / "question.wav", 700, 0.5)
    answer = tmp_path / "answer.wav"

    async def callee(call: trivox.Call) -> None:
        await call.answer()
        async with call.cancel_on_end():
            await call.play(trivox.ToneSource((1200.0,)))

    async with serving(callee) as (_, address):
        connected = await example("outgoing_call").ask(address, str(question), str(answer), 1.0)

    assert connected
    assert heard_hz(answer, 0, 0.8, 0.5) == pytest.approx(1200, abs=8)
    assert heard_hz(answer, 1, 0.1, 0.3) == pytest.approx(700, abs=8)


async def test_outgoing_call_says_why_it_did_not_connect(tmp_path, capsys):
    question = write_tone(tmp_path / "question.wav", 700, 0.2)

    async def busy(call: trivox.Call) -> None:
        call.reject(trivox.RejectMode.BUSY)

    async with serving(busy) as (_, address):
        connected = await example("outgoing_call").ask(address, str(question), str(tmp_path / "a"))

    assert not connected
    assert "486" in capsys.readouterr().out


async def test_ivr_plays_the_choice_of_the_digit(tmp_path):
    write_tone(tmp_path / "menu.wav", 300, 0.6)
    write_tone(tmp_path / "1.wav", 900, 0.8)
    write_tone(tmp_path / "sorry.wav", 500, 0.3)
    recording = tmp_path / "caller.wav"
    async with serving(example("ivr").Menu(tmp_path)) as (caller, address):
        async with caller.dial(address, RTP) as call, call.recording(recording):
            await trio.sleep(0.3)
            call.send_dtmf("1")
            with trio.fail_after(10):
                await call.wait_ended()

    with wave.open(str(recording)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert heard_hz(recording, 0, seconds - 0.6, 0.4) == pytest.approx(900, abs=8)


async def test_dialer_calls_everybody_and_notes_the_keys(tmp_path):
    message = write_tone(tmp_path / "message.wav", 700, 0.5)

    async def callee(call: trivox.Call) -> None:
        match call.destination.removeprefix("sip:").partition("@")[0]:
            case "busy":
                call.reject(trivox.RejectMode.BUSY)
            case "short":
                await call.answer()
            case _:
                await call.answer()
                await call.wait_connected()
                call.send_dtmf("1")
                await call.wait_ended()

    async with serving(callee) as (caller, address):
        people = [address.replace("example", who) for who in ("busy", "keen", "short")]
        dialer = example("dialer").Dialer(caller, message, at_once=2, per_second=20, settings=RTP)
        rows = await dialer.run([*people, people[0]])

    busy, keen, short = people
    assert rows == [(busy, "486 Busy Here", ""), (keen, "answered", "1"), (short, "hung up", "")]


async def test_dialer_writes_what_it_was_told(tmp_path):
    message, results = write_tone(tmp_path / "message.wav", 700, 0.3), tmp_path / "results.csv"

    async def busy(call: trivox.Call) -> None:
        call.reject(trivox.RejectMode.BUSY)

    async with serving(busy) as (_, address):
        await example("dialer").call_all([address], str(message), str(results))

    assert results.read_text().strip() == f"{address},486 Busy Here,"


async def test_load_test_counts_what_came_of_each_call():
    echo = example("echo").echo
    full = itertools.cycle((False, False, True))

    async def sometimes(call: trivox.Call) -> None:
        if next(full):
            call.reject(trivox.RejectMode.BUSY)
        else:
            await echo(call)

    async with serving(sometimes) as (_, address):
        result = await example("load_test").run(address, 6, 20.0, 1.0)

    assert len(result.setups) == len(result.losses) == 4
    assert result.failures.total() == 2
    assert not result.is_good
    assert "4 calls were good, 2 were not" in str(result)


async def test_recorder_keeps_both_sides(tmp_path):
    async with serving(example("recorder").Recorder(tmp_path)) as (caller, address):
        async with caller.dial(address, RTP) as call:
            with trio.move_on_after(1.5):
                await call.play(trivox.ToneSource((440.0,)))
        with trio.fail_after(5):
            while not list(tmp_path.glob("*.wav")):
                await trio.sleep(0.05)
        await trio.sleep(0.5)

    (recording,) = tmp_path.glob("*.wav")
    assert heard_hz(recording, 0, 0.7, 0.5) == pytest.approx(440, abs=8)
    assert heard_hz(recording, 1, 0.1, 0.2) == pytest.approx(1000, abs=10)


async def test_conference_lets_callers_of_one_room_hear_each_other(tmp_path):
    module = example("conference")
    async with trivox.open_client(listen=LISTEN) as server:
        rooms = module.Rooms(server)
        port = trivox.sip.Uri.parse(str(server.listening_on[0])).port
        failures = []
        server.on(trivox.HandlerFailed, lambda event: failures.append(event.error))

        async def speak(caller, room: str, hz: float) -> None:
            address = f"sip:{room}@127.0.0.1:{port}"
            async with caller.dial(address, RTP) as call, call.recording(tmp_path / f"{hz}.wav"):
                with trio.move_on_after(3):
                    await call.play(trivox.ToneSource((hz,)))

        async with trivox.open_client(listen=LISTEN) as caller, trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, lambda call: module.take_part(rooms, call))
            async with trio.open_nursery() as callers:
                for room, hz in (("one", 440.0), ("one", 900.0), ("two", 1300.0)):
                    callers.start_soon(speak, caller, room, hz)
            nursery.cancel_scope.cancel()
        counts = server.statistics().engine
        assert (counts["rooms"], counts["members"]) == (0, 0)
        assert failures == []

    assert heard_hz(tmp_path / "440.0.wav", 0, 1.5, 0.5) == pytest.approx(900, abs=8)
    assert heard_hz(tmp_path / "900.0.wav", 0, 1.5, 0.5) == pytest.approx(440, abs=8)
    with pytest.raises(AssertionError, match="silence"):
        heard_hz(tmp_path / "1300.0.wav", 0, 1.5, 0.5)


def test_asyncio_agent_says_back_what_it_hears(tmp_path):
    module = example("asyncio_agent")
    recording = tmp_path / "caller.wav"

    async def both() -> None:
        async with serving(module.agent) as (caller, address):
            async with caller.dial(address, RTP) as call, call.recording(recording):
                with trio.move_on_after(3):
                    await call.play(trivox.ToneSource((440.0,)))

    module.run_as_guest(both)

    assert heard_hz(recording, 0, 2.0, 0.5) == pytest.approx(440, abs=8)


async def test_voice_agent_says_back_what_it_hears_and_stops_when_interrupted(tmp_path, capsys):
    recording = tmp_path / "caller.wav"
    speech = Path(trivox.__file__).parent / "cli" / "data" / "reply.wav"
    async with serving(example("voice_agent").handler) as (caller, address):
        async with caller.dial(address, RTP) as call, call.recording(recording):
            await call.play(speech)
            await trio.sleep(2.0)
            await call.play(speech)
            await trio.sleep(1.0)

    printed = capsys.readouterr().out
    assert "interrupted after" in printed
    assert 300 < int(printed.split("interrupted after ")[1].split()[0]) < 3_000
    with wave.open(str(recording)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    received = data[:, 0].astype(float)
    levels = np.sqrt(np.mean(received[: len(received) // 800 * 800].reshape(-1, 800) ** 2, axis=1))
    assert levels[:40].max() < 200, "nothing is said back before the sentence is over"
    assert levels.max() > 1000


async def test_the_data_channel_example_sends_messages_back():
    webrtc = trivox.CallSettings(media="webrtc")
    async with (
        serving(example("data_channel").echo) as (caller, server),
        caller.create_call(server, webrtc) as call,
    ):
        channel = call.create_data_channel("chat")
        await call.start()
        async with channel:
            for message in ("text", b"bytes"):
                await channel.send(message)
                assert await channel.receive() == message
