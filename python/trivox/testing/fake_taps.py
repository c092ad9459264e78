"""Packets of a FakeEngine: silence of G.711, one each 20 ms, read by the time."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.testing.fake_core import FakeCore

if TYPE_CHECKING:
    from trivox.media.engine_taps import TappedPacket

_STEP: Final = 0.02
_SAMPLES: Final = 160
_NEAR: Final = 1e-6


@dataclass(slots=True)
class FakeTap:
    """One subscription: since when, and how many packets were taken."""

    session: int
    batch: int
    opened: float
    taken: int = 0


class FakeTaps(FakeCore):
    """The part of a FakeEngine that is about received packets."""

    _rtp_taps: dict[int, FakeTap]

    @abstractmethod
    def agreed_codecs(self, session: int) -> list[tuple[str, str, int, int]]:
        """Return what the descriptions name, the audio's first."""

    def open_rtp_tap(self, session: int, *, batch: int) -> int:
        """Subscribe; packets of silence come once the session is connected."""
        self._session(session)
        if not 1 <= batch <= 50:
            raise InvalidArgumentsError("a batch has 1 to 50 packets")
        number = next(self._numbers)
        self._rtp_taps[number] = FakeTap(session, batch, self._now)
        self._at(self._now + batch * _STEP, lambda: self._tick_tap(number))
        return number

    def close_rtp_tap(self, tap: int) -> None:
        """End a subscription. A closed one is ignored."""
        self._rtp_taps.pop(tap, None)

    def take_rtp(self, tap: int, limit: int) -> tuple[list[TappedPacket], int]:
        """Return the packets since the last take; a fake loses none."""
        own = self._rtp_taps.get(tap)
        if own is None or own.session not in self._sessions:
            return [], 0
        start = max(own.opened, self._sessions[own.session].connected)
        if math.isnan(start):
            return [], 0
        whole = int((self._now - start) / _STEP + _NEAR)
        numbers = range(own.taken, min(whole, own.taken + limit))
        own.taken += len(numbers)
        (_, codec, clock, _), *_ = self.agreed_codecs(own.session)
        silence = b"\xff" * _SAMPLES
        return [
            (at * _STEP, 0, at == 0, at & 0xFFFF, at * clock // 50, tap, silence, codec)
            for at in numbers
        ], 0

    def _tick_tap(self, number: int) -> None:
        tap = self._rtp_taps.get(number)
        if tap is None or tap.session not in self._sessions:
            return
        if self._sessions[tap.session].connected <= self._now:
            self._emit(tap.session, EngineEventKind.RTP_READY, number)
        self._at(self._now + tap.batch * _STEP, lambda: self._tick_tap(number))
