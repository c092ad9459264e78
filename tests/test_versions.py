"""One version, in one place; one least Rust, told to everybody."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import trivox

ROOT = Path(__file__).parent.parent
WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]


def test_the_package_the_extension_and_the_workspace_agree():
    assert trivox.__version__ == version("trivox") == WORKSPACE["version"]


def test_the_version_is_written_once():
    for manifest in (ROOT / "rust").glob("*/Cargo.toml"):
        package = tomllib.loads(manifest.read_text())["package"]
        assert package.get("version") in (None, {"workspace": True})
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_readme_names_the_least_rust():
    assert (
        re.search(r"Rust (\S+) or newer", (ROOT / "README.md").read_text())[1]
        == (WORKSPACE["rust-version"])
    )
