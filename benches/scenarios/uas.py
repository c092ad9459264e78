"""Calls per second as a user agent server, beside `sipp -sn uas` in the same run.

The server is a full one: a Call object, its handler task, a listener, a media session with SDP.
Only the CPU time of the system under test counts; the generator has the other core.
"""

from __future__ import annotations

import shutil
import socket
import time

from benches import process
from benches.generator import Generator
from benches.report import Row

CALLS = 5_000
WARM_UP = 500
WINDOW = 32


def run() -> list[Row]:
    """Measure ours and sipp's in turn, three rounds."""
    rows = []
    for round_number in range(3):
        ours = _ours()
        theirs = _sipp()
        rows.append(Row("uas", f"trivox, round {round_number}", {**ours}))
        if theirs is not None:
            ratio = ours["cpu_us_per_call"] / theirs["cpu_us_per_call"]
            rows.append(
                Row("uas", f"sipp -sn uas, round {round_number}", {**theirs, "ratio": ratio})
            )
    return rows


def measure(pid: int, port: int) -> dict[str, float]:
    """Return what a server's calls cost, once it is warm."""
    with Generator(("127.0.0.1", port)) as warm_up:
        warm_up.run(WARM_UP, WINDOW)
    with Generator(("127.0.0.1", port)) as generator:
        before = process.usage(pid)
        load = generator.run(CALLS, WINDOW)
        after = process.usage(pid)
    cpu = after.cpu_seconds - before.cpu_seconds
    return {
        "calls_per_second": load.completed / load.seconds,
        "cpu_us_per_call": cpu / load.completed * 1e6,
        "failed": load.failed,
        "stalled": load.stalled,
    }


def _ours() -> dict[str, float]:
    with process.module("benches.servers.uas", core=1) as server:
        port = int(server.stdout.readline())
        return measure(server.pid, port)


def _sipp() -> dict[str, float] | None:
    if shutil.which("sipp") is None:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-nostdin", "-nd"]
    with process.command(words, core=1) as server:
        _until_answering(port)
        return measure(server.pid, port)


def _until_answering(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with Generator(("127.0.0.1", port)) as probe:
            if probe.run(1, 1).completed:
                return
    raise RuntimeError("sipp does not answer")
