"""The engine in virtual time: real Opus, real DTLS, no thread, the same run each time."""

from __future__ import annotations

import sys
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import connect_pair, open_side, read_wav, tone_power

from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import driven_media
from trivox.media.port import AudioPort
from trivox.media.statistics import StatisticsReport

if TYPE_CHECKING:
    from trio.testing import MockClock

pytestmark = pytest.mark.native

HOSTS = ("10.0.0.1", "10.0.0.2")
CLONE = Path(__file__).parents[2]


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_a_tone_crosses_the_link_in_virtual_time(
    autojump_clock: MockClock, tmp_path: Path, transport: str
) -> None:
    media = driven_media(seed=b"tone", now=trio.current_time())
    path = tmp_path / "received.wav"
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, transport, HOSTS)

        recording = media.sessions.start_recording(callee.session, str(path), "received")
        playback = media.sessions.play_tone(caller.session, [440.0], [], 2.0, -12.0)
        begin = trio.current_time()
        await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
        took = trio.current_time() - begin
        media.sessions.stop_recording(callee.session, recording)
        nursery.cancel_scope.cancel()
    media.close()

    rate, _, samples = read_wav(path)
    assert took == pytest.approx(2.0, abs=0.041)
    assert tone_power(samples[rate // 2 : rate], rate, 440.0) > 0.95


async def test_statistics_know_the_round_trip_of_the_link(autojump_clock: MockClock) -> None:
    media = driven_media(seed=b"trip", now=trio.current_time())
    engine = media.engine
    engine.set_link(delay=0.040, jitter=0.0, loss=0.0, duplicate=0.0)  # type: ignore[attr-defined]
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "plain", HOSTS)
        await trio.sleep(20)
        ours = StatisticsReport.from_report(media.sessions.statistics(caller.session))
        theirs = StatisticsReport.from_report(media.sessions.statistics(callee.session))
        nursery.cancel_scope.cancel()
    media.close()

    assert ours.round_trip == pytest.approx(0.080, abs=0.001)
    assert ours.packets_sent == pytest.approx(1000, abs=5)
    assert theirs.packets_received == pytest.approx(1000, abs=5)
    assert theirs.concealed == 0
    assert theirs.mos > 4


async def test_a_lossy_link_is_counted_on_both_sides(autojump_clock: MockClock) -> None:
    media = driven_media(seed=b"loss", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "plain", HOSTS)
        media.sessions.set_impairment(caller.session, 0.3)
        await trio.sleep(30)
        ours = StatisticsReport.from_report(media.sessions.statistics(caller.session))
        theirs = StatisticsReport.from_report(media.sessions.statistics(callee.session))
        nursery.cancel_scope.cancel()
    media.close()

    assert theirs.loss == pytest.approx(0.3, abs=0.05)
    assert ours.remote_loss == pytest.approx(0.3, abs=0.1)
    assert theirs.concealed > 0.2
    assert theirs.mos < 3


async def test_a_far_end_that_falls_silent_is_reported_each_second(
    autojump_clock: MockClock,
) -> None:
    media = driven_media(seed=b"silence", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "plain", HOSTS)
        await trio.sleep(1)
        media.sessions.close_session(callee.session)
        media.detach(callee.session)
        await trio.sleep(8)
        nursery.cancel_scope.cancel()
    media.close()

    reported = [number for kind, number, _ in caller.events if kind is Kind.MEDIA_TIMEOUT]
    assert reported[:3] == [5, 6, 7]


async def test_pushed_audio_is_heard_by_the_far_port(autojump_clock: MockClock) -> None:
    media = driven_media(seed=b"ports", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "plain", HOSTS)
        with (
            AudioPort(media.sessions, caller.session, rate=8000) as mouth,
            AudioPort(media.sessions, callee.session, rate=16_000, batch=5) as ear,
        ):

            async def feed() -> None:
                while True:
                    for event in callee.events:
                        if event[0] is Kind.FRAMES_READY:
                            ear.handle_engine_event(event[0])
                    callee.events.clear()
                    await callee.news.wait()

            nursery.start_soon(feed)
            await mouth.send((b"\x00\x10" * 20 + b"\x00\xf0" * 20) * 200)
            frames = []
            async for frame in ear:
                frames.append(frame)
                if len(frames) == 40:
                    break
        nursery.cancel_scope.cancel()
    media.close()

    assert all(len(frame) == 320 and frame.rate == 16_000 for frame in frames)
    assert [frame.pts for frame in frames[:3]] == pytest.approx([0.0, 0.02, 0.04])
    assert max(frame.level for frame in frames) == pytest.approx(-18, abs=1.5)
    assert memoryview(frames[0]).shape == (320, 1)
    assert memoryview(frames[0]).format == "h"
    assert bytes(frames[0]) == memoryview(frames[0]).tobytes()


async def test_the_fork_that_answers_last_is_the_one_that_is_heard(
    autojump_clock: MockClock,
) -> None:
    media = driven_media(seed=b"fork", now=trio.current_time())
    sessions = media.sessions
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, early, late = (open_side(media, "ice", f"10.0.0.{n}") for n in (1, 2, 3))
        offer = sessions.create_offer(caller.session)
        answers = []
        for fork in (early, late):
            sessions.set_remote(fork.session, offer, "offer", "")
            answers.append(sessions.create_answer(fork.session))
        sessions.set_remote(caller.session, answers[0], "provisional", "early")
        await caller.wait_for(Kind.CONNECTED)
        await trio.sleep(1)
        sessions.set_remote(caller.session, answers[1], "answer", "late")
        await late.wait_for(Kind.CONNECTED)
        await trio.sleep(1)
        sessions.send_dtmf(caller.session, "5", 0.1, 0.05)
        heard = await late.wait_for(Kind.DTMF)
        nursery.cancel_scope.cancel()
    media.close()

    assert heard[2] == "5"
    assert not [event for event in early.events if event[0] is Kind.DTMF]


TRACE = """
import hashlib, json, sys
import trio, trio._core._run as core
from trio.testing import MockClock
sys.path.insert(0, {clone!r})
from tests.media.pairs import connect_pair
from trivox.media.native_engine import driven_media
core._ALLOW_DETERMINISTIC_SCHEDULING = True
core._r.seed(7)

async def main():
    media = driven_media(seed=b"same", now=trio.current_time())
    media.engine.set_link(delay=0.02, jitter=0.03, loss=0.05, duplicate=0.02)
    start = trio.current_time()
    trace = []
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "ice", ("10.0.0.1", "10.0.0.2"))
        media.sessions.start_recording(callee.session, {path!r}, "both")
        media.sessions.play_tone(caller.session, [350.0, 440.0], [(0.3, 0.1)], 3.0, -12.0)
        media.sessions.send_dtmf(callee.session, "12", 0.1, 0.05)
        await trio.sleep(4)
        trace.append([caller.events, callee.events, round(trio.current_time() - start, 6)])
        nursery.cancel_scope.cancel()
    media.close()
    return trace

trace = trio.run(main, clock=MockClock(autojump_threshold=0))
print(hashlib.sha256(json.dumps(trace).encode()).hexdigest())
"""


@pytest.mark.slow
async def test_two_processes_give_the_same_recording_and_events(tmp_path: Path) -> None:
    results = []
    for name in ("one.wav", "two.wav"):
        path = tmp_path / name
        script = TRACE.format(clone=str(CLONE), path=str(path))
        done = await trio.run_process([sys.executable, "-c", script], capture_stdout=True)
        results.append((done.stdout, array("h", path.read_bytes())))

    (events, samples), (events_again, samples_again) = results
    assert events == events_again
    assert len(samples) == len(samples_again) > 50_000
    # What libopus makes of digital silence may differ by one step from process to process.
    assert max(abs(one - other) for one, other in zip(samples, samples_again, strict=True)) <= 1
