"""Measuring what was heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.cli.demo.options import CALLER_SPEECH
from trivox.cli.demo.verdict import Heard
from trivox.media.native_engine import compare_recordings

if TYPE_CHECKING:
    from pathlib import Path

    from trivox.cli.demo.callee import CalleeResult
    from trivox.cli.demo.caller import CallerResult


def measure(folder: Path, caller: CallerResult, callee: CalleeResult) -> Heard:
    """Compare the callee's recording with the speech that was to be said.

    Recordings are stereo: left is what was received, right what was sent. The delay is from the
    caller's right to the callee's left, both placed in time by when they began.

    Raises:
        EngineError: A file cannot be read.
    """
    said = compare_recordings(CALLER_SPEECH, folder / "caller.wav", 1)
    found = compare_recordings(CALLER_SPEECH, folder / "callee.wav", 0)
    said_at = caller.recording_began + said["delay_ms"] / 1000
    heard_at = callee.recording_began + found["delay_ms"] / 1000
    figures = callee.statistics

    def number(name: str) -> float:
        value = figures.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    return Heard(
        setup=caller.setup,
        correlation=found["correlation"],
        delay=heard_at - said_at,
        longest_gap=found["longest_gap_ms"] / 1000,
        level_dbov=found["level_dbov"],
        loss=number("loss"),
        jitter=number("jitter"),
        mos=number("mos"),
        digits=caller.digits,
    )
