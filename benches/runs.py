"""Timed rows: some runs of each case, beside how late the machine itself was during each of them."""

from __future__ import annotations

import os
import statistics
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benches import process
from benches.report import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Figures = dict[str, float]

RUNS = int(os.environ.get("BENCH_RUNS", "5"))
DISTURBED_MS = 2.0
DELAY = "scheduling_delay_p99_ms"


def rows(scenario: str, cases: Mapping[str, Callable[[], Figures]]) -> list[Row]:
    """Run every case RUNS times, interleaved; min, median and max of each figure are one row.

    A run during which a sleep of 20 ms was late by more than 2 ms (p99) counts as disturbed.
    """
    found: dict[str, list[Figures]] = {name: [] for name in cases}
    for _ in range(RUNS):
        for name, case in cases.items():
            with scheduling_delay() as delay:
                figures = case()
            found[name].append({**figures, DELAY: delay()})
    return [_row(scenario, name, runs) for name, runs in found.items()]


@contextmanager
def scheduling_delay() -> Iterator[Callable[[], float]]:
    """Watch how late a sleep of 20 ms is meanwhile; afterwards, the p99 in milliseconds."""
    told = 0.0
    with process.module("benches.sleeper", core=None) as sleeper:
        assert sleeper.stdin is not None
        assert sleeper.stdout is not None
        sleeper.stdout.readline()
        yield lambda: told
        sleeper.stdin.close()
        told = float(sleeper.stdout.readline())


def _row(scenario: str, name: str, runs: list[Figures]) -> Row:
    figures: Figures = {}
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        figures[f"{figure}_min"] = min(values)
        figures[f"{figure}_median"] = statistics.median(values)
        figures[f"{figure}_max"] = max(values)
    disturbed = sum(run[DELAY] > DISTURBED_MS for run in runs)
    mark = f" ({disturbed} of {len(runs)} runs disturbed)" if disturbed else ""
    return Row(scenario, name + mark, figures)
