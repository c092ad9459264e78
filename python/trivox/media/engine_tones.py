"""What the engine does with tones in the audio itself: keys heard and sent."""

from __future__ import annotations

from typing import Protocol


class ToneSessions(Protocol):
    """The part of `MediaSessions` that is about tones."""

    def set_tones(self, session: int, *, dtmf: bool) -> None:
        """Say what tones are listened for; INBAND_DTMF_STARTED and INBAND_DTMF follow."""
        ...

    def send_inband(self, session: int, tones: str, duration: float, gap: float) -> int:
        """Send keys as sound; DTMF_SENT follows. Cancelled by `cancel_dtmf`."""
        ...
