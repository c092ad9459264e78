"""The command line around the commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trivox import __version__, cli
from trivox.cli.switchboard import passwords
from trivox.errors import InvalidArgumentsError


def _trivox(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trivox.cli", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_version_is_the_packages() -> None:
    done = _trivox("--version")

    assert (done.returncode, done.stdout.strip()) == (0, __version__)


def test_help_names_the_commands_and_hides_the_faults() -> None:
    assert "switchboard" in _trivox("--help").stdout
    assert "--fault" not in _trivox("demo", "--help").stdout


def test_an_unknown_option_is_refused() -> None:
    assert _trivox("demo", "--nonsense").returncode != 0


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)

    with pytest.raises(SystemExit, match=r"pip install 'trivox\[cli\]'"):
        cli.main()


def test_users_are_name_and_password() -> None:
    assert passwords(["alice:pw", "bob:a:b"]) == {"alice": "pw", "bob": "a:b"}


def test_a_user_without_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        passwords(["alice:pw", "s3cret"])

    assert "number 2" in str(caught.value)
    assert "s3cret" not in str(caught.value)
