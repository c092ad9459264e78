"""Memory of the server for each connected call: plain RTP on real sockets, the callers elsewhere.

Resident memory of the server's process, counted from a warmed-up server without calls; every call
sends and receives a packet each 20 ms meanwhile. Kernel memory of the sockets is not in it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benches import process
from benches.generator import Generator
from benches.report import Row

if TYPE_CHECKING:
    import subprocess

WARM_UP = 100
WINDOW = 8
CALLS = (100, 1_000)
SETTLE_SECONDS = 3.0


def run() -> list[Row]:
    """Measure the server with 100 and with 1,000 calls up."""
    with process.module("benches.servers.uas", core=1) as server:
        port = int(_line(server))
        with Generator(("127.0.0.1", port)) as generator:
            generator.run(WARM_UP, WINDOW)
        time.sleep(SETTLE_SECONDS)
        empty = process.usage(server.pid)
        rows = []
        target = f"sip:bench@127.0.0.1:{port}"
        with process.module("benches.servers.callers", target, core=0) as callers:
            for calls in CALLS:
                assert callers.stdin is not None
                print(calls, file=callers.stdin, flush=True)
                held = int(_line(callers))
                rows.append(_row(server.pid, held, empty))
    return rows


def _row(pid: int, held: int, empty: process.Usage) -> Row:
    time.sleep(SETTLE_SECONDS)
    before, begin = process.usage(pid), time.monotonic()
    time.sleep(SETTLE_SECONDS)
    after, seconds = process.usage(pid), time.monotonic() - begin
    figures = {
        "calls": held,
        "kb_per_call": (after.resident_bytes - empty.resident_bytes) / held / 1024,
        "kb_empty": empty.resident_bytes / 1024,
        "core_share": (after.cpu_seconds - before.cpu_seconds) / seconds,
    }
    return Row("memory", f"trivox, {held} calls up", figures)


def _line(of: subprocess.Popen[str]) -> str:
    assert of.stdout is not None
    return of.stdout.readline()
