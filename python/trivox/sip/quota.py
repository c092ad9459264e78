"""What one caller may take of a server: so many calls a second, and so many at once."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Hashable

_LONGEST_NAME: Final = 256
"""Characters by which an identity is known: what is longer shares its limits."""
_LONGEST_WAIT: Final = 3600.0
"""Seconds told at most, however slow the rate is."""


@final
class Quota:
    """Count calls by the identity that was proved or vouched for. Sans-I/O.

    An identity begins with as many calls as it may begin in a second, one at least, and gets them
    back at that rate. Bounded: of the rates, that of who has been quiet longest makes room; of the
    calls at once, there is one entry a live call.

    Args:
        per_second: Calls an identity may begin a second; None: no limit.
        at_once: Calls it may have at a time; None: no limit.
        capacity: Identities whose rate is remembered.
        retry_after: Seconds to wait for a call to end.
    """

    def __init__(
        self,
        *,
        per_second: float | None,
        at_once: float | None,
        capacity: int,
        retry_after: int = 5,
    ) -> None:
        self.is_on: Final = per_second is not None or at_once is not None
        self.counts_live: Final = at_once is not None
        """Whether it matters when a call ends."""
        self._per_second = per_second
        self._at_once = at_once
        self._capacity = max(capacity, 1)
        self._retry_after = retry_after
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._holders: dict[Hashable, str] = {}
        self._live: Counter[str] = Counter()
        self.refused = 0
        """Calls that were one too many for their identity."""

    def __len__(self) -> int:
        """Return the number of identities remembered."""
        return len(self._buckets.keys() | self._live.keys())

    def refusal(self, identity: str, now: float) -> int | None:
        """Count a new call; or return the seconds, an hour at most, until its identity may retry.

        Args:
            identity: Who calls; "": nobody that is known, who has no limit here.
            now: Seconds.
        """
        if not identity:
            return None
        identity = identity[:_LONGEST_NAME]
        if self._at_once is not None and self._live[identity] >= self._at_once:
            self.refused += 1
            return self._retry_after
        wait = 0.0 if self._per_second is None else self._draw(identity, self._per_second, now)
        if wait > 0:
            self.refused += 1
            return math.ceil(min(wait, _LONGEST_WAIT))
        return None

    def enter(self, holder: Hashable, identity: str) -> None:
        """Take that a call is up, or on its way; `holder` names it until `leave`."""
        if identity and self._at_once is not None:
            identity = identity[:_LONGEST_NAME]
            self._holders[holder] = identity
            self._live[identity] += 1

    def leave(self, holder: Hashable) -> None:
        """Take that a call is over; nothing for one that never entered."""
        identity = self._holders.pop(holder, None)
        if identity is None:
            return
        self._live[identity] -= 1
        if not self._live[identity]:
            del self._live[identity]

    def _draw(self, identity: str, rate: float, now: float) -> float:
        """Take one call of an identity's; return how long it has to wait if there is none."""
        most = max(rate, 1.0)
        level, since = self._buckets.pop(identity, (most, now))
        level = min(level + (now - since) * rate, most)
        wait = max(1.0 - level, 0.0) / rate
        self._buckets[identity] = (level if wait else level - 1.0, now)
        while len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return wait
