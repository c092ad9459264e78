"""Tones of a FakeEngine: keys sent as sound are heard where somebody listens for them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.testing.fake_session import FakeSession


class FakeTones:
    """The part of a FakeEngine that is about tones in the audio itself."""

    _now: float

    @abstractmethod
    def _at(self, moment: float, action: Callable[[], None]) -> None: ...
    @abstractmethod
    def _emit(
        self, session: int, kind: EngineEventKind, number: float = 0.0, text: str = ""
    ) -> None: ...
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

    def set_tones(self, session: int, *, dtmf: bool, tones: bool) -> None:
        """Hear keys in the audio itself, or not; `hear` says what other tones are heard."""
        del tones
        self._session(session).hears_inband = dtmf

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
        """Check the figures; a fake hears silence, so nobody knows after `initial_silence`."""
        self._session(session)
        times = (initial_silence, greeting, after_greeting, word, limit)
        if not all(0.02 <= time <= 60.0 for time in times) or not 1 <= words <= 1000:
            raise InvalidArgumentsError("the times are 0.02 to 60 s, the words 1 to 1000")
        kind = EngineEventKind.ANSWERER_TOLD
        cause = "silence" if initial_silence <= limit else "limit"
        moment = self._now + min(initial_silence, limit)
        self._at(moment, lambda: self._emit(session, kind, 0.0, f"unknown {cause} 0"))

    def send_inband(self, session: int, tones: str, duration: float, gap: float) -> int:
        """Send tones one after the other; the far session reports them if it listens."""
        began, ended = EngineEventKind.INBAND_DTMF_STARTED, EngineEventKind.INBAND_DTMF
        return self._send_tones(session, tones, duration, gap, began, ended)
