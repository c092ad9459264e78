"""What must be true of every run, whatever the network and the programs did."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trivox.call.events import EndReason
from trivox.call.states import CallDirection

from .handovers import judge_handovers
from .happenings import judge_happenings
from .letters import judge_letters, judge_registrations
from .plan import Behaviour, Transfer
from .widows import judge_widows
from .wire_rules import judge_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Plan
    from .shape import Shape
    from .stage import Holdings
    from .trace import Side
    from .world import Outcome

TERMINAL = ("Disconnected", "Failed")
AGREEMENT = 64 * 0.5
"""64·T1 in seconds: the longest one side may go on after the other has ended."""

REJECTIONS = {
    Behaviour.BUSY: 486,
    Behaviour.DECLINED: 603,
    Behaviour.RAISES_RINGING: 500,
    Behaviour.RETURNS: 480,
}
_LOCAL = (EndReason.LOCAL_ENDED, 0)
_REMOTE = (EndReason.REMOTE_ENDED, 0)
_CANCELLED = (EndReason.REMOTE_ENDED, 487)
_TRANSFERRED = (EndReason.TRANSFERRED, 0)
_LOST = (EndReason.CONNECTION_LOST, 0)
_UNANSWERED = (EndReason.FAILED, 408)
_UNAVAILABLE = (EndReason.FAILED, 480)
_NOT_ANSWERED = (EndReason.LOCAL_ENDED, 480)
_ELSEWHERE = (EndReason.ANSWERED_ELSEWHERE, 487)

CALLER_MAY = {
    Behaviour.CALLER_ENDS: {_LOCAL},
    Behaviour.CALLEE_ENDS: {_REMOTE},
    Behaviour.BOTH_END: {_LOCAL, _REMOTE},
    Behaviour.CALLER_GIVES_UP: {_LOCAL},
    Behaviour.CALLER_CANCELLED: {_LOCAL},
    Behaviour.RAISES_TALKING: {_REMOTE},
    # Its handler returns: 480 before the answer, a BYE after it.
    Behaviour.CALLEE_CANCELLED: {_REMOTE, _UNAVAILABLE},
    Behaviour.UNANSWERED: set(),
}
"""How the caller's side may end, besides no answer in time."""


def judge(outcome: Outcome) -> list[str]:
    """Return what is wrong with a run; nothing for a good one."""
    return [
        *_judge_sides(outcome),
        *_judge_agreement(outcome),
        *judge_messages(outcome),
        *judge_handovers(outcome),
        *judge_widows(outcome),
        *judge_letters(outcome),
        *judge_registrations(outcome),
        *judge_happenings(outcome),
        *_judge_queues(outcome),
        *_judge_holdings(outcome),
    ]


def _judge_sides(outcome: Outcome) -> Iterator[str]:
    for side in outcome.trace.sides:
        names = side.names
        if sum(name in TERMINAL for name in names) != 1:
            yield f"not exactly one terminal event: {side}"
        elif names[-1] not in TERMINAL:
            yield f"an event after the terminal one: {side}"
        if side.end is None:
            yield f"did not end: {side}"
            continue
        wanted = "Failed" if side.end.reason is EndReason.FAILED else "Disconnected"
        if wanted not in names:
            yield f"the event does not fit the end: {side}"
        numbers = [event.seq for event in side.events]
        if numbers != sorted(set(numbers)):
            yield f"events out of order {numbers}: {side}"
        if ("Connected" in names) != (side.call.timings.connected is not None):
            yield f"Connected was not told once: {side}"


def _judge_agreement(outcome: Outcome) -> Iterator[str]:
    callers: dict[int, list[Side]] = defaultdict(list)
    callees: dict[int, list[Side]] = defaultdict(list)
    for side in outcome.trace.sides:
        is_caller = side.call.direction is CallDirection.OUTGOING
        (callers if is_caller else callees)[side.number].append(side)
    for plan in outcome.plans:
        if len(callers[plan.number]) != 1:
            yield f"call {plan.number} was placed {len(callers[plan.number])} times"
            continue
        (caller,) = callers[plan.number]
        yield from _judge_caller(plan, caller, outcome.shape)
        yield from _judge_pair(plan, caller, callees[plan.number], outcome)


def _judge_caller(plan: Plan, caller: Side, shape: Shape) -> Iterator[str]:
    if shape.is_harsh or caller.end is None:
        return
    how = (caller.end.reason, caller.end.sip_code)
    rejection = REJECTIONS.get(plan.behaviour)
    allowed = CALLER_MAY.get(plan.behaviour, set()) | {_UNANSWERED}
    if rejection is not None:
        allowed |= {(EndReason.FAILED, rejection)}
    if _is_busy(plan, shape):
        allowed |= {_LOST}  # a request that crosses the BYE is answered 481
    if plan.transfer:
        # Either side, as who hands over leaves, and the far end at the latest after that.
        allowed |= {_TRANSFERRED, _REMOTE}
    if how not in allowed:
        yield f"{plan.behaviour} may not end so: {caller}"


def _is_busy(plan: Plan, shape: Shape) -> bool:
    """Whether requests go to and fro while it talks."""
    return plan.speaks or plan.holds or bool(plan.transfer) or shape.is_refreshed


