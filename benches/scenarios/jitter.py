"""What the jitter buffer conceals, recovers and holds back: loss x jitter, bursts, skew; virtual time."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benches.report import Row

_CLONE = Path(__file__).parents[2]
_COMMAND = ("cargo", "run", "--release", "--locked", "--quiet")
_EXAMPLE = ("-p", "trivox-media", "--example", "jitter")


def run() -> list[Row]:
    """Run the Rust example that plays the lines, and read its figures."""
    done = subprocess.run(
        [*_COMMAND, *_EXAMPLE], cwd=_CLONE, check=True, capture_output=True, text=True
    )
    rows = []
    for text in done.stdout.splitlines():
        figures = json.loads(text)
        system = f"{figures.pop('codec')} {figures.pop('line')}"
        rows.append(Row("jitter", system, {name: float(value) for name, value in figures.items()}))
    return rows
