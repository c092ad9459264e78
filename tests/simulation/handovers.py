"""What must be true of every transfer: what the program was told is what became of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trivox.call.events import EndReason
from trivox.call.states import CallDirection

from .plan import ATTENDED, CONSULTED, REFERRED, TO_NOBODY, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Plan
    from .trace import Handover, Side
    from .world import Outcome

REFUSALS = {Transfer.BUSY: 486, Transfer.ATTENDED_BUSY: 486, Transfer.DECLINED: 603}
_FAILED = "CallTransferFailedError"


def judge_handovers(outcome: Outcome) -> Iterator[str]:
    """Say what is wrong with the transfers of a run."""
    sides: dict[int, list[Side]] = defaultdict(list)
    for side in outcome.trace.sides:
        sides[side.number].append(side)
    told: set[int] = set()
    for handover in outcome.trace.handovers:
        if handover.number in told:
            yield f"a transfer had two outcomes: {handover}"
        told.add(handover.number)
        plan = outcome.plans[handover.number]
        if not outcome.shape.is_harsh:
            yield from _judge(plan, handover, sides)


def _judge(plan: Plan, handover: Handover, sides: dict[int, list[Side]]) -> Iterator[str]:
    third = sides[plan.number + REFERRED]
    answered = [side for side in third if side.call.timings.answered is not None]
    incoming = [side for side in answered if side.call.direction is CallDirection.INCOMING]
    if handover.told == "done":
        if plan.transfer in TO_NOBODY:
            yield f"a transfer to nobody is told as done: {handover}"
        if not incoming:
            yield f"transferred to nobody: {handover}"
        yield from _judge_ends(plan, handover, sides)
    elif handover.told == _FAILED and answered and plan.transfer in TO_NOBODY:
        yield f"who refused has answered: {handover}"
    elif handover.told == _FAILED and plan.transfer in TO_NOBODY:
        if handover.code not in (REFUSALS[plan.transfer], *_RACES):
            yield f"refused with {handover.code}: {handover}"
    elif handover.told not in _ALLOWED:
        yield f"a transfer may not end so: {handover}"


def _judge_ends(plan: Plan, handover: Handover, sides: dict[int, list[Side]]) -> Iterator[str]:
    """Whose transfer was done leaves, and so do the call and the consultation it was made of."""
    numbers = [plan.number]
    if plan.transfer in ATTENDED:
        numbers.append(plan.number + CONSULTED)
    for number in numbers:
        for side in sides[number]:
            is_own = side.party == handover.party
            if is_own and (side.end is None or side.end.reason not in _LEFT):
                yield f"was transferred and stayed: {side}"


_LEFT = (EndReason.TRANSFERRED, EndReason.LOCAL_ENDED, EndReason.REMOTE_ENDED)
_RACES = (0, 408, 481, 487, 491)
"""Also where the call ends meanwhile, or somebody else is faster; 0: the far end left before."""
_ALLOWED = (
    "left",
    "cancelled",
    _FAILED,
    "CallTransferTimeoutError",
    "CallEndedError",
    "CallWrongStateError",
    "BusyError",
    "UnavailableError",
    "CallFailedError",
)
