"""Packets of 10 to 60 ms both ways, and how long sound takes, on the real engine in virtual time."""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import connect_with, read_wav, tone_power

from trivox.media.engine import EngineEventKind as Kind
from trivox.media.port import AudioPort

if TYPE_CHECKING:
    from pathlib import Path

    from tests.media.pairs import Side
    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

pytestmark = pytest.mark.native

NETWORK = 0.01
"""Seconds that a packet is on its way between two sessions of a driven engine."""

LENGTHS = [(codec, ms) for codec in ("PCMU", "G722", "L16") for ms in (10, 20, 30, 40, 50, 60)]
LENGTHS += [("opus", ms) for ms in (10, 20, 40, 60)]


@pytest.mark.parametrize(("codec", "ms"), LENGTHS)
async def test_packets_of_every_length_come_evenly_and_are_heard_whole(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path, codec: str, ms: int
) -> None:
    caller, callee = await connect_with(media, codec, ms)
    sessions = media.sessions
    tap = sessions.open_rtp_tap(callee.session, batch=50)
    sessions.play_tone(caller.session, [440.0], [], 4.0, -12.0)
    await trio.sleep(1)
    path = tmp_path / "heard.wav"
    recording = sessions.start_recording(callee.session, str(path), "received")
    await trio.sleep(2)
    sessions.stop_recording(callee.session, recording)
    await callee.wait_for(Kind.RECORDING_ENDED, recording)

    packets, _ = sessions.take_rtp(tap, 1000)
    times = [at for at, *_ in packets]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([ms / 1000] * (len(times) - 1))
    rate, _, samples = read_wav(path)
    assert tone_power(samples[rate // 2 : rate + rate // 2], rate, 440.0) > 0.98
    assert sessions.statistics(callee.session)["concealed"] == 0


async def _delay(media: DrivenMedia, caller: Side, callee: Side, phase: float) -> float:
    """Return how long a loud frame takes from one program to the other."""
    rate = 8000
    mouth = AudioPort(media.sessions, caller.session, rate=rate)
    with AudioPort(media.sessions, callee.session, rate=rate) as ear:

        class Events:
            def handle_engine_event(self, kind: int, number: float, text: str) -> None:
                if number == ear.number:
                    ear.handle_engine_event(kind, text)

        media.attach(callee.session, Events())
        begin = trio.current_time() + phase
        async with trio.open_nursery() as nursery:

            async def talk() -> None:
                for turn in range(100):
                    await trio.sleep_until(begin + turn * 0.02)
                    peak = 12_000 if turn == 50 else 100
                    half = (peak).to_bytes(2, "little") + (-peak).to_bytes(2, "little", signed=True)
                    mouth.send_nowait(half * 80)

            nursery.start_soon(talk)
            async for frame in ear:
                if frame.level > -20.0:
                    nursery.cancel_scope.cancel()
                    return trio.current_time() - begin - 50 * 0.02
    raise AssertionError("the loud frame was not heard")


async def test_sound_waits_for_its_packet_and_for_12_ms_in_the_buffer_and_for_nothing_else(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    waits = []
    for turn in range(20):
        caller, callee = await connect_with(media, "PCMU")
        delay = await _delay(media, caller, callee, turn * 0.001)
        held = media.sessions.statistics(callee.session)["buffer_delay"]
        assert held == pytest.approx(0.012, abs=1e-4)
        waits.append(delay - NETWORK - held)
        for side in (caller, callee):
            media.sessions.close_session(side.session)
        await trio.sleep(0.0137)

    # What is left is the wait for the packet, which is anywhere within a frame.
    assert all(-1e-4 < wait < 0.0201 for wait in waits)
    assert statistics.mean(waits) == pytest.approx(0.010, abs=0.001)
    assert {round(wait * 1e3) % 20 for wait in waits} == set(range(20))
