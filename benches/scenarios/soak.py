"""A minute of calls from sipp: none may fail, and nothing may be left when they are over.

`SOAK_SECONDS` and `SOAK_RATE` change the minute and the 200 calls a second.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benches import process
from benches.report import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
RATE = int(os.environ.get("SOAK_RATE", "200"))
LINGERING = 75
"""Seconds the last transactions may take to be forgotten: 64·T1 twice, and a bit."""


def run() -> list[Row]:
    """Measure once; raises when something is left behind."""
    with process.module("benches.servers.accountable", core=1) as server:
        port = int(server.stdout.readline())
        _sipp(port, calls=20)
        base = _settled(server, {})
        before = process.usage(server.pid)
        figures = _sipp(port, calls=RATE * SECONDS)
        after = process.usage(server.pid)
        answer = _settled(server, base)
    left = {
        name: count - base[name] for name, count in answer["held"].items() if count != base[name]
    }
    figures |= answer["counted"]
    figures["cpu_us_per_call"] = (after.cpu_seconds - before.cpu_seconds) / (RATE * SECONDS) * 1e6
    figures["left_behind"] = sum(map(abs, left.values()))
    if left:
        print(f"left behind: {left}")
    return [Row("soak", f"{RATE} calls/s, {SECONDS} s", figures)]


def _settled(server: subprocess.Popen[str], base: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Ask until what is held is the base, or nothing but it, and return the last answer."""
    deadline = time.monotonic() + LINGERING
    while True:
        answer = _ask(server)
        held = answer["held"]
        if not base and not held["transactions"]:
            return held
        if held == base or time.monotonic() > deadline:
            return answer
        time.sleep(1)


def _ask(server: subprocess.Popen[str]) -> dict[str, dict[str, int]]:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    answer: dict[str, dict[str, int]] = json.loads(server.stdout.readline())
    return answer


def _sipp(port: int, calls: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        statistics = Path(folder) / "statistics.csv"
        subprocess.run(
            ["sipp", "-sn", "uac", "-m", str(calls), "-r", str(RATE), "-d", "100", "-i", "127.0.0.1",
             "-nostdin", "-trace_stat", "-fd", "1", "-stf", str(statistics), f"127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, check=False,
            timeout=SECONDS * 2 + 60,
        )  # fmt: skip
        last = list(csv.DictReader(statistics.read_text().splitlines(), delimiter=";"))[-1]
    return {
        "successful": int(last["SuccessfulCall(C)"]),
        "failed": int(last["FailedCall(C)"]),
        "retransmitted_by_sipp": int(last["Retransmissions(C)"]),
    }
