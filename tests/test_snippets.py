"""The Python that README and docs show: it compiles, and names what is there with its own fields."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import trivox

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SNIPPETS = [
    pytest.param(found[1].replace("…", "..."), id=f"{page.name}:{number}")
    for page in PAGES
    for number, found in enumerate(BLOCK.finditer(page.read_text()), 1)
]


def parsed(text: str) -> ast.Module:
    """Return the tree of a snippet, which may await where it stands."""
    tree = compile(text, "snippet", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    return tree


def named(node: ast.expr) -> object:
    """Return what `trivox.a.b` is; None for another expression. Raises AttributeError."""
    if isinstance(node, ast.Name):
        return trivox if node.id == "trivox" else None
    if isinstance(node, ast.Attribute):
        owner = named(node.value)
        return None if owner is None else getattr(owner, node.attr)
    return None


def test_there_are_snippets():
    assert len(SNIPPETS) > 10


@pytest.mark.parametrize("text", SNIPPETS)
def test_a_snippet_names_what_there_is(text):
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Attribute):
            named(node)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trivox"):
            module = __import__(str(node.module), fromlist=["*"])
            assert [one.name for one in node.names if not hasattr(module, one.name)] == []


@pytest.mark.parametrize("text", SNIPPETS)
def test_a_snippet_gives_arguments_that_there_are(text):
    for node in ast.walk(parsed(text)):
        if not isinstance(node, ast.Call):
            continue
        called = named(node.func)
        given = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
        if called is None or called is trivox.open_client or not callable(called):
            allowed = client_fields() if called is trivox.open_client else given
        else:
            parameters = inspect.signature(called).parameters.values()
            is_open = any(one.kind is one.VAR_KEYWORD for one in parameters)
            allowed = given if is_open else {one.name for one in parameters}
        assert given - allowed == set(), ast.unparse(node)


def client_fields() -> set[str]:
    """Return what `open_client` takes: its own parameters and the fields of ClientConfig."""
    own = set(inspect.signature(trivox.open_client).parameters)
    return own | set(inspect.signature(trivox.ClientConfig).parameters)


@pytest.mark.native
def test_the_page_about_tests_shows_one_that_runs():
    page = (ROOT / "docs" / "testing.md").read_text()
    found = BLOCK.search(page)
    assert found is not None
    names: dict[str, float] = {}

    exec(compile(found[1], "testing.md", "exec"), names)

    assert names["seconds"] == pytest.approx(61, abs=1.5)
