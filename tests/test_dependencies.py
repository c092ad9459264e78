"""What the wheel is built of: licences that deny.toml allows, from the registry and nowhere else.

`cargo deny check` says the same and more, for who has it; this needs nothing but cargo.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DENY = tomllib.loads((ROOT / "deny.toml").read_text())
ALLOWED = frozenset(DENY["licenses"]["allow"])
WORD = re.compile(r"[()]|[^()\s]+(?: WITH [^()\s]+)?")

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")


@pytest.fixture(scope="module")
def packages() -> list[dict[str, object]]:
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("the dependencies are neither here nor to be had")
    return list(json.loads(done.stdout)["packages"])


def is_allowed(expression: str, allowed: frozenset[str] = ALLOWED) -> bool:
    """Tell whether an SPDX expression can be met with allowed licences."""
    words = WORD.findall(expression.replace("/", " OR "))
    values = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    return bool(eval(" ".join(values.get(word, str(word in allowed)) for word in words)))


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", True),
        ("GPL-3.0", False),
        ("MIT/GPL-3.0", True),
        ("MIT AND GPL-3.0", False),
        ("(MIT OR GPL-3.0) AND ISC", True),
        ("Apache-2.0 WITH LLVM-exception", False),
    ],
)
def test_expressions_are_read_as_they_are_meant(expression, verdict):
    assert is_allowed(expression, frozenset({"MIT", "ISC", "Apache-2.0"})) is verdict


def test_every_crate_has_a_licence_that_is_allowed(packages):
    bad = {f"{one['name']}: {one['license']}" for one in packages
           if not is_allowed(str(one["license"] or "unknown"))}  # fmt: skip

    assert len(packages) > 50
    assert bad == set()


def test_every_crate_comes_from_the_registry(packages):
    sources = {str(one["source"]) for one in packages if one["source"] is not None}

    assert [source.partition("+")[0] for source in sources] == ["registry"]
