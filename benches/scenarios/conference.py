"""What a room of 200 members costs on one core: decoded from all, three speaking.

Each row is the min, median and max of five runs, beside the machine's own scheduling delay in the
same runs; a row in whose runs that exceeded 2 ms is marked disturbed.
"""

from __future__ import annotations

import json
import statistics

from benches import process
from benches.report import Row
from benches.scenarios.media import _scheduling_delay_ms

RUNS = 5
SECONDS = 4
MEMBERS, SPEAKERS = 200, 3
DISTURBED_MS = 2.0


def run() -> list[Row]:
    """Measure both codecs RUNS times, interleaved."""
    found: dict[str, list[dict[str, float]]] = {"opus": [], "pcmu": []}
    for _ in range(RUNS):
        for codec, runs in found.items():
            delay_ms = _scheduling_delay_ms()
            runs.append({**_case(codec), "scheduling_delay_p99_ms": delay_ms})
    return [_row(codec, runs) for codec, runs in found.items()]


def _case(codec: str) -> dict[str, float]:
    arguments = (codec, str(MEMBERS), str(SPEAKERS), str(SECONDS))
    with process.module("benches.servers.conference", *arguments, core=1) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())


def _row(codec: str, runs: list[dict[str, float]]) -> Row:
    figures = {}
    for name in runs[0]:
        values = sorted(run[name] for run in runs)
        figures[f"{name}_min"] = values[0]
        figures[f"{name}_median"] = statistics.median(values)
        figures[f"{name}_max"] = values[-1]
    mark = " (disturbed)" if figures["scheduling_delay_p99_ms_max"] > DISTURBED_MS else ""
    return Row("conference", f"{codec} x{MEMBERS}{mark}", figures)
