"""Sources are values that refuse what cannot be played."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from trivox.errors import InvalidArgumentsError
from trivox.media.push import AsyncIterSource, IterSource
from trivox.media.sources import FileSource, SilenceSource, ToneSource
from trivox.media.statistics import KnownReport, StatisticsReport
from trivox.media.stream_statistics import StreamStatistics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trio.testing import MockClock


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ToneSource, {"frequencies": ()}),
        (ToneSource, {"frequencies": (5.0,)}),
        (ToneSource, {"cadence": ((0.0, 0.0),)}),
        (ToneSource, {"duration": 0.0}),
        (SilenceSource, {"duration": math.nan}),
        (FileSource, {"path": Path("x.wav"), "start": -1.0}),
        (FileSource, {"path": "x.wav", "start": math.inf}),
    ],
)
def test_what_cannot_be_played_is_refused(kind: type, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentsError):
        kind(**arguments)


def test_equal_sources_are_equal_and_hashable() -> None:
    assert {ToneSource((350.0, 440.0)), ToneSource((350.0, 440.0))} == {ToneSource((350.0, 440.0))}


def test_an_empty_report_is_all_unknown() -> None:
    assert StatisticsReport.from_report(KnownReport()) == StatisticsReport()


def test_a_report_is_read_by_name() -> None:
    report = KnownReport(
        {"codec": "opus", "packets_sent": 50.0, "round_trip": 0.02, "new": 1.0},
        [{"kind": "audio", "direction": "sent", "packets": 50.0, "ssrc": 7.0, "new": 1.0}],
    )

    statistics = StatisticsReport.from_report(report)

    assert (statistics.codec, statistics.packets_sent) == ("opus", 50)
    assert statistics.round_trip == 0.02
    assert statistics.streams == (StreamStatistics("audio", "sent", packets=50, ssrc=7),)


async def test_a_source_whose_playback_is_over_is_waited_for_no_longer(
    autojump_clock: MockClock,
) -> None:
    left: list[float] = []

    async def stalled() -> AsyncIterator[bytes]:
        try:
            yield bytes(320)
            await trio.sleep_forever()
        finally:
            left.append(trio.current_time())

    source = AsyncIterSource(stalled())
    pump = source.take_pump()
    assert pump is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump)
        await trio.sleep(1)
        assert not left

        source.source.close()

    assert len(left) == 1
    assert source.error is None


async def test_an_iterable_that_blocks_takes_no_thread_of_others() -> None:
    began, may_end = threading.Event(), threading.Event()

    def blocks() -> Iterator[bytes]:
        began.set()
        may_end.wait(5)
        yield bytes(320)

    pump = IterSource(blocks()).take_pump()
    assert pump is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump)
        await trio.to_thread.run_sync(began.wait, 5)

        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
        may_end.set()
        nursery.cancel_scope.cancel()
