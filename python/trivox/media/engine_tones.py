"""What the engine does with tones in the audio itself: keys, tones of networks, who answered."""

from __future__ import annotations

from typing import Protocol


class ToneSessions(Protocol):
    """The part of `MediaSessions` that is about tones."""

    def set_tones(self, session: int, *, dtmf: bool, tones: bool) -> None:
        """Say what is listened for; INBAND_DTMF_STARTED, INBAND_DTMF and TONE_HEARD follow."""
        ...

    def begin_answerer(
        self,
        session: int,
        *,
        initial_silence: float,
        greeting: float,
        after_greeting: float,
        words: int,
        word: float,
        limit: float,
    ) -> None:
        """Listen from now on for who has answered; ANSWERER_TOLD follows, once."""
        ...

    def send_inband(self, session: int, tones: str, duration: float, gap: float) -> int:
        """Send keys as sound; DTMF_SENT follows. Cancelled by `cancel_dtmf`."""
        ...
