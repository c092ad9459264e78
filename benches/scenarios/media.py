"""CPU per RTP packet in+out, per session set-up, and memory per session, on real loopback sockets.

G.711 rows show the path itself (the codec is a table); the Opus row shows what its encoder and decoder add.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from benches import process, runs

if TYPE_CHECKING:
    from benches.report import Row

SECONDS = 5
CASES = (("plain", "pcmu", 200), ("ice", "pcmu", 200), ("ice", "opus", 50))


def run() -> list[Row]:
    """Measure every case."""
    return runs.rows(
        "media",
        {
            f"{transport} {codec} x{2 * pairs}": partial(_case, transport, codec, pairs)
            for transport, codec, pairs in CASES
        },
    )


def _case(transport: str, codec: str, pairs: int) -> dict[str, float]:
    arguments = (transport, codec, str(pairs), str(SECONDS))
    with process.module("benches.servers.media", *arguments, core=1) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())
