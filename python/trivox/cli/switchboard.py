"""`trivox switchboard`: the embedded registrar and proxy as a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from rich.console import Console

from trivox.errors import InvalidArgumentsError
from trivox.switchboard import open_switchboard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


async def run_switchboard(listen: Sequence[str], users: Sequence[str], pages: Path | None) -> int:
    """Run a switchboard until Ctrl-C; returns the exit code.

    Raises:
        InvalidArgumentsError: A user has no password.
    """
    console = Console(highlight=False)
    async with open_switchboard(listen=list(listen), users=passwords(users), pages=pages) as board:
        for address in board.listening_on:
            console.print(f"listening on {address}", markup=False, soft_wrap=True)
        console.print("Ctrl-C stops it.")
        await trio.sleep_forever()
    return 0


def passwords(users: Sequence[str]) -> dict[str, str]:
    """Read name:password pairs.

    Raises:
        InvalidArgumentsError: One is not of that form.
    """
    pairs = {}
    for position, user in enumerate(users, 1):
        name, colon, password = user.partition(":")
        if not (name and colon and password):
            # What was given is not repeated: it may hold a password.
            raise InvalidArgumentsError(f"user number {position} is not of the form name:password")
        pairs[name] = password
    return pairs
