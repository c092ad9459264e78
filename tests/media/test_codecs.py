"""Codecs and their settings through whole sessions, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import Side, read_wav, tone_power

from trivox.call.codec_settings import OpusSettings
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import driven_media
from trivox.media.statistics import StatisticsReport

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from trivox.media.engine import Media

pytestmark = pytest.mark.native

HOSTS = ("10.0.0.1", "10.0.0.2")


def open_side(
    media: Media, host: str, codecs: list[str], opus: OpusSettings, *, comfort_noise: bool = False
) -> Side:
    session = media.sessions.open_session(
        transport="plain",
        local_addresses=[host],
        advertised="",
        codecs=codecs,
        dtmf=True,
        ptime_ms=20,
    )
    opus.apply(media.sessions, session, comfort_noise=comfort_noise)
    side = Side(media, session)
    media.attach(session, side)
    return side


async def connect(
    media: Media, codecs: list[str], opus: OpusSettings, *, comfort_noise: bool = False
) -> tuple[Side, Side, str]:
    """Connect two sessions; also returns the answer."""
    caller, callee = (
        open_side(media, host, codecs, opus, comfort_noise=comfort_noise) for host in HOSTS
    )
    sessions = media.sessions
    offer = sessions.create_offer(caller.session)
    sessions.set_remote(callee.session, offer, "offer", "")
    answer = sessions.create_answer(callee.session)
    sessions.set_remote(caller.session, answer, "answer", "tag")
    await callee.wait_for(Kind.CONNECTED)
    return caller, callee, answer


def statistics(side: Side) -> StatisticsReport:
    return StatisticsReport.from_report(side.media.sessions.statistics(side.session))


@pytest.mark.parametrize(
    ("codec", "frequency_hz"),
    [("opus", 5_000.0), ("G722", 5_000.0), ("PCMA", 1_000.0), ("L16", 5_000.0)],
)
async def test_a_tone_of_the_codecs_band_crosses(
    autojump_clock: MockClock, tmp_path: Path, codec: str, frequency_hz: float
) -> None:
    media = driven_media(seed=b"band", now=trio.current_time())
    path = tmp_path / "received.wav"
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee, _ = await connect(media, [codec, "PCMU"], OpusSettings())
        recording = media.sessions.start_recording(callee.session, str(path), "received")
        media.sessions.play_tone(caller.session, [frequency_hz], [], 2.0, -12.0)
        await trio.sleep(2)
        media.sessions.stop_recording(callee.session, recording)
        found = statistics(callee)
        nursery.cancel_scope.cancel()
    media.close()

    rate, _, samples = read_wav(path)
    assert found.codec.lower() == codec.lower()
    assert found.concealed == 0
    assert tone_power(samples[rate // 2 : rate], rate, frequency_hz) > 0.95


@pytest.mark.parametrize(
    ("codec", "dtx", "comfort_noise"), [("opus", True, False), ("PCMU", False, True)]
)
async def test_silence_is_hardly_sent_and_is_no_loss(
    autojump_clock: MockClock, codec: str, dtx: bool, comfort_noise: bool
) -> None:
    media = driven_media(seed=b"silence", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee, _ = await connect(
            media, [codec], OpusSettings(dtx=dtx), comfort_noise=comfort_noise
        )
        media.sessions.play_tone(caller.session, [440.0], [], 2.0, -12.0)
        await trio.sleep(12)
        ours, theirs = statistics(caller), statistics(callee)
        nursery.cancel_scope.cancel()
    media.close()

    assert 100 < ours.packets_sent < 250, "600 without"
    assert theirs.packets_received == pytest.approx(ours.packets_sent, abs=2)
    assert (theirs.concealed, theirs.packets_lost, theirs.packets_late) == (0, 0, 0)


async def test_what_the_far_end_asks_for_bounds_what_is_sent(autojump_clock: MockClock) -> None:
    media = driven_media(seed=b"bound", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        thrifty = OpusSettings(bitrate_bps=12_000, cbr=True)
        caller = open_side(media, HOSTS[0], ["opus"], thrifty)
        callee = open_side(media, HOSTS[1], ["opus"], OpusSettings(bitrate_bps=64_000))
        sessions = media.sessions
        offer = sessions.create_offer(caller.session)
        sessions.set_remote(callee.session, offer, "offer", "")
        answer = sessions.create_answer(callee.session)
        sessions.set_remote(caller.session, answer, "answer", "tag")
        await callee.wait_for(Kind.CONNECTED)
        await trio.sleep(10)
        found = statistics(callee)
        nursery.cancel_scope.cancel()
    media.close()

    assert "maxaveragebitrate=12000" in offer
    assert "cbr=1" in offer
    assert "maxaveragebitrate=64000" in answer
    assert found.bytes_sent / found.packets_sent == pytest.approx(12_000 / 8 / 50, rel=0.05)
