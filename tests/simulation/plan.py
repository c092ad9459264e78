"""What each call of a simulation is going to do, drawn from the seed before it starts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Behaviour(StrEnum):
    """What the two programs of one call do."""

    CALLER_ENDS = "caller_ends"
    CALLEE_ENDS = "callee_ends"
    BOTH_END = "both_end"
    """Both hang up at the same time: the BYEs cross."""
    BUSY = "busy"
    DECLINED = "declined"
    CALLER_GIVES_UP = "caller_gives_up"
    """Hangs up after a while, wherever the call is by then."""
    CALLER_CANCELLED = "caller_cancelled"
    """The caller's task is cancelled after a while, wherever it is by then."""
    CALLEE_CANCELLED = "callee_cancelled"
    """What the handler does is cancelled after a while, wherever it is by then; it returns."""
    RAISES_RINGING = "raises_ringing"
    RAISES_TALKING = "raises_talking"
    RETURNS = "returns"
    """The handler returns without having answered."""
    UNANSWERED = "unanswered"
    """It rings until the caller's ring_timeout."""


class Transfer(StrEnum):
    """How one side hands the other over to a third party."""

    NONE = ""
    BLIND = "blind"
    BLIND_BY_CALLEE = "blind_by_callee"
    ATTENDED = "attended"
    """The caller has called the third party before."""
    BUSY = "busy"
    """Blind; the third party does not want."""
    ATTENDED_BUSY = "attended_busy"
    """It has talked with the caller, and does not want the other."""
    DECLINED = "declined"
    """The far end does not want to be sent away."""


TO_NOBODY = frozenset({Transfer.BUSY, Transfer.ATTENDED_BUSY, Transfer.DECLINED})
ATTENDED = frozenset({Transfer.ATTENDED, Transfer.ATTENDED_BUSY})
_OUTGOING = tuple(each for each in Transfer if each is not Transfer.NONE)

CONSULTED, REFERRED = 1_000_000, 2_000_000
"""Added to the number of a call: the one to the third party, and the one that a REFER asks for."""


class Ring(StrEnum):
    """What a callee says before it answers."""

    SILENT = "silent"
    RINGING = "180"
    RELIABLE = "reliable 180"
    EARLY = "183"
    RELIABLE_EARLY = "reliable 183"


TALKING = frozenset(
    {
        Behaviour.CALLER_ENDS,
        Behaviour.CALLEE_ENDS,
        Behaviour.BOTH_END,
        Behaviour.RAISES_TALKING,
        Behaviour.CALLER_GIVES_UP,
        Behaviour.CALLER_CANCELLED,
        Behaviour.CALLEE_CANCELLED,
    }
)
"""The callee answers these."""

_WEIGHTS = {
    Behaviour.CALLER_ENDS: 4,
    Behaviour.CALLEE_ENDS: 4,
    Behaviour.BOTH_END: 2,
    Behaviour.BUSY: 1,
    Behaviour.DECLINED: 1,
    Behaviour.CALLER_GIVES_UP: 3,
    Behaviour.CALLER_CANCELLED: 4,
    Behaviour.CALLEE_CANCELLED: 2,
    Behaviour.RAISES_RINGING: 1,
    Behaviour.RAISES_TALKING: 1,
    Behaviour.RETURNS: 1,
    Behaviour.UNANSWERED: 1,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One call."""

    number: int
    behaviour: Behaviour
    start: float
    """Seconds after the beginning at which it is placed."""
    caller: int
    callee: int
    """Which of the clients; the numbers wrap."""
    ring: float
    """Seconds the callee lets it ring."""
    says: Ring
    """What it says meanwhile."""
    talk: float
    """Seconds from Connected to the hang-up."""
    patience: float
    """Seconds after which the caller gives up or is cancelled."""
    ring_timeout: float
    speaks: bool
    """Whether both sides send INFO and MESSAGE while they talk."""
    holds: bool
    """Whether both sides put each other on hold and off again: their re-INVITEs cross at times."""
    is_forked: bool
    """Whether it is for the user that all callees are, so that all of them ring."""
    ring_apart: float
    """Seconds between the answers of two of them."""
    transfer: Transfer
    """Whether and how it is handed over."""


PATIENT = (Behaviour.CALLER_ENDS, Behaviour.CALLEE_ENDS, Behaviour.BOTH_END)
"""The calls in which nobody gives up or refuses."""


def draw_plans(
    seed: int,
    calls: int,
    *,
    per_second: float,
    patient: bool = False,
    talk: tuple[float, float] | None = None,
) -> list[Plan]:
    """Draw the plans of a run: the same for the same seed."""
    draw = random.Random(f"plans {seed}")
    weights = {each: _WEIGHTS[each] for each in PATIENT} if patient else _WEIGHTS
    behaviours = draw.choices(list(weights), list(weights.values()), k=calls)
    start = 0.0
    plans = []
    handing = random.Random(f"transfers {seed}")
    for number, behaviour in enumerate(behaviours):
        start += draw.expovariate(per_second)
        transfer = Transfer.NONE if patient else _draw_transfer(handing)
        plans.append(
            Plan(
                number=number,
                behaviour=behaviour,
                start=start,
                caller=draw.randrange(1024),
                callee=draw.randrange(1024),
                ring=draw.choice((0.0, draw.uniform(0.0, 0.3), draw.uniform(0.0, 4.0))),
                says=draw.choices(list(Ring), (30, 40, 15, 8, 7))[0],
                talk=_draw_talk(draw, talk or ((2.0, 20.0) if transfer else None)),
                patience=draw.choice((draw.uniform(0.0, 0.2), draw.uniform(0.0, 6.0))),
                ring_timeout=90.0 if patient else draw.uniform(2.0, 8.0),
                speaks=draw.random() < 0.3,
                holds=draw.random() < 0.3,
                is_forked=not transfer and draw.random() < 0.2,
                ring_apart=draw.choice((0.0, draw.uniform(0.0, 0.1), draw.uniform(0.0, 2.0))),
                transfer=transfer,
            )
        )
    return plans


def _draw_talk(draw: random.Random, wanted: tuple[float, float] | None) -> float:
    if wanted is not None:
        return draw.uniform(*wanted)
    return draw.choice((0.0, draw.uniform(0.0, 0.2), draw.uniform(0.0, 10.0)))


def _draw_transfer(draw: random.Random) -> Transfer:
    return draw.choice(_OUTGOING) if draw.random() < 0.2 else Transfer.NONE
