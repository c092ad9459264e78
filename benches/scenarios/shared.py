"""What 200 Opus calls cost that play one file: together, each for itself, and one call alone.

Each row is the min, median and max of five runs, beside the machine's own scheduling delay in the
same runs; a row in whose runs that exceeded 2 ms is marked disturbed.
"""

from __future__ import annotations

import json
import os
import statistics

from benches import process
from benches.report import Row
from benches.scenarios.media import _scheduling_delay_ms

RUNS = int(os.environ.get("SHARED_RUNS", "5"))
SECONDS = float(os.environ.get("SHARED_SECONDS", "4"))
CASES = ((200, "shared"), (1, "shared"), (1, "own"), (200, "own"))
DISTURBED_MS = 2.0


def run() -> list[Row]:
    """Measure every case RUNS times, interleaved."""
    found: dict[tuple[int, str], list[dict[str, float]]] = {case: [] for case in CASES}
    for _ in range(RUNS):
        for case, runs in found.items():
            delay_ms = _scheduling_delay_ms()
            runs.append({**_case(*case), "scheduling_delay_p99_ms": delay_ms})
    return [_row(*case, runs) for case, runs in found.items()]


def _case(calls: int, how: str) -> dict[str, float]:
    arguments = (str(calls), str(SECONDS), how)
    with process.module("benches.servers.shared", *arguments, core=1) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())


def _row(calls: int, how: str, runs: list[dict[str, float]]) -> Row:
    figures = {}
    for name in runs[0]:
        values = sorted(run[name] for run in runs)
        figures[f"{name}_min"] = values[0]
        figures[f"{name}_median"] = statistics.median(values)
        figures[f"{name}_max"] = values[-1]
    mark = " (disturbed)" if figures["scheduling_delay_p99_ms_max"] > DISTURBED_MS else ""
    return Row("shared", f"opus x{calls}, {how}{mark}", figures)
