"""What the detectors cost the media thread, by call and frame of 20 ms: beside calls without any."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from benches import process, runs

if TYPE_CHECKING:
    from benches.report import Row

CALLS, SECONDS = 100, 3
KINDS = ("nothing", "keys", "tones", "answerer", "voice")
CODECS = ("pcmu", "opus")


def run() -> list[Row]:
    """Measure each detector for both codecs."""
    cases = {
        f"{codec} x{CALLS}, {kind}": partial(_case, codec, kind)
        for codec in CODECS
        for kind in KINDS
    }
    return runs.rows("tones", cases)


def _case(codec: str, kind: str) -> dict[str, float]:
    arguments = (codec, str(CALLS), str(SECONDS), kind)
    with process.module("benches.servers.tones", *arguments, core=1) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())