def _judge_pair(plan: Plan, caller: Side, callees: list[Side], outcome: Outcome) -> Iterator[str]:
    """Judge whether the callee's side, or sides of a forked call, can be what the caller saw."""
    calls = {side.party: side for side in callees}
    # One who forgot the call, by a restart or a fault, takes a copy of its INVITE for a new one.
    # So does one whose proxy asks for a password again in the middle, as it has forgotten the first.
    shape = outcome.shape
    may_ring_again = shape.restarts or shape.board_restarts or shape.panics or shape.faults.corrupt
    if len(calls) != len(callees) and not may_ring_again:
        yield f"one INVITE rang twice at the same party: {[str(side) for side in callees]}"
    is_truthful = outcome.shape.faults.corrupt == 0.0 and not outcome.shape.restarts
    if (
        is_truthful
        and "Connected" in caller.names
        and not any(side.call.timings.answered for side in callees)
    ):
        yield f"connected to nobody: {caller}"
    connected = [side for side in callees if "Connected" in side.names]
    for side in callees:
        if outcome.shape.is_harsh or caller.end is None or side.end is None:
            continue  # any end may be; that there is one is judged elsewhere
        how = (side.end.reason, side.end.sip_code)
        if how not in _callee_may(plan, caller, shape):
            yield f"the ends do not agree: {caller} || {side}"
    if not outcome.shape.is_harsh:
        yield from _judge_time(caller, connected, outcome.shape)


def _judge_time(caller: Side, connected: list[Side], shape: Shape) -> Iterator[str]:
    """Judge how long one side went on alone; of a fork's sides only the last was not hung up."""
    if caller.end is None or any(side.end is None for side in connected) or not connected:
        return
    callee = max(connected, key=lambda side: side.end.at if side.end is not None else 0.0)
    assert callee.end is not None, "looked at above"
    apart = abs(caller.end.at - callee.end.at)
    if apart > AGREEMENT + shape.round_trip:
        yield f"one side went on for {apart:.1f} s: {caller} || {callee}"


def _callee_may(plan: Plan, caller: Side, shape: Shape) -> set[tuple[EndReason, int]]:
    """Return how a callee's side may have ended, given how the caller's did."""
    assert caller.end is not None, "checked before"
    rejected = {(EndReason.LOCAL_ENDED, REJECTIONS.get(plan.behaviour, 603))}
    lost = {_LOST} if _is_busy(plan, shape) else set()
    match caller.end.reason:
        case EndReason.REMOTE_ENDED:
            allowed = {_LOCAL} | lost
        case EndReason.CONNECTION_LOST:
            allowed = {_LOCAL, _REMOTE} | lost
        case EndReason.FAILED if caller.end.sip_code != 408:
            allowed = {(EndReason.LOCAL_ENDED, caller.end.sip_code)}
        case _:
            # The caller ended it: cancelled, or hung up; or the callee did at the same time.
            allowed = {_CANCELLED, _REMOTE, _LOCAL} | rejected | lost
    if plan.behaviour is Behaviour.CALLEE_CANCELLED:
        allowed |= {_NOT_ANSWERED}
    if plan.transfer is Transfer.BLIND_BY_CALLEE:
        allowed |= {_TRANSFERRED}
    if plan.is_forked:
        allowed |= {_CANCELLED, _ELSEWHERE, _REMOTE} | rejected
    return allowed


def _judge_holdings(outcome: Outcome) -> Iterator[str]:
    if outcome.calls_left:
        yield f"{outcome.calls_left} calls are left"
    if outcome.sockets_left:
        yield f"{outcome.sockets_left} sockets are left"
    before, after = _ranges(outcome.before), _ranges(outcome.after)
    for name, (least, most) in after.items():
        # What the weather has broken is opened again when it is wanted, by either side.
        is_of_streams = outcome.shape.transport != "udp" and outcome.shape.is_harsh
        if is_of_streams and name.endswith(("flows", "tasks", "bindings of home", " timers")):
            continue
        is_passing = name.endswith(("transactions", "timers", "tokens")) or "requests" in name
        if least > before[name][1] or (most < before[name][0] and not is_passing):
            yield f"{name}: {_span(after[name])} at the end, {_span(before[name])} at the beginning"
    for holdings in outcome.after[-1].clients:
        for name in () if outcome.shape.is_harsh else ("panics", "malformed", "refused"):
            if holdings.sip.core[name]:
                yield f"{name}: {holdings.sip.core[name]}"


def _judge_queues(outcome: Outcome) -> Iterator[str]:
    for name, (most, limit) in outcome.queues.items():
        if most > limit:
            yield f"{name}: {most} at one time, beyond the limit of {limit}"


def _ranges(looks: tuple[Holdings, ...]) -> dict[str, tuple[int, int]]:
    """Return the least and the most there was of everything: what is left behind is always there."""
    lives = [_live(holdings) for holdings in looks]
    names = lives[0].keys()
    return {
        name: (min(live[name] for live in lives), max(live[name] for live in lives))
        for name in names
    }


def _span(counts: tuple[int, int]) -> str:
    least, most = counts
    return str(least) if least == most else f"{least} to {most}"


def _live(holdings: Holdings) -> dict[str, int]:
    """Return everything that is alive, by a name for it."""
    live = {"tasks": holdings.tasks}
    endpoints = []
    for name, board in zip(("home", "edge"), holdings.boards, strict=True):
        live[f"requests of {name}"] = board.requests
        live[f"bindings of {name}"] = board.bindings
        endpoints.append((name, board.endpoint))
    for index, client in enumerate(holdings.clients):
        live[f"client {index} calls"] = client.calls
        live[f"client {index} timers"] = client.timers
        live[f"client {index} tokens"] = client.tokens
        endpoints.append((f"client {index}", client.sip))
    for name, endpoint in endpoints:
        for what in ("transactions", "dialogs", "timers", "flows"):
            live[f"{name} {what}"] = endpoint.core[what]
    return live | {f"engine {what}": count for what, count in holdings.engine.items()}
