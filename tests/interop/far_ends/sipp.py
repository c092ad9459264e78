"""sipp: the built-in scenarios, and what its statistics say."""

from __future__ import annotations

import csv
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SippResult:
    """The last row of sipp's statistics file."""

    successful: int
    failed: int
    retransmissions: int
    exit_code: int
    errors: str


async def run_sipp(
    run_dir: Path, *arguments: str, within: float = 60, task_status=trio.TASK_STATUS_IGNORED
) -> SippResult:
    """Run sipp to its end and read its statistics. Bounded in calls by the caller, in time here."""
    statistics = run_dir / "statistics.csv"
    errors = run_dir / "errors.log"
    command = ["sipp", *arguments, "-i", "127.0.0.1", "-nostdin", "-trace_stat", "-fd", "1",
               "-stf", str(statistics), "-trace_err", "-error_file", str(errors)]  # fmt: skip
    with trio.fail_after(within):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                lambda task_status: trio.run_process(
                    command,
                    check=False,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    stdin=subprocess.DEVNULL,
                    cwd=run_dir,
                    task_status=task_status,
                )
            )
            task_status.started(process)
            exit_code = await process.wait()
    rows = list(csv.DictReader(statistics.read_text().splitlines(), delimiter=";"))
    last = rows[-1]
    return SippResult(
        successful=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        retransmissions=int(last["Retransmissions(C)"]),
        exit_code=exit_code,
        errors=errors.read_text() if errors.exists() else "",
    )
