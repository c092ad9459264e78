"""Rows of figures: a table for people, JSON for the record."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One system in one scenario, and its figures; units stand in the names."""

    scenario: str
    system: str
    figures: dict[str, float] = field(default_factory=dict)


def table(rows: list[Row]) -> str:
    """Lay the rows out as text, one line a row; figures of several runs as min/median/max."""
    lines = []
    for row in rows:
        figures = "  ".join(f"{name} {value}" for name, value in _shown(row.figures).items())
        lines.append(f"{row.scenario:<14}{row.system:<34}  {figures}")
    return "\n".join(lines)


def keep(rows: list[Row]) -> Path:
    """Write the rows as JSON under results/, with the machine they came from."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    record = {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "rows": [asdict(row) for row in rows],
    }
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def _shown(figures: dict[str, float]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in figures.items():
        base, _, kind = name.rpartition("_")
        is_of_runs = kind in {"min", "median", "max"} and f"{base}_median" in figures
        if is_of_runs and base in shown:
            shown[base] += f"/{_short(value)}"
        else:
            shown[base if is_of_runs else name] = _short(value)
    return shown


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
