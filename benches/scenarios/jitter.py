"""What the jitter buffer conceals, recovers and holds back: loss x jitter, bursts, skew; virtual time.

Beside it, on the same lines, those of `neteq` (in real time, as it reads the clock) and of
`rtc-interceptor`: a crate of its own with a lock of its own, which is no part of the wheel.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benches.report import Row

_CLONE = Path(__file__).parents[2]
_COMMAND = ("cargo", "run", "--release", "--locked", "--quiet")
_OURS = ("-p", "trivox-media", "--example", "jitter")
_OTHERS = ("--manifest-path", "rust/peers/Cargo.toml", "--target-dir", "target/peers")


def run() -> list[Row]:
    """Run the Rust programs that play the lines, and read their figures."""
    rows = []
    for which in (_OURS, _OTHERS):
        done = subprocess.run(
            [*_COMMAND, *which], cwd=_CLONE, check=True, capture_output=True, text=True
        )
        for text in done.stdout.splitlines():
            figures = json.loads(text)
            system = f"{figures.pop('codec')} {figures.pop('line')}"
            values = {name: float(value) for name, value in figures.items()}
            rows.append(Row("jitter", system, values))
    return rows
