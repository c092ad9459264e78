"""What plays in the sessions of a FakeEngine: lengths and places, no samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.testing.fake_session import FakeSession

_PLACES = ("queue", "beside", "hold")


@dataclass(slots=True)
class FakePlayback:
    """A source and how much of it was sent; `since` is not a number while it does not run."""

    owner: FakeSession
    duration: float
    place: str
    sent: float = 0.0
    since: float = math.nan


@final
class FakePlayer:
    """All playbacks of an engine, by number."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        at: Callable[[float, Callable[[], None]], None],
        emit: Callable[[int, EngineEventKind, float, str], None],
    ) -> None:
        self._now = now
        self._at = at
        self._emit = emit
        self._playing: dict[int, FakePlayback] = {}

    def __len__(self) -> int:
        return len(self._playing)

    def __contains__(self, number: int) -> bool:
        return number in self._playing

    def play(self, own: FakeSession, number: int, duration: float, place: str) -> int:
        """Take a source for a place."""
        if place not in _PLACES:
            raise InvalidArgumentsError(f'a place is "queue", "beside" or "hold", not {place!r}')
        self._playing[number] = FakePlayback(own, duration, place)
        own.playbacks.append(number)
        self.run(own)
        return number

    def stop(self, number: int) -> float:
        """Stop a playback; returns the seconds sent of it, 0 for one that has ended."""
        return self._end(number) if number in self._playing else 0.0

    def finish(self, number: int, error: str = "") -> None:
        """End a playback by itself, or for a reason."""
        self._end(number, error)

    def elapsed(self, number: int) -> float:
        """Return the seconds sent of a playback; not a number while it does not run."""
        playback = self._playing[number]
        return playback.sent + self._now() - playback.since

    def drop(self, own: FakeSession) -> None:
        """Forget what plays on a session that ends."""
        for number in own.playbacks:
            del self._playing[number]
        own.playbacks.clear()

    def run(self, own: FakeSession) -> None:
        """Let run what is to run on a session, and pause the rest."""
        if not own.connected <= self._now():
            return
        is_first = True
        for number in tuple(own.playbacks):
            playback = self._playing[number]
            runs = own.is_holding if playback.place == "hold" else True
            if playback.place == "queue":
                runs, is_first = is_first, False
            if runs and math.isnan(playback.since):
                self._start(number, playback)
            elif not runs and not math.isnan(playback.since):
                self._pause(playback)

    def _start(self, number: int, playback: FakePlayback) -> None:
        now = self._now()
        playback.since = now
        left = playback.duration - playback.sent
        if left < math.inf:
            self._at(now + left, lambda: self._play_out(number, now))

    def _pause(self, playback: FakePlayback) -> None:
        playback.sent += self._now() - playback.since
        playback.since = math.nan

    def _play_out(self, number: int, since: float) -> None:
        playback = self._playing.get(number)
        if playback is not None and playback.since == since:
            self._end(number)

    def _end(self, number: int, error: str = "") -> float:
        playback = self._playing.pop(number)
        if not math.isnan(playback.since):
            self._pause(playback)
        own = playback.owner
        own.playbacks.remove(number)
        sent = min(playback.sent, playback.duration)
        self._emit(
            own.number, EngineEventKind.PLAYBACK_ENDED, number, f"{sent:.6f} {error}".rstrip()
        )
        self.run(own)
        return sent
