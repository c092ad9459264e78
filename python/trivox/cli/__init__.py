"""The command line: `trivox demo`, `trivox switchboard`, `trivox --version`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

_NEEDED: Final = ("cyclopts", "rich")


def main() -> None:
    """Run the command line; the entry point of the `trivox` script."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(
            f"trivox: the commands need the extra `cli` ({' and '.join(missing)} not found): "
            "run `pip install 'trivox[cli]'`."
        )
    from trivox.cli.app import run

    run()
