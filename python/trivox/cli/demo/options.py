"""What the demo does: its calls, its words, and what may be done wrong on purpose."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, final

_DATA: Final = Path(__file__).parent.parent / "data"
CALLER_SPEECH: Final = _DATA / "caller.wav"
REPLY_SPEECH: Final = _DATA / "reply.wav"
DIGITS: Final = "42#"
PLAN_HEADER: Final = "X-Demo-Call"
LEAD: Final = 0.4
"""Seconds the caller waits before it speaks, so that the recording has its beginning."""


class Fault(StrEnum):
    """One thing to do wrong, so that a test can see the verdict find it."""

    MUTED = "muted"
    """The caller's microphone is muted."""
    OTHER_FILE = "other-file"
    """The caller plays another file than the one it is judged by."""
    DROP = "drop"
    """The caller leaves out 30 % of its packets."""
    DIGITS = "digits"
    """The callee presses other keys."""


DROPPED_SHARE: Final = 0.3
WRONG_DIGITS: Final = "43#"


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """One of the demo's calls.

    Attributes:
        name: Also the name of its folder.
        title: For people.
        media: Kind of media transport.
        codec: The one codec that is offered.
        least_correlation: How alike the heard and the sent speech must be, 0 to 1. libopus alone
            gives 0.96 to 0.97 at 24 to 48 kb/s, µ-law 0.99.
    """

    name: str
    title: str
    media: Literal["webrtc", "rtp"]
    codec: str
    least_correlation: float


PLANS: Final = (
    Plan("webrtc", "WebRTC · Opus", "webrtc", "opus", 0.90),
    Plan("rtp", "plain RTP · G.711", "rtp", "PCMU", 0.97),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What was asked for on the command line."""

    out: Path
    processes: bool = False
    fault: Fault | None = None
    only: tuple[str, ...] = ()

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The calls to make."""
        return tuple(plan for plan in PLANS if not self.only or plan.name in self.only)

    @property
    def played(self) -> Path:
        """What the caller plays."""
        return REPLY_SPEECH if self.fault is Fault.OTHER_FILE else CALLER_SPEECH


def seconds_of(path: Path) -> float:
    """Return the length of a WAV file in seconds."""
    with wave.open(str(path), "rb") as file:
        return float(file.getnframes() / file.getframerate())
