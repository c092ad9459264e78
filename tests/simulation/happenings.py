"""Whether a run had what it is for: a weather without its storm, or a flow nobody took, shows nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .plan import Behaviour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shape import Shape
    from .world import Outcome

MANY = 500
"""Calls from which on a run has everything; a shorter one may be lucky."""
METHODS = (
    b"SUBSCRIBE",
    b"REGISTER",
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"PRACK",
    b"REFER",
    b"NOTIFY",
    b"INFO",
    b"MESSAGE",
)
_FLOWS = (
    "PRACK",
    "REFER",
    "NOTIFY",
    "CANCEL",
    "INFO",
    "MESSAGE",
    "SUBSCRIBE",
    "re-INVITE",
    "491",
    "transfer done",
    "transfer refused",
    "attended transfer",
)


def judge_happenings(outcome: Outcome) -> Iterator[str]:
    """Say what a run should have had and did not."""
    seen = outcome.happened + flows(outcome)
    for name in wanted(outcome.shape):
        if not seen[name]:
            yield f"this weather is without {name}: {dict(seen)}"


def wanted(shape: Shape) -> list[str]:
    """Return what must happen in a run of a shape."""
    faults = shape.faults
    is_udp = shape.transport == "udp"
    claims = {
        "lost": is_udp and (shape.loss or shape.access_loss),
        "doubled": is_udp and shape.duplicate,
        "held back": is_udp and shape.reorder,
        "pieces": shape.largest_piece,
        "cut off": shape.outage,
        "restarts": shape.restarts,
        "board restarts": shape.board_restarts,
        "panics": shape.panics,
        "ListenerFailed": shape.listener_errors,
        "other refresher": shape.callee_refreshes,
        "refresh": shape.is_refreshed,
    }
    if shape.calls < MANY:
        return [name for name, share in claims.items() if share]
    names = ("corrupt", "spike", "send", "open", "connect", "accept", "reset", "resolve")
    claims |= {name: getattr(faults, name) for name in names}
    if shape.dns is not None:
        kinds = ("silent", "broken", "missing", "late")
        claims |= {f"dns {name}": getattr(shape.dns, name) for name in kinds}
    if shape.cancellations:
        claims |= {f"cancelled {what}": True for what in _CANCELLED}
    claims["HandlerFailed"] = not shape.patient
    if not shape.patient and not shape.is_harsh:
        claims |= dict.fromkeys(_FLOWS, True)
    return [name for name, share in claims.items() if share]


_CANCELLED = (
    "dial",
    "handler",
    "start",
    "wait_connected",
    "progress",
    "answer",
    "hold",
    "transfer",
    "wait_ended",
)


def flows(outcome: Outcome) -> Counter[str]:
    """Count what the calls of a run did."""
    seen: Counter[str] = Counter()
    for _, party, direction, data in outcome.trace.messages:
        if direction != "out" or party in ("home", "edge"):
            continue
        first, _, rest = data.partition(b"\r\n")
        word = first.partition(b" ")[0]
        if word in METHODS:
            seen[word.decode()] += 1
            if word == b"INVITE" and b";tag=" in _line(rest, b"To: "):
                seen["re-INVITE"] += 1
        elif word == b"UPDATE" and b"Session-Expires: " in rest:
            seen["refresh"] += 1
        elif first.startswith(b"SIP/2.0 491"):
            seen["491"] += 1
    for handover in outcome.trace.handovers:
        seen["transfer done"] += handover.told == "done"
        seen["transfer refused"] += handover.told == "CallTransferFailedError"
        plan = outcome.plans[handover.number]
        seen["attended transfer"] += handover.told == "done" and plan.transfer == "attended"
    seen["raised"] = sum(plan.behaviour in _RAISING for plan in outcome.plans)
    return seen


_RAISING = (Behaviour.RAISES_RINGING, Behaviour.RAISES_TALKING)


def _line(data: bytes, name: bytes) -> bytes:
    return data.partition(b"\r\n" + name)[2].partition(b"\r\n")[0]
