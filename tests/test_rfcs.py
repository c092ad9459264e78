"""The page of RFCs is whole and true: each has a test, and the test names its section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "rfcs.md").read_text()
ROW = re.compile(r"^\| (\d{4}) \| (§[\w.]+) \| [^|]+ \| `([\w/.]+)::(\w+)` \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)
NOT_BUILT = frozenset(re.findall(r"\*\*RFC (\d{4}) ?(?:\([^)]*\))?\*\*", PAGE))
CORE = "3261 6026 4320 5954 8217 3581 5118 4475 7616 8760 2617 3263 2782 3403 7118 6455 3326"
CALLS = "3264 8866 8829 8839 8840 8843 8859 4733 4734 6086 2976 3262 3311 4028 3515 4488 3892"
MORE = "7614 7647 3891 3911 3323 3325 5876 7044 5806 3428 3994 5438 6665 3265 3842 4235 3680"
WAYS = "4916 4575 5839 3327 3608 5626 5627 5923 5768 7339 7200 5390 6357 5922 5630 8446"
MEDIA = "4568 5763 5764 8122 7879"
WANTED = frozenset(f"{CORE} {CALLS} {MORE} {WAYS} {MEDIA}".split())
"""What a first release needs, and what carriers, PBXs and browsers need."""


def text_of_test(file: str, name: str) -> str:
    """Return a test with what stands above and in it; empty when there is none."""
    if file.endswith(".rs"):
        above = r"(?:^[ \t]*///[^\n]*\n)*^[ \t]*#\[test\](?: //[^\n]*)?\n(?:^[ \t]*#\[[^\n]*\n)*"
        found = re.search(rf"{above}^[ \t]*fn {name}\(", (ROOT / file).read_text(), re.MULTILINE)
        return found[0] if found else ""
    source = (ROOT / "tests" / file).read_text()
    pattern = rf"^(?:async )?def {name}\(.*?(?=^(?:@|async def |def |class |\w)|\Z)"
    found = re.search(pattern, source, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"RFC {row[0]} {row[1]}")
def test_each_section_has_a_test_that_names_it(row: tuple[str, str, str, str]) -> None:
    number, section, file, name = row

    assert f"RFC {number} {section}" in text_of_test(file, name)


def test_no_rfc_is_left_out() -> None:
    shown = {row[0] for row in ROWS}

    assert WANTED - shown == NOT_BUILT & WANTED
    assert shown.isdisjoint(NOT_BUILT)


def test_no_row_is_passed_over() -> None:
    lines = [line for line in PAGE.splitlines() if re.match(r"\| \d", line)]

    assert len(lines) == len(ROWS)
