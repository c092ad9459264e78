"""CPU per RTP packet in+out, per session set-up, and memory per session, on real loopback sockets.

G.711 rows show the path itself (the codec is a table); the Opus row shows what its encoder and decoder add.
The machine's own scheduling delay in the same run says how far the rows can be trusted.
"""

from __future__ import annotations

import json
import time

from benches import process
from benches.report import Row

RUNS = 3
SECONDS = 5
CASES = (("plain", "pcmu", 200), ("ice", "pcmu", 200), ("ice", "opus", 50))


def run() -> list[Row]:
    """Measure every case RUNS times, interleaved."""
    rows = []
    for number in range(RUNS):
        delay_ms = _scheduling_delay_ms()
        for transport, codec, pairs in CASES:
            figures = _case(transport, codec, pairs)
            name = f"{transport} {codec} x{2 * pairs}, run {number}"
            rows.append(Row("media", name, {**figures, "scheduling_delay_p99_ms": delay_ms}))
    return rows


def _case(transport: str, codec: str, pairs: int) -> dict[str, float]:
    arguments = (transport, codec, str(pairs), str(SECONDS))
    with process.module("benches.servers.media", *arguments, core=1) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())


def _scheduling_delay_ms(samples: int = 100) -> float:
    """Return by how much a sleep of 20 ms is late, 99th percentile."""
    late = []
    for _ in range(samples):
        begin = time.perf_counter()
        time.sleep(0.02)
        late.append((time.perf_counter() - begin - 0.02) * 1e3)
    return sorted(late)[int(samples * 0.99) - 1]
