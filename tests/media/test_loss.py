"""What whole sessions make of a bad line: loss, jitter and copies from a seed, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import open_side

from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import driven_media
from trivox.media.statistics import StatisticsReport

if TYPE_CHECKING:
    from trio.testing import MockClock

    from trivox.media.engine import Media

pytestmark = pytest.mark.native

HOSTS = ("10.0.0.1", "10.0.0.2")
SECONDS = 60.0


async def listen(
    media: Media, codec: str, *, jitter: float = 0.0, loss: float = 0.0, duplicate: float = 0.0
) -> StatisticsReport:
    """Hear a tone for a minute of virtual time; what the far end counted."""
    sessions = media.sessions
    caller, callee = (open_side(media, "plain", host, codecs=[codec]) for host in HOSTS)
    offer = sessions.create_offer(caller.session)
    sessions.set_remote(callee.session, offer, "offer", "")
    answer = sessions.create_answer(callee.session)
    sessions.set_remote(caller.session, answer, "answer", "tag")
    await callee.wait_for(Kind.CONNECTED)
    media.engine.set_link(  # type: ignore[attr-defined]
        delay=0.03, jitter=jitter, loss=loss, duplicate=duplicate
    )
    sessions.play_tone(caller.session, [300.0, 440.0], [(0.3, 0.2)], SECONDS, -15.0)
    await trio.sleep(SECONDS)
    return StatisticsReport.from_report(sessions.statistics(callee.session))


async def heard(
    codec: str, *, jitter: float = 0.0, loss: float = 0.0, duplicate: float = 0.0
) -> StatisticsReport:
    media = driven_media(seed=b"loss", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        report = await listen(media, codec, jitter=jitter, loss=loss, duplicate=duplicate)
        nursery.cancel_scope.cancel()
    media.close()
    return report


async def test_opus_repairs_nearly_all_of_ten_percent_loss(autojump_clock: MockClock) -> None:
    report = await heard("opus", loss=0.10)

    assert 0.08 < report.loss < 0.12
    assert report.concealed <= 0.015
    assert report.buffer_delay <= 0.065


async def test_g711_conceals_what_is_lost_and_no_more(autojump_clock: MockClock) -> None:
    report = await heard("PCMU", loss=0.10)

    assert 0.08 < report.loss < 0.12
    assert report.concealed == pytest.approx(report.loss, abs=0.004)


@pytest.mark.parametrize("codec", ["opus", "PCMU"])
async def test_jitter_up_to_60_ms_loses_hardly_a_packet(
    autojump_clock: MockClock, codec: str
) -> None:
    report = await heard(codec, jitter=0.06)

    assert report.packets_late / report.packets_received <= 0.01
    assert report.concealed <= 0.01
    assert report.buffer_delay <= 0.12


async def test_copies_are_not_heard(autojump_clock: MockClock) -> None:
    report = await heard("PCMU", duplicate=0.05, jitter=0.01)

    assert (report.concealed, report.packets_late) == (0, 0)
