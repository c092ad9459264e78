"""The page of threats tells the truth: each row names tests, and each test exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.simulation.shape import WEATHER

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "threats.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
NAMED = re.compile(r"`((?:rust/)?[\w/]+\.(?:py|rs))(?:::(\w+))?`")


@pytest.mark.parametrize("named", sorted(set(NAMED.findall(PAGE))), ids="::".join)
def test_each_test_it_names_exists(named: tuple[str, str]) -> None:
    file, test = named
    path = ROOT / file if file.startswith("rust/") else ROOT / "tests" / file

    text = path.read_text()

    defined = rf"#\[test\][^{{}}]*?fn {test}\(" if path.suffix == ".rs" else rf"def {test}\("
    assert not test or re.search(defined, text)


def test_each_threat_and_each_invariant_has_its_row_and_its_tests() -> None:
    rows = [int(number) for number, _ in ROWS]

    assert sorted(rows[:-10]) == list(range(1, 31))
    assert rows[-10:] == list(range(1, 11))
    assert all(NAMED.search(row) for _, row in ROWS)


def test_each_weather_of_the_simulation_is_named_for_its_fault() -> None:
    table = PAGE.partition("| fault | weather |")[2].partition("\n\n")[0]

    assert set(re.findall(r"`(\w+)`", table)) == set(WEATHER)
