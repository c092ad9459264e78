"""Tones of a FakeEngine: keys sent as sound are heard where somebody listens for them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from trivox.testing.fake_session import FakeSession


class FakeTones:
    """The part of a FakeEngine that is about tones in the audio itself."""

    @abstractmethod
    def _session(self, number: int) -> FakeSession: ...
    @abstractmethod
    def _send_tones(
        self,
        session: int,
        tones: str,
        duration: float,
        gap: float,
        began: EngineEventKind,
        ended: EngineEventKind,
    ) -> int: ...

    def set_tones(self, session: int, *, dtmf: bool) -> None:
        """Hear keys in the audio itself, or not."""
        self._session(session).hears_inband = dtmf

    def send_inband(self, session: int, tones: str, duration: float, gap: float) -> int:
        """Send tones one after the other; the far session reports them if it listens."""
        began, ended = EngineEventKind.INBAND_DTMF_STARTED, EngineEventKind.INBAND_DTMF
        return self._send_tones(session, tones, duration, gap, began, ended)
