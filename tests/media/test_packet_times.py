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


async def test_sound_is_on_its_way_for_less_than_30_ms_whatever_the_moment(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    delays = []
    for turn in range(20):
        caller, callee = await connect_with(media, "PCMU")
        delays.append(await _delay(media, caller, callee, turn * 0.001))
        for side in (caller, callee):
            media.sessions.close_session(side.session)
        await trio.sleep(0.0137)

    assert statistics.median(delays) < NETWORK + 0.030
    assert max(delays) < NETWORK + 0.045
