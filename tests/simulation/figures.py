"""Figures of many worlds: how many calls failed, and how much longer they took, for the loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trivox.call.events import EndReason
from trivox.call.states import CallDirection

from .plan import CONSULTED, PATIENT

if TYPE_CHECKING:
    from .trace import Side
    from .world import Outcome


@dataclass(slots=True)
class Figures:
    """What was counted so far."""

    calls: int = 0
    failed: int = 0
    """Were not connected, or were lost before somebody hung up."""
    lost_records: int = 0
    """Did not tell their end."""
    doubled_records: int = 0
    """Told it twice, or rang twice at one place."""
    faults: int = 0
    messages: int = 0
    set_up: list[float] = field(default_factory=list)
    """Seconds from the INVITE to Connected, beside those it rang."""

    def add(self, outcome: Outcome, faults: list[str]) -> None:
        """Count one world."""
        self.faults += len(faults)
        self.messages += len(outcome.trace.messages)
        places: set[tuple[str, int]] = set()
        # A BYE that crosses another request of the dialog may be told as the dialog's loss.
        hung_up = {
            side.number
            for side in outcome.trace.sides
            if side.end is not None and side.end.reason is EndReason.LOCAL_ENDED
        }
        for side in outcome.trace.sides:
            ends = sum(name in ("Disconnected", "Failed") for name in side.names)
            is_again = (side.party, side.number) in places
            places.add((side.party, side.number))
            self.lost_records += ends == 0
            self.doubled_records += ends > 1 or is_again
            if side.call.direction is CallDirection.OUTGOING and side.number < CONSULTED:
                self._add_call(outcome, side, is_good=side.number in hung_up)

    def _add_call(self, outcome: Outcome, side: Side, *, is_good: bool) -> None:
        plan = outcome.plans[side.number]
        if plan.behaviour not in PATIENT:
            return
        self.calls += 1
        if not is_good or "Connected" not in side.names:
            self.failed += 1
            return
        timings = side.call.timings
        assert timings.started is not None
        assert timings.connected is not None
        self.set_up.append(timings.connected - timings.started - plan.ring)

    def __str__(self) -> str:
        times = sorted(self.set_up) or [0.0]
        places = [(name, times[int((len(times) - 1) * share)]) for name, share in _SHARES]
        return (
            f"{self.calls} calls, {self.messages} messages: {self.failed} failed "
            f"({self.failed / max(1, self.calls):.4%}), {self.lost_records} records lost, "
            f"{self.doubled_records} doubled, {self.faults} faults; set-up beside ringing: "
            + ", ".join(f"{name} {seconds:.3f} s" for name, seconds in places)
        )


_SHARES = (("median", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))
