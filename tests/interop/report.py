"""Judge an interop run: print the table of far ends, fail when one ran too little.

Usage: python tests/interop/report.py FAR_ENDS_TOML JUNIT_XML…, of which the later hold what was repeated
"""

from __future__ import annotations

import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Tally:
    """What one far end's tests came to."""

    least: int
    ran: int = 0
    passed: int = 0
    skipped: int = 0
    repeated: int = 0
    seconds: float = 0.0

    @property
    def fault(self) -> str:
        """Why this far end is not proven; empty when it is."""
        if self.skipped:
            return f"{self.skipped} skipped"
        if self.ran < self.least:
            return f"fewer than the {self.least} tests it must run"
        if self.passed < self.ran:
            return f"{self.ran - self.passed} failed"
        return ""


def tallies(far_ends: Path, junits: list[Path]) -> dict[str, Tally]:
    """Read the JUnit reports and count per far end, which each test names as a property."""
    result = {
        name: Tally(least=entry["least"])
        for name, entry in tomllib.loads(far_ends.read_text()).items()
    }
    cases: dict[tuple[str | None, str | None], list[ElementTree.Element]] = {}
    for junit in junits:
        for case in ElementTree.parse(junit).getroot().iter("testcase"):
            cases.setdefault((case.get("classname"), case.get("name")), []).append(case)
    for *earlier, case in cases.values():
        names = [p.get("value", "") for p in case.iter("property") if p.get("name") == "far_end"]
        for name in names:
            tally = result.setdefault(name, Tally(least=0))
            if case.find("skipped") is not None:
                tally.skipped += 1
                continue
            tally.ran += 1
            tally.repeated += bool(earlier)
            tally.seconds += float(case.get("time", "0"))
            tally.passed += case.find("failure") is None and case.find("error") is None
    return result


def main(far_ends: str, *junits: str) -> int:
    """Print the table; return 1 when a far end is not proven."""
    rows = tallies(Path(far_ends), [Path(junit) for junit in junits])
    print(f"{'far end':<18}{'ran':>5}{'passed':>8}{'repeated':>10}{'seconds':>9}")
    for name, tally in rows.items():
        counts = f"{tally.ran:>5}{tally.passed:>8}{tally.repeated:>10}{tally.seconds:>9.1f}"
        print(f"{name:<18}{counts}  {tally.fault}")
    return int(any(tally.fault for tally in rows.values()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
