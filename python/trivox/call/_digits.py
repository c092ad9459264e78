"""Keys the far end pressed: kept until collected, each once."""

from __future__ import annotations

from collections import deque
from typing import Final, final

import trio

from trivox.errors import InvalidArgumentsError

_MOST_DIGITS: Final = 256
"""Type-ahead beyond this drops the oldest: a human does not type so far ahead."""
_SAME_KEY: Final = 1.0
"""Seconds within which one tone by two methods is one key press."""

_KEY_NAMES: Final = "0-9, A-D, * and #, or empty"
_KEYS: Final = frozenset("0123456789ABCD*#")

RFC4733: Final = "rfc4733"
INFO: Final = "info"
INBAND: Final = "inband"
_RANKS: Final = {INBAND: 1, INFO: 2, RFC4733: 3}
"""Which method is believed where several tell of the same keys: the one that cannot mishear."""


def checked_entry(
    max_digits: int | None, terminators: str, first_timeout: float, inter_digit_timeout: float
) -> None:
    """Raise InvalidArgumentsError if keys cannot be collected in this way."""
    if max_digits is not None and not (isinstance(max_digits, int) and max_digits >= 1):
        raise InvalidArgumentsError(f"max_digits is {max_digits!r}; it must be 1 or more, or None")
    if not isinstance(terminators, str) or set(terminators) - _KEYS:
        raise InvalidArgumentsError(
            f"terminators is {terminators!r}; it must be keys of {_KEY_NAMES}"
        )
    for name, limit in (
        ("first_timeout", first_timeout),
        ("inter_digit_timeout", inter_digit_timeout),
    ):
        if not (isinstance(limit, int | float) and limit >= 0):
            raise InvalidArgumentsError(f"{name} is {limit!r}; it must be 0 or more seconds")


@final
class Digits:
    """The type-ahead buffer of one call."""

    __slots__ = ("_best_at", "_digits", "_last", "_moved", "_pressed_by", "_rank", "_tells_twice")

    def __init__(self) -> None:
        self._digits: deque[str] = deque(maxlen=_MOST_DIGITS)
        self._last: tuple[str, str, float] | None = None
        self._rank = 0
        """The best method that told of a key."""
        self._best_at = 0.0
        """When it did so last."""
        self._tells_twice = False
        """The far end sends INFO beside the events of RFC 4733."""
        self._pressed_by = ""
        """The method that told of the key that is down now."""
        self._moved = trio.lowlevel.ParkingLot()

    @property
    def is_empty(self) -> bool:
        """True when no key was pressed or is being pressed."""
        return not self._digits and not self._pressed_by

    def note_key_down(self, method: str = RFC4733) -> None:
        """Note that a key press began: it stops a prompt, unless a better method tells of keys."""
        if _RANKS[method] < max(self._rank, _RANKS.get(self._pressed_by, 0)):
            return
        self._pressed_by = method
        if self._moved:
            self._moved.unpark_all()

    def take(self, tone: str, method: str, now: float, duration: float = 0.0) -> bool:
        """Store a key press that ended now; False when another method has told of it already."""
        is_known = _RANKS[method] < self._rank and not self._has_gone_over(method, now)
        if self._pressed_by == method:
            self._pressed_by = ""
        if is_known:
            return False
        self._rank, self._best_at = _RANKS[method], now
        last, self._last = self._last, (tone, method, now)
        if last is not None:
            last_tone, last_method, at = last
            if last_tone == tone and last_method != method and now - duration - at < _SAME_KEY:
                return False
        self._digits.append(tone)
        if self._moved:
            self._moved.unpark_all()
        return True

    def _has_gone_over(self, method: str, now: float) -> bool:
        """Whether a worse method is that of another far end, which tells of its keys in its own way.

        Behind a PBX it may be another phone by now. INFO cannot mishear either; sound can.
        """
        if method != INFO:
            return False
        is_beside = bool(self._pressed_by) or now - self._best_at < _SAME_KEY
        self._tells_twice = self._tells_twice or is_beside
        return not self._tells_twice

    def lose_events(self) -> None:
        """Note that telephone-events are not agreed any more: keys are told in another way."""
        self._rank = 0
        self._tells_twice = False
        if self._pressed_by == RFC4733:
            self._pressed_by = ""

    def wake(self) -> None:
        """Wake who waits for keys, to look whether the call is still there."""
        if self._moved:
            self._moved.unpark_all()

    async def wait_moved(self) -> None:
        """Wait for the next key, or wake()."""
        await self._moved.park()

    def flush(self) -> None:
        """Forget all keys pressed so far."""
        self._digits.clear()

    def complete(self, max_digits: int | None, terminators: str) -> str | None:
        """Take and return the entry if it is complete, else None and take nothing."""
        text = ""
        for count, tone in enumerate(self._digits, 1):
            if tone in terminators:
                return self._consume(count, text)
            text += tone
            if max_digits is not None and len(text) >= max_digits:
                return self._consume(count, text)
        return None

    def take_all(self) -> str:
        """Take and return whatever was entered: the time is up."""
        return self._consume(len(self._digits), "".join(self._digits))

    def _consume(self, count: int, text: str) -> str:
        for _ in range(count):
            self._digits.popleft()
        return text
