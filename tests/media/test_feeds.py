"""Sources that are filled while they play, and recordings, on the real engine in virtual time."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import trio
from tests.media.pairs import connect_pair, read_wav

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import AudioFeed, file_seconds
from trivox.media.push import PushSource
from trivox.media.sources import (
    FileSource,
    MixSource,
    MusicOnHoldSource,
    SharedSource,
    SilenceSource,
    ToneSource,
    start_playback,
)

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

pytestmark = pytest.mark.native

HOSTS = ("10.0.0.1", "10.0.0.2")


def tone(hz: float, seconds: float, rate: int = 16_000) -> bytes:
    samples = (8000 * math.sin(math.tau * hz * n / rate) for n in range(round(seconds * rate)))
    return b"".join(struct.pack("<h", int(sample)) for sample in samples)


def strength(path: Path, hz: float, start: float, seconds: float = 0.4) -> float:
    """Return the amplitude of a frequency in a mono recording."""
    rate, _, samples = read_wav(path)
    part = np.array(samples[round(start * rate) : round((start + seconds) * rate)], dtype=float)
    wave = np.exp(-1j * math.tau * hz * np.arange(len(part)) / rate)
    return float(2 * abs(part @ wave) / len(part))


async def record(media: DrivenMedia, session: int, path: Path, seconds: float) -> None:
    number = media.sessions.start_recording(session, str(path), "received")
    await trio.sleep(seconds)
    media.sessions.stop_recording(session, number)


async def test_pushed_audio_reaches_two_calls_at_once_and_ends_with_its_source(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    second, other = await connect_pair(media, "plain", ("10.0.0.3", "10.0.0.4"))
    push = PushSource(16_000)
    playback = start_playback(media.sessions, caller.session, push)
    start_playback(media.sessions, second.session, push, "beside")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(record, media, callee.session, tmp_path / "one.wav", 1.2)
        nursery.start_soon(record, media, other.session, tmp_path / "two.wav", 1.2)
        begin = trio.current_time()
        for start in range(0, 32_000, 640):
            await push.send(tone(700, 1.0)[start : start + 640])
        assert 0.75 < trio.current_time() - begin < 1.3
        await push.wait_played()
        push.close()

    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
    assert float(ended[2]) == pytest.approx(1.0, abs=0.06)
    assert strength(tmp_path / "one.wav", 700, 0.3) > 6000
    assert strength(tmp_path / "two.wav", 700, 0.3) > 6000
    with pytest.raises(trio.ClosedResourceError):
        await push.send(b"\0\0")


async def test_a_relay_carries_one_call_into_another_without_gaps(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    third, fourth = await connect_pair(media, "plain", ("10.0.0.3", "10.0.0.4"))
    feed = AudioFeed(48_000, 0.1, relay=True)
    media.sessions.tap(callee.session, feed)
    playback = media.sessions.play_part(third.session, feed, place="beside")
    media.sessions.play_tone(caller.session, [1000.0], [], 60.0, -12.0)
    await trio.sleep(1.0)

    await record(media, fourth.session, tmp_path / "relayed.wav", 3.0)

    rate, _, samples = read_wav(tmp_path / "relayed.wav")
    blocks = np.array(samples, dtype=float)[: 3 * rate].reshape(-1, rate // 100)
    assert (np.abs(blocks).max(axis=1)[10:-15] > 6000).all()
    assert feed.underruns == 0
    media.sessions.close_session(callee.session)
    assert (await third.wait_for(Kind.PLAYBACK_ENDED, playback))[1] == playback


async def test_a_mixture_is_heard_at_once_and_ends_with_its_last_part(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    mixture = MixSource(
        (
            ToneSource((500.0,), duration=0.5, level_dbov=-20.0),
            ToneSource((1200.0,), duration=1.5, level_dbov=-20.0),
            SilenceSource(1.0),
        )
    )
    playback = start_playback(media.sessions, caller.session, mixture)

    await record(media, callee.session, tmp_path / "mix.wav", 1.8)

    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
    assert float(ended[2]) == pytest.approx(1.5, abs=0.03)
    path = tmp_path / "mix.wav"
    assert min(strength(path, 500, 0.1, 0.3), strength(path, 1200, 0.1, 0.3)) > 3000
    assert strength(path, 500, 0.8) < 300
    assert strength(path, 1200, 0.8) > 3000


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_a_recording_in_opus_plays_back_what_was_said(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path, transport: str
) -> None:
    caller, callee = await connect_pair(media, transport, HOSTS)
    path = tmp_path / "call.ogg"
    number = media.sessions.start_recording(callee.session, str(path), "both", "ogg")
    media.sessions.play_silence(caller.session, 1.0)
    media.sessions.play_tone(caller.session, [900.0], [], 1.0, -12.0)
    await trio.sleep(3.0)
    seconds = media.sessions.stop_recording(callee.session, number)
    assert (await callee.wait_for(Kind.RECORDING_ENDED, number))[2] == ""

    assert seconds == pytest.approx(3.0, abs=0.03)
    assert file_seconds(path) == pytest.approx(seconds, abs=0.001)
    start_playback(media.sessions, caller.session, FileSource(path))
    await record(media, callee.session, tmp_path / "again.wav", 3.2)
    again = tmp_path / "again.wav"
    assert strength(again, 900, 1.3) > 2500  # half of it: the other side was silent
    assert strength(again, 900, 0.3) < 100
    assert strength(again, 900, 2.4) < 100


async def test_holes_of_the_network_are_silence_of_the_right_length(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    number = media.sessions.start_recording(
        callee.session, str(tmp_path / "gap.ogg"), "received", "ogg"
    )
    rng = np.random.default_rng(5)
    said = (rng.standard_normal(16_000 * 4) * 3000).astype("<i2")
    feed = AudioFeed(16_000, 10.0)
    feed.write(said.tobytes())
    media.sessions.play_part(caller.session, feed)
    for drop in (0.0, 1.0, 0.0):
        media.sessions.set_impairment(caller.session, drop)
        await trio.sleep(1.0 if drop else 1.5)
    media.sessions.stop_recording(callee.session, number)
    start_playback(media.sessions, caller.session, FileSource(tmp_path / "gap.ogg"), "beside")
    await record(media, callee.session, tmp_path / "gap.wav", 4.5)

    _, _, samples = read_wav(tmp_path / "gap.wav")
    heard = np.array(samples, dtype=float)

    def place(start: float) -> float:
        """Return where 0.8 s of what was said from `start` on are heard."""
        piece = said[round(start * 16_000) : round((start + 0.8) * 16_000)].astype(float)
        return float(np.argmax(np.correlate(heard, piece, "valid")) / 16_000)

    before, after = place(0.4), place(2.9)
    assert after - before == pytest.approx(2.5, abs=0.045)


def test_sources_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentsError):
        PushSource(1)
    with pytest.raises(InvalidArgumentsError):
        PushSource(8000, channels=3)
    with pytest.raises(InvalidArgumentsError):
        MixSource(())
    with pytest.raises(EngineError):
        file_seconds(tmp_path / "none.ogg")
    assert MusicOnHoldSource("a.wav") == MusicOnHoldSource("a.wav")


async def test_two_channels_are_mixed_down_and_clear_drops_what_waits(
    autojump_clock: MockClock,
) -> None:
    push = PushSource(8000, channels=2, buffer=1.0)
    await push.send(struct.pack("<4h", 100, 200, -100, -300))
    assert push.queued == pytest.approx(2 / 8000)
    with pytest.raises(trio.WouldBlock):
        push.send_nowait(bytes(4 * 8000))
    with pytest.raises(InvalidArgumentsError):
        await push.send(bytes(6))
    assert push.clear() == pytest.approx(2 / 8000)
    assert push.queued == 0.0


async def test_many_calls_hear_one_source_that_is_encoded_once(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    pairs = [
        await connect_pair(media, "plain", (f"10.0.{n}.1", f"10.0.{n}.2")) for n in range(1, 5)
    ]
    source = SharedSource(ToneSource((800.0,), level_dbov=-12.0))
    before = [media.sessions.encoded(caller.session) for caller, _ in pairs]
    playbacks = [
        start_playback(media.sessions, caller.session, source, "beside") for caller, _ in pairs
    ]
    async with trio.open_nursery() as nursery:
        for number, (_, callee) in enumerate(pairs):
            path = tmp_path / f"{number}.wav"
            nursery.start_soon(record, media, callee.session, path, 2.0)

    after = [media.sessions.encoded(caller.session) for caller, _ in pairs]
    assert all(strength(tmp_path / f"{n}.wav", 800, 0.5) > 6000 for n in range(4))
    assert after == before
    assert source.open(media.sessions).encoded == pytest.approx(100, abs=2)
    media.sessions.stop_playback(pairs[0][0].session, playbacks[0])
    media.sessions.play_tone(pairs[1][0].session, [500.0], [], 60.0, -20.0)
    await trio.sleep(1.0)

    own = [media.sessions.encoded(caller.session) for caller, _ in pairs]
    assert own[0] - after[0] == pytest.approx(50, abs=2)
    assert own[1] - after[1] == pytest.approx(50, abs=2)
    assert own[2:] == after[2:]
