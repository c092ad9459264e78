"""How long sound takes through us on loopback: from a program to a program, and through an echo.

Mouth to ear is the time from handing 20 ms over (`audio().send`) to having them as a frame on the
other side: the wait for the next packet, encoder, two sockets, jitter buffer, decoder, and the way to
the program. The echo sends packets back as they come; its time is from socket to socket.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

from benches import process, runs
from benches.scenarios.echo import echo

if TYPE_CHECKING:
    from benches.report import Row

CALLS = 20
SECONDS = float(os.environ.get("LATENCY_SECONDS", "20"))


def run() -> list[Row]:
    """Measure two codecs and an echo."""
    cases = {
        f"{codec} x{CALLS}, mouth to ear": partial(_through, codec) for codec in ("pcmu", "opus")
    }
    cases[f"pcmu x{CALLS}, echo"] = partial(echo, CALLS, SECONDS)
    return runs.rows("latency", cases)


def _through(codec: str) -> dict[str, float]:
    arguments = (codec, str(CALLS), str(SECONDS))
    with process.module("benches.servers.latency", *arguments, core=None) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())
