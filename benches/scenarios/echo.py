"""300 calls whose G.711 packets an echo sends back as they come: what is lost, and how evenly they leave.

The server is a full one: SIP, a handler task and a bridge a call. The far ends are plain sockets in
this process, on another core; arrivals are stamped by the kernel, so that only the server's part is
in the figures, and that of the machine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benches import process, runs
from benches.talkers import quantile, talk

if TYPE_CHECKING:
    from benches.report import Row

CALLS = int(os.environ.get("ECHO_CALLS", "300"))
SECONDS = float(os.environ.get("ECHO_SECONDS", "60"))


def run() -> list[Row]:
    """Measure; SECONDS each run."""
    return runs.rows("echo", {f"pcmu x{CALLS}, {SECONDS:g} s": echo})


def echo(calls: int = CALLS, seconds: float = SECONDS) -> dict[str, float]:
    """Talk to an echo in a process of its own; the figures."""
    with process.module("benches.servers.echo", core=1) as server:
        assert server.stdout is not None
        heard = talk(("127.0.0.1", int(server.stdout.readline())), calls, seconds)
        cpu = process.usage(server.pid).cpu_seconds
    return {
        "packets_sent": heard.sent,
        "packets_lost": heard.sent - heard.received,
        "jitter_ms_p99": quantile(heard.jitters, 0.99) * 1e3,
        "delay_ms_p50": quantile(heard.delays, 0.5) * 1e3,
        "delay_ms_p99": quantile(heard.delays, 0.99) * 1e3,
        "server_cpu_seconds": cpu,
    }
