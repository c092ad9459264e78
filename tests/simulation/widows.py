"""Who is left alone by a party that dies gives up when the session's time is over (RFC 4028 §10)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trivox.call.states import CallDirection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .trace import Side
    from .world import Outcome

LAST_REQUEST = 64 * 0.5
"""64·T1 in seconds: what the last request, or the BYE, may take."""


def judge_widows(outcome: Outcome) -> Iterator[str]:
    """Say who went on talking to somebody who was gone."""
    shape = outcome.shape
    if not (shape.is_refreshed and outcome.restarted) or shape.max_duration is not None:
        return
    longest = shape.session_expires + LAST_REQUEST + shape.round_trip
    for pair in _pairs(outcome):
        for side, other in (pair, pair[::-1]):
            for at, party in outcome.restarted:
                if other.party == party and _talked_at(side, at) and _talked_at(other, at):
                    assert side.end is not None, "it talked then"
                    if side.end.at > at + longest:
                        alone = side.end.at - at
                        yield f"went on for {alone:.1f} s after {party} had died: {side}"


def _pairs(outcome: Outcome) -> Iterator[tuple[Side, Side]]:
    """Return the two sides of each call that was neither forked nor handed over."""
    sides: dict[int, list[Side]] = defaultdict(list)
    for side in outcome.trace.sides:
        sides[side.number].append(side)
    for plan in outcome.plans:
        if plan.is_forked or plan.transfer or len(sides[plan.number]) != 2:
            continue
        one, two = sides[plan.number]
        if {one.call.direction, two.call.direction} == set(CallDirection):
            yield one, two


def _talked_at(side: Side, at: float) -> bool:
    connected = side.call.timings.connected
    return connected is not None and side.end is not None and connected < at <= side.end.at
