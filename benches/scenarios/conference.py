"""What a room of 200 members costs on one core: decoded from all, three speaking."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from benches import process, runs

if TYPE_CHECKING:
    from benches.report import Row

SECONDS = 4
MEMBERS, SPEAKERS = 200, 3


def run() -> list[Row]:
    """Measure both codecs."""
    codecs = ("opus", "pcmu")
    return runs.rows(
        "conference", {f"{codec} x{MEMBERS}": partial(_case, codec) for codec in codecs}
    )


def _case(codec: str) -> dict[str, float]:
    arguments = (codec, str(MEMBERS), str(SPEAKERS), str(SECONDS))
    with process.module("benches.servers.conference", *arguments, core=1) as server:
        assert server.stdout is not None
        return json.loads(server.stdout.readline())
