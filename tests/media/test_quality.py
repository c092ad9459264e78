"""What the engine says of a line that gets bad, and of one that gets well again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio
from tests.media.pairs import connect_pair

from trivox._native import quality_rules
from trivox.call.quality import QualityIssue, QualityLevel, read_issue
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import driven_media
from trivox.media.statistics import history_of

pytestmark = pytest.mark.native

HOSTS = ("10.0.0.1", "10.0.0.2")
PAGE = (Path(__file__).parents[2] / "docs" / "quality.md").read_text()
TOLD = {Kind.QUALITY_RAISED, Kind.QUALITY_CLEARED}


def told(side) -> list[tuple[QualityIssue, QualityLevel | None]]:
    texts = [text for kind, _, text in side.events if kind in TOLD]
    return [read_issue(text)[:2] for text in texts]


async def test_loss_is_raised_at_the_side_that_misses_packets_and_cleared(autojump_clock) -> None:
    media = driven_media(seed=b"quality", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "plain", HOSTS)
        media.sessions.play_tone(caller.session, [440.0], [], float("inf"), -12.0)
        media.sessions.play_tone(callee.session, [440.0], [], float("inf"), -12.0)
        await trio.sleep(20)
        before = told(callee) + told(caller)
        media.sessions.set_impairment(caller.session, 0.3)
        await trio.sleep(20)
        during = told(callee)
        media.sessions.set_impairment(caller.session, 0.0)
        await trio.sleep(40)
        nursery.cancel_scope.cancel()
    media.close()

    assert before == []
    assert during[-1] == (QualityIssue.PACKET_LOSS, QualityLevel.CRITICAL)
    assert told(callee)[-1] == (QualityIssue.PACKET_LOSS, None)
    remote = [level for kind, level in told(caller) if kind is QualityIssue.REMOTE_PACKET_LOSS]
    assert remote[0] is not None
    assert remote[-1] is None


async def test_silence_is_a_missing_signal_and_a_link_that_drops_all_is_missing_audio(
    autojump_clock,
) -> None:
    media = driven_media(seed=b"silence", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "plain", HOSTS)
        await trio.sleep(12)
        mute = told(callee)
        media.sessions.set_impairment(caller.session, 1.0)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    media.close()

    assert mute == [(QualityIssue.NO_AUDIO_SIGNAL, QualityLevel.WARNING)]
    assert (QualityIssue.NO_AUDIO_RECEIVED, QualityLevel.WARNING) in told(callee)


async def test_the_history_has_a_sample_a_second_and_is_kept_by_the_last_report(
    autojump_clock,
) -> None:
    media = driven_media(seed=b"history", now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, callee = await connect_pair(media, "plain", HOSTS)
        media.sessions.play_tone(caller.session, [440.0], [], float("inf"), -12.0)
        await trio.sleep(15.5)
        report = media.sessions.statistics(callee.session)
        nursery.cancel_scope.cancel()
    media.close()

    history = history_of(report)
    assert [round(sample.at) for sample in history] == list(range(1, 16))
    assert all(sample.packets in {49, 50, 51} and sample.loss == 0 for sample in history[1:])
    assert all(sample.level_dbov == pytest.approx(-12, abs=1) for sample in history[1:])
    assert history[0].round_trip is None
    assert history[-1].round_trip is not None


def test_every_issue_has_a_rule_and_a_row_in_the_docs() -> None:
    rows = {
        name: tuple(float(cell) for cell in re.findall(r"-?\d+\.?\d*", limits))
        for name, limits in re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^\n]+) \|$", PAGE, re.MULTILINE)
    }

    rules = {name: tuple(map(float, limits)) for name, *limits in quality_rules()}

    assert set(rules) == {issue.value for issue in QualityIssue}
    assert rows == rules
