"""Run every scenario, or those named: `python -m benches [NAME …]`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from benches import process, report

SCENARIOS = Path(__file__).parent / "scenarios"


def main(names: list[str]) -> None:
    """Run, print the table, keep the JSON."""
    process.pin(0)
    known = sorted(path.stem for path in SCENARIOS.glob("[a-z]*.py"))
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    rows = []
    for name in names or known:
        rows += importlib.import_module(f"benches.scenarios.{name}").run()
        print(report.table([row for row in rows if row.scenario == name]), flush=True)
    print(f"kept in {report.keep(rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
