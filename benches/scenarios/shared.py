"""What 200 Opus calls cost that play one file: together, each for itself, and one call alone."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

from benches import process, runs

if TYPE_CHECKING:
    from benches.report import Row

SECONDS = float(os.environ.get("SHARED_SECONDS", "4"))
CASES = ((200, "shared"), (1, "shared"), (1, "own"), (200, "own"))


def run() -> list[Row]:
    """Measure every case."""
    return runs.rows(
        "shared", {f"opus x{calls}, {how}": partial(_case, calls, how) for calls, how in CASES}
    )


def _case(calls: int, how: str) -> dict[str, float]:
    arguments = (str(calls), str(SECONDS), how)
    with process.module("benches.servers.shared", *arguments, core=1) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())
