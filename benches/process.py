"""Processes under measurement: pinned to a core, their CPU time read from the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CORES = sorted(os.sched_getaffinity(0))
"""Read before anything is pinned: a child inherits the one core of its parent."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far."""

    cpu_seconds: float
    resident_bytes: int


def usage(pid: int) -> Usage:
    """Read CPU time (user and kernel) and resident memory of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / TICKS_PER_SECOND, resident_pages * PAGE_BYTES)


def pin(core: int | None) -> None:
    """Keep this process on one core, if the machine has it; None: on all there are."""
    os.sched_setaffinity(0, CORES if core is None else {CORES[core % len(CORES)]})


@contextmanager
def module(name: str, *arguments: str, core: int | None) -> Iterator[subprocess.Popen[str]]:
    """Run a module of ours pinned to `core`, text pipes on both ends; ended on leaving."""
    with command([sys.executable, "-m", name, *arguments], core=core) as process:
        yield process


@contextmanager
def command(words: Sequence[str], *, core: int | None) -> Iterator[subprocess.Popen[str]]:
    """Run a program pinned to `core`; terminated, then killed, on leaving."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: pin(core),
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
