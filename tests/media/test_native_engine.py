"""Two sessions of a real engine over loopback sockets."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import trio
from tests.media.pairs import connect_pair, open_side, read_wav, speech_like, write_wav

from trivox.errors import EngineError, InvalidArgumentsError, MediaNegotiationError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import LiveMedia
from trivox.media.statistics import StatisticsReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = [pytest.mark.native, pytest.mark.slow]

LEAST_CORRELATION = {"ice": 0.90, "plain": 0.97}


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def correlation(sent: NDArray[np.float64], heard: NDArray[np.float64]) -> float:
    """The greatest normalised correlation over all shifts."""
    size = 1 << (len(sent) + len(heard)).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size))
    shift = int(np.argmax(np.fft.irfft(product, size)[: len(heard)]))
    piece = heard[shift : shift + len(sent)]
    sent = sent[: len(piece)]
    return float(sent @ piece / np.sqrt((sent @ sent) * (piece @ piece)))


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_what_is_played_is_what_the_far_end_records(
    live: LiveMedia, tmp_path: Path, transport: str
) -> None:
    speech = speech_like(16_000, 2.0)
    write_wav(tmp_path / "speech.wav", 16_000, speech)
    caller, callee = await connect_pair(live, transport)

    recording = live.sessions.start_recording(callee.session, str(tmp_path / "r.wav"), "received")
    playback = live.sessions.play_file(caller.session, str(tmp_path / "speech.wav"), False, 0.0)
    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
    await trio.sleep(0.3)
    seconds = live.sessions.stop_recording(callee.session, recording)
    await callee.wait_for(Kind.RECORDING_ENDED, recording)

    rate, channels, samples = read_wav(tmp_path / "r.wav")
    assert (rate, channels) == (16_000, 1)
    assert len(samples) / rate == pytest.approx(seconds, abs=0.01)
    assert float(ended[2]) == pytest.approx(2.0, abs=0.03)
    # Piece by piece: a machine that stalls has a frame made up here and there, or played sooner.
    pieces = np.array_split(np.array(speech, float), 10)
    found = [correlation(piece, np.array(samples, float)) for piece in pieces]
    assert np.median(found) >= LEAST_CORRELATION[transport], found


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_digits_arrive_once_and_in_order(live: LiveMedia, transport: str) -> None:
    caller, callee = await connect_pair(live, transport)

    sending = live.sessions.send_dtmf(caller.session, "42#", 0.1, 0.05)
    await caller.wait_for(Kind.DTMF_SENT, sending)
    await trio.sleep(0.1)

    assert [text for kind, _, text in callee.events if kind is Kind.DTMF] == ["4", "2", "#"]
    assert [text for kind, _, text in callee.events if kind is Kind.DTMF_STARTED] == list("42#")


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_statistics_tell_of_a_clean_line(live: LiveMedia, transport: str) -> None:
    caller, callee = await connect_pair(live, transport)

    await trio.sleep(3.5)
    statistics = StatisticsReport.from_report(live.sessions.statistics(callee.session))

    assert statistics.codec == {"plain": "PCMU", "ice": "opus"}[transport]
    assert 150 <= statistics.packets_received <= 200
    assert 150 <= statistics.packets_sent <= 200
    assert statistics.packets_lost == 0
    assert statistics.jitter < 0.02
    assert statistics.mos > 3.5
    del caller


async def test_ended_sessions_leave_no_socket_and_a_closed_engine_no_thread() -> None:
    gc.collect()
    threads, descriptors = threading.active_count(), _descriptors()
    media = LiveMedia(seed=b"base", threads=2)
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        for transport in ("plain", "ice", "ice"):
            for side in await connect_pair(media, transport):
                media.sessions.close_session(side.session)
        counts = media.sessions.counts()
        nursery.cancel_scope.cancel()
    media.close()
    # The events' descriptor lives as long as the engine, for whoever still waits on it.
    del media, side, nursery
    gc.collect()

    counts.pop("events_waiting")
    # A side that ended first may still be sent a packet of the other: a tally, nothing that is left.
    counts.pop("datagrams_unrouted")
    assert set(counts.values()) == {0}
    assert threading.active_count() == threads
    assert _descriptors() == descriptors


async def test_two_calls_at_once_between_the_same_two_addresses(live: LiveMedia) -> None:
    pairs = [await connect_pair(live, "ice") for _ in range(3)]

    for number, (caller, _) in enumerate(pairs):
        live.sessions.send_dtmf(caller.session, str(number), 0.1, 0.05)

    for number, (_, callee) in enumerate(pairs):
        assert (await callee.wait_for(Kind.DTMF))[2] == str(number)


async def test_a_fault_in_a_session_ends_that_session_alone(
    live: LiveMedia, capfd: pytest.CaptureFixture[str]
) -> None:
    one, two = await connect_pair(live, "plain")

    with pytest.raises(EngineError):
        live.sessions.inject_fault(one.session)  # type: ignore[attr-defined]
    failed = await one.wait_for(Kind.FAILED)
    live.sessions.set_muted(two.session, True)

    assert "fault" in failed[2]
    assert "a fault was asked for" in capfd.readouterr().err
    with pytest.raises(EngineError):
        live.sessions.set_muted(one.session, True)


async def test_muting_sends_silence_and_sources_run_on(live: LiveMedia) -> None:
    caller, callee = await connect_pair(live, "plain")
    live.sessions.play_tone(caller.session, [440.0], [], 10.0, -12.0)
    live.sessions.set_muted(caller.session, True)

    await trio.sleep(0.3)
    statistics = StatisticsReport.from_report(live.sessions.statistics(callee.session))

    assert statistics.level_received_dbov < -60
    assert live.sessions.counts()["playbacks"] == 1


async def test_wrong_arguments_say_what_is_right(live: LiveMedia, tmp_path: Path) -> None:
    side = open_side(live, "plain")

    with pytest.raises(InvalidArgumentsError, match="wildcard"):
        open_side(live, "plain", "0.0.0.0")
    with pytest.raises(EngineError, match=r"missing\.wav"):
        live.sessions.play_file(side.session, str(tmp_path / "missing.wav"), False, 0.0)
    with pytest.raises(MediaNegotiationError):
        live.sessions.set_remote(side.session, "nonsense", "offer", "")
    with pytest.raises(EngineError, match="session 99"):
        live.sessions.set_muted(99, True)
