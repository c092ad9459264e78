"""A program of somebody else's, for as long as a test needs it."""

from __future__ import annotations

import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path


@asynccontextmanager
async def running(
    command: Sequence[str],
    log: Path,
    *,
    end: Callable[[trio.Process], Awaitable[object]] | None = None,
) -> AsyncIterator[trio.Process]:
    """Run a server in the folder of its log, and end it on leaving; `end` does more than that."""
    with log.open("wb") as file:
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                lambda task_status: trio.run_process(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    cwd=log.parent,
                    check=False,
                    deliver_cancel=end,
                    task_status=task_status,
                )
            )
            try:
                yield process
            finally:
                nursery.cancel_scope.cancel()
