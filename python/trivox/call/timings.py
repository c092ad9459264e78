"""When things happened to a call, on Trio's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallTimings:
    """Moments of a call in seconds of `trio.current_time()`; None where they did not come."""

    created: float
    started: float | None = None
    """`start()` sent the INVITE, or `answer()` was called."""
    progressed: float | None = None
    """The first 18x, either way."""
    answered: float | None = None
    """The 2xx was received or sent."""
    connected: float | None = None
    first_rtp: float | None = None
    ended: float | None = None

    @property
    def setup(self) -> float | None:
        """Seconds from the INVITE to Connected; None for a call that never connected."""
        if self.started is None or self.connected is None:
            return None
        return self.connected - self.started

    @property
    def duration(self) -> float | None:
        """Seconds from Connected to the end; None until both happened."""
        if self.connected is None or self.ended is None:
            return None
        return self.ended - self.connected
