"""Tones of a FakeEngine: keys arrive at the far session, as sound only where somebody listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.testing.fake_core import FakeCore

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.testing.fake_session import FakeSession


class FakeTones(FakeCore):
    """The part of a FakeEngine that is about keys and tones."""

    _sendings: dict[int, int]

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

    def send_dtmf(self, session: int, tones: str, duration: float, gap: float) -> int:
        """Send tones one after the other; the far session reports them."""
        began, ended = EngineEventKind.DTMF_STARTED, EngineEventKind.DTMF
        return self._send_tones(session, tones, duration, gap, began, ended)

    def cancel_dtmf(self, session: int, sending: int) -> None:
        """Send none of the tones that are left."""
        self._session(session).dtmf_free = self._now
        self._sendings.pop(sending, None)

    def _send_tones(
        self,
        session: int,
        tones: str,
        duration: float,
        gap: float,
        began: EngineEventKind,
        ended: EngineEventKind,
    ) -> int:
        own = self._session(session)
        _check_tones(tones)
        number = next(self._numbers)
        self._sendings[number] = session
        moment = max(self._now, own.dtmf_free)
        for tone in tones.upper():
            if tone == ",":
                moment += 2.0
                continue
            self._at(moment, self._tone(number, own, began, tone, 0.0))
            moment += duration
            self._at(moment, self._tone(number, own, ended, tone, duration))
            moment += gap
        own.dtmf_free = moment
        self._at(moment, lambda: self._end_sending(number))
        return number

    def _tone(
        self, sending: int, own: FakeSession, kind: EngineEventKind, tone: str, duration: float
    ) -> Callable[[], None]:
        def act() -> None:
            if sending in self._sendings and not own.is_muted:
                for far in self._sessions.values():
                    if far.port == own.remote_port and far.hears(kind):
                        self._emit(far.number, kind, duration, tone)

        return act

    def _end_sending(self, number: int) -> None:
        session = self._sendings.pop(number, None)
        if session is not None:
            self._emit(session, EngineEventKind.DTMF_SENT, number)

    def _drop_sendings(self, session: int) -> None:
        for sending in [number for number, own in self._sendings.items() if own == session]:
            del self._sendings[sending]


def _check_tones(tones: str) -> None:
    """Refuse what is no digit."""
    if not tones or not set(tones.upper()) <= set("0123456789*#ABCD,"):
        raise InvalidArgumentsError("tones are 0-9, *, #, A-D and ',' for a pause")
