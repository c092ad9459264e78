"""What is heard in a call's audio, told as events; off unless `CallSettings.detection` asks."""

from __future__ import annotations

from dataclasses import dataclass

from trivox.call.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceActivity(Event):
    """The far end began to speak, or ended.

    With the end, `duration` is how long it spoke, in seconds, without the hang-over; else 0.0.
    """

    is_speaking: bool
    duration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReport(Event):
    """Mean levels since the last report, in dBov (0 is full scale, -127 is silence)."""

    received_dbov: float
    sent_dbov: float
