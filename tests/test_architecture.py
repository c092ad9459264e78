"""The rules of CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = sorted((ROOT / "python").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
RUST = sorted((ROOT / "rust").rglob("*.rs"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_test(path: Path) -> bool:
    return "tests" in path.parts or path.name.startswith("tests")


def without_inline_tests(path: Path) -> str:
    return path.read_text().partition("#[cfg(test)]\nmod tests {")[0]


def lines_of(path: Path) -> int:
    return path.read_text().count("\n")


def test_no_file_is_longer_than_its_limit():
    limits = [(path, 400) for path in (*PYTHON, *RUST) if not is_test(path)]
    limits += [(path, 600) for path in (*TESTS, *filter(is_test, RUST))]
    limits += [(path, 80) for path in EXAMPLES]

    assert [f"{name(p)}: {lines_of(p)} > {m}" for p, m in limits if lines_of(p) > m] == []


def test_no_function_is_longer_than_fifty_lines():
    too_long = []
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node, clean=False) or ""
                length = node.end_lineno - node.lineno + 1 - docstring.count("\n")
                if length > 50:
                    too_long.append(f"{name(path)}:{node.lineno} {node.name}: {length}")

    assert too_long == []


def test_every_public_class_and_function_has_a_docstring():
    silent = []
    for path in PYTHON:
        for node in ast.parse(path.read_text()).body:
            is_public = not getattr(node, "name", "_").startswith("_")
            if is_public and ast.get_docstring(node) is None:
                silent.append(f"{name(path)}: {node.name}")

    assert silent == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedError"])
def test_nothing_is_left_for_later(word):
    pattern = re.compile(rf"\b{word}\b")
    sources = [*PYTHON, *RUST, *EXAMPLES]

    assert [name(p) for p in sources if pattern.search(p.read_text())] == []


def test_the_sans_io_side_draws_no_time_and_no_chance():
    forbidden = re.compile(r"^\s*(import|from) (time|random|secrets|uuid|datetime)\b", re.MULTILINE)
    core = [p for p in PYTHON if p.parent.name in {"sip", "call"}]

    assert [name(p) for p in core if forbidden.search(p.read_text())] == []


def test_the_clock_is_read_in_one_rust_file():
    reading = re.compile(r"\b(Instant|SystemTime)::now\(\)")
    # Peers are what others have made, for a bench: one of them reads the clock itself.
    sources = [p for p in RUST if not is_test(p) and "peers" not in p.parts]

    assert [name(p) for p in sources if reading.search(without_inline_tests(p))] in (
        [],
        ["rust/media/src/shard.rs"],
    )


def test_the_wall_clock_times_nothing():
    read = re.compile(r"\btime\.time(_ns)?\(|\bdatetime\.(utc)?now\(|\bSystemTime::now")
    sources = [p for p in PYTHON + RUST if not is_test(p)]

    assert [name(p) for p in sources if read.search(p.read_text())] == [
        "python/trivox/client/_messaging.py",  # tells people when a message was written
        "python/trivox/client/load_filters.py",  # a filter stands between two dates (RFC 7200)
        "python/trivox/observe/pcapng.py",  # only says how its reader may put our times into a day
    ]


def test_types_of_the_webrtc_crates_stay_in_their_rooms():
    rooms = ("rust/media/src/transport/", "rust/media/src/session/offer_answer.rs")
    uses = re.compile(r"\brtc::")
    sources = [p for p in RUST if "media/src" in name(p) and not name(p).startswith(rooms)]

    assert [name(p) for p in sources if uses.search(p.read_text())] == []


def test_only_the_extension_s_buffer_code_is_unsafe():
    for crate in ("sip", "media"):
        assert "forbid(unsafe_code)" in (ROOT / "rust" / crate / "src" / "lib.rs").read_text()
