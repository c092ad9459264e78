"""Sources are values that refuse what cannot be played."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from trivox.errors import InvalidArgumentsError
from trivox.media.sources import FileSource, SilenceSource, ToneSource
from trivox.media.statistics import StatisticsReport


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
    assert StatisticsReport.from_report({}) == StatisticsReport()


def test_a_report_is_read_by_name() -> None:
    report = {"codec": "opus", "packets_sent": 50.0, "round_trip": 0.02, "new": 1.0}

    statistics = StatisticsReport.from_report(report)

    assert (statistics.codec, statistics.packets_sent) == ("opus", 50)
    assert statistics.round_trip == 0.02
