"""What the kernel, Trio and the native core must cost for the calls of `uas`, part by part.

The server is `benches.servers.floor`: the same calls without anything of `trivox` above the
extension. What `uas` costs beyond the last row is ours to save.
"""

from __future__ import annotations

from benches import process
from benches.report import Row
from benches.scenarios.uas import measure

PARTS = ("core", "task", "media")


def run() -> list[Row]:
    """Measure the parts in turn, three rounds."""
    rows = []
    for round_number in range(3):
        for parts in PARTS:
            with process.module("benches.servers.floor", parts, core=1) as server:
                assert server.stdout is not None
                figures = measure(server.pid, int(server.stdout.readline()))
            rows.append(Row("floor", f"{parts}, round {round_number}", figures))
    return rows
