"""What can be wrong with a call's media, and the events that tell when it begins and ends.

The engine looks once a second; `docs/quality.md` has the thresholds. An issue is raised once, again
when it gets critical, and cleared once, so that a listener need not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trivox.call.events import Event


class QualityIssue(StrEnum):
    """What is wrong."""

    HIGH_LATENCY = "high_latency"
    """The round trip takes too long; in seconds."""
    PACKET_LOSS = "packet_loss"
    """Packets for us are missing; share of the last 5 seconds, 0 to 1."""
    REMOTE_PACKET_LOSS = "remote_packet_loss"
    """Packets of ours are missing at the far end, as it reports; share, 0 to 1."""
    HIGH_JITTER = "high_jitter"
    """Packets arrive unevenly (RFC 3550 §6.4.1); in seconds."""
    NO_AUDIO_RECEIVED = "no_audio_received"
    """No packet comes although receiving is agreed; in seconds."""
    NO_AUDIO_SIGNAL = "no_audio_signal"
    """Packets come and carry silence only; in seconds."""
    LOW_LEVEL = "low_level"
    """The far end is hard to hear: the loudest moment of the last 10 seconds, in dBov."""
    CODEC_MISMATCH = "codec_mismatch"
    """Packets come in a format that was not agreed; packets a second."""
    ICE_LOST = "ice_lost"
    """The path found by ICE does not answer; in seconds."""


class QualityLevel(StrEnum):
    """How bad it is."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityIssueRaised(Event):
    """Something about the call's media has become bad, or worse.

    Attributes:
        kind: What it is.
        level: How bad it is.
        value: The value that says so, in the unit of its kind.
        threshold: The limit it passed.
    """

    kind: QualityIssue
    level: QualityLevel
    value: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityIssueCleared(Event):
    """What was raised is over.

    Attributes:
        kind: What it was.
        value: The value that says so, in the unit of its kind.
        threshold: The limit it came back to.
    """

    kind: QualityIssue
    value: float
    threshold: float


def read_issue(text: str) -> tuple[QualityIssue, QualityLevel | None, float]:
    """Read what the engine says of an issue: its kind, its level (None: over) and the limit."""
    kind, level, threshold = text.split(" ")
    is_over = level == "fine"
    return QualityIssue(kind), None if is_over else QualityLevel(level), float(threshold)
