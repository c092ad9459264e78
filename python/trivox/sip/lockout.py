"""Slow down who guesses passwords: so many failures, then nothing is right for a while."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, final

MOST_FAILURES: Final = 10
"""Wrong passwords of one source for one user before both are locked."""
MOST_FAILURES_OF_SOURCE: Final = 50
"""The same of one source for any users together, which finds who tries out names."""
LOCK_TIME: Final = 300.0
"""Seconds a lock lasts after the last failure, and after which failures are forgotten."""
_CAPACITY: Final = 10_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    until: float = 0.0


@final
class Lockout:
    """Count failures by source and user. Bounded: the oldest entry makes room. Sans-I/O.

    A lock is answered exactly like a wrong password, so that a guesser learns nothing from it.
    A request that is repeated is no further guess, and does not come here: its transaction takes it.
    """

    def __init__(
        self,
        *,
        limit: int = MOST_FAILURES,
        limit_of_source: int = MOST_FAILURES_OF_SOURCE,
        lock_time: float = LOCK_TIME,
        capacity: int = _CAPACITY,
    ) -> None:
        self._limit = limit
        self._limit_of_source = limit_of_source
        self._lock_time = lock_time
        self._capacity = capacity
        self._held: OrderedDict[tuple[str, str | None], _Failures] = OrderedDict()
        self.refused = 0
        """Credentials that were not looked at because of a lock."""

    def __len__(self) -> int:
        return len(self._held)

    def is_locked(self, source: str, user: str, now: float) -> bool:
        """Tell whether a user's credentials from that host count for nothing; counts it if so."""
        is_locked = self._is_over((source, user), self._limit, now) or self._is_over(
            (source, None), self._limit_of_source, now
        )
        self.refused += is_locked
        return is_locked

    def note_failure(self, source: str, user: str, now: float) -> None:
        """Take that a password was wrong, or the user unknown."""
        for key in ((source, user), (source, None)):
            held = self._held.pop(key, None)
            if held is None or now >= held.until:
                held = _Failures()
            held.count += 1
            held.until = now + self._lock_time
            self._held[key] = held
        while len(self._held) > self._capacity:
            self._held.popitem(last=False)

    def note_success(self, source: str, user: str) -> None:
        """Take that a password was right: the user's failures there are forgotten."""
        if self._held:
            self._held.pop((source, user), None)

    def _is_over(self, key: tuple[str, str | None], limit: int, now: float) -> bool:
        held = self._held.get(key)
        return held is not None and held.count >= limit and now < held.until
