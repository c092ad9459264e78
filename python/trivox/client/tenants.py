"""What lives on which flow: a connection that carries nothing any more may not be silent for ever."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class Tenants:
    """Calls, subscriptions and requests by the flow that their last message came by.

    Args:
        vacated: Told of a flow when the last of them has left it.
    """

    def __init__(self, vacated: Callable[[int], None]) -> None:
        self._vacated = vacated
        self._flow_of: dict[int, int] = {}
        self._living: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._flow_of)

    def move(self, token: int, flow: int) -> None:
        """Take that a message of a token came by a flow."""
        former = self._flow_of.get(token)
        if former == flow:
            return
        self._flow_of[token] = flow
        self._living[flow] += 1
        if former is not None:
            self._depart(former)

    def leave(self, token: int) -> None:
        """Take that no message of a token is expected any more."""
        former = self._flow_of.pop(token, None)
        if former is not None:
            self._depart(former)

    def _depart(self, flow: int) -> None:
        self._living[flow] -= 1
        if not self._living[flow]:
            del self._living[flow]
            self._vacated(flow)
