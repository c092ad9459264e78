"""The pages under docs/ name what is there: members, events, errors and tests."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import trivox
from trivox import errors

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
NAMED_TEST = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
FAR_ENDS = (ROOT / "docs" / "far-ends.md").read_text()
TEST_OF_FAR_ENDS = re.compile(r"`((?:tests|src|interop)/[\w/]+\.(?:py|rs))(?:::(\w+))?`")
EVENTS = (trivox.Event, trivox.ClientEvent, trivox.ConferenceEvent)


def section(title: str) -> str:
    """Return the part of the page under that heading."""
    return REFERENCE.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("named", sorted(set(NAMED_TEST.findall(REFERENCE))), ids="::".join)
def test_each_test_it_names_exists(named: tuple[str, str]) -> None:
    file, test = named
    path = ROOT / "tests" / file

    assert path.exists()
    assert not test or re.search(rf"^(?:async )?def {test}\(", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("member", sorted(set(re.findall(r"`Call\.(\w+)`", REFERENCE))))
def test_each_member_it_names_exists(member: str) -> None:
    assert hasattr(trivox.Call, member)


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, kind in vars(trivox).items()
        if inspect.isclass(kind) and issubclass(kind, EVENTS) and kind not in EVENTS
    ),
)
def test_each_event_has_its_row(name: str) -> None:
    assert f"`{name}`" in section("Events")


@pytest.mark.parametrize("name", errors.__all__)
def test_each_error_is_named(name: str) -> None:
    assert f"`{name}`" in section("Errors")


def test_each_row_of_a_table_names_its_test() -> None:
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| ") and "---" not in line]
    bare = [
        row
        for row in rows
        if not NAMED_TEST.search(row) and not row.endswith("| test |") and "not in this" not in row
    ]

    assert not bare


@pytest.mark.parametrize("named", sorted(set(TEST_OF_FAR_ENDS.findall(FAR_ENDS))), ids="::".join)
def test_each_test_with_a_far_end_exists(named: tuple[str, str]) -> None:
    file, test = named
    path = ROOT / ("tests" if file.endswith(".py") else "rust/media") / file

    assert path.exists()
    assert not test or re.search(
        rf"^ *(?:async )?(?:def|fn) {test}\(", path.read_text(), re.MULTILINE
    )


def test_each_feature_of_a_far_end_names_a_test() -> None:
    rows = [line for line in FAR_ENDS.splitlines() if line.startswith("| ")]
    features = [row for row in rows if not row.startswith("| feature")]
    bare = [row for row in features if not TEST_OF_FAR_ENDS.search(row)]

    assert len(features) >= 40
    assert not bare


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}

    assert pages == {page for page in pages if f"(docs/{page})" in readme}


def test_each_public_name_has_its_row() -> None:
    page = (ROOT / "docs" / "names.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)

    assert sorted(named) == sorted(trivox.__all__)
