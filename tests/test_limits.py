"""The page of limits tells the truth: each setting exists and its default is the one named."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import trivox

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "limits.md").read_text()
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*`[^|]*) \|", re.MULTILINE)
ROWS = [(limit.strip(), default.strip(), where) for limit, default, where in ROW.findall(PAGE)]
FIELD = re.compile(r"^`(\w+)\.(\w+)`$")
PARAMETER = re.compile(r"^`(\w+)\.(\w+)\((\w+)=\)`$")
FIXED = re.compile(r"^fixed, `([\w/.]+)` `(\w+)`$")


def _value(text: str) -> float | bool | None:
    return None if text == "none" else ast.literal_eval(text)


def _default(where: str) -> object:
    if found := FIELD.match(where):
        fields = {one.name: one.default for one in dataclasses.fields(getattr(trivox, found[1]))}
        return fields[found[2]]
    if found := PARAMETER.match(where):
        method = getattr(getattr(trivox, found[1]), found[2])
        return inspect.signature(method).parameters[found[3]].default
    found = FIXED.match(where)
    assert found, f"neither a setting nor fixed: {where}"
    source = (ROOT / found[1]).read_text()
    given = re.search(
        rf"^(?:pub.* )?(?:const )?{found[2]}\b[^=\n]*= ([\d_ *.]+)", source, re.MULTILINE
    )
    assert given, f"{found[2]} is not in {found[1]}"
    return eval(given[1])  # a product of numbers: the pattern lets nothing else through


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_limit_is_where_the_page_says_and_as_it_says(row):
    _, default, where = row

    assert _default(where.strip()) == _value(default)


@pytest.mark.parametrize("kind", [trivox.DoorLimits, trivox.StreamLimits])
def test_no_limit_is_missing_from_the_page(kind):
    settings = {where.strip() for _, _, where in ROWS}

    missing = [
        one.name
        for one in dataclasses.fields(kind)
        if f"`{kind.__name__}.{one.name}`" not in settings
    ]

    assert missing == []


def test_no_bound_of_the_sip_core_is_missing_from_the_page():
    names = set()
    for path in (ROOT / "rust" / "sip" / "src").rglob("*.rs"):
        names |= set(re.findall(r"^(?:pub.* )?const (MAX_\w+)", path.read_text(), re.MULTILINE))

    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_the_counters_that_the_page_names_exist():
    named = {
        name for row in PAGE.splitlines() for name in re.findall(r"\(`(\w+)`(?:, `\w+`)?\)", row)
    }

    counted = set(trivox._native.SipCore(b"seed").statistics())

    assert named - counted == set()
