"""What one side of a call looks like at one moment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.call import Call
    from trivox.errors import TrivoxError
    from trivox.media.statistics import StatisticsReport

Party = Literal["caller", "callee"]
INTERVAL = 0.2


@final
@dataclass(frozen=True, slots=True)
class Snapshot:
    """One side of one call at one moment; plain values, so that it may come from a process.

    Attributes:
        party: Which side.
        call: Name of the call's plan.
        state: The call's state.
        elapsed: Seconds since Connected.
        packets: RTP packets received.
        loss: Share of the packets that were lost, 0 to 1.
        jitter: Seconds.
        mos: Estimated listening quality, 1 to 4.5; 0 before there is one.
        level_dbov: Level of what is heard.
    """

    party: Party
    call: str
    state: str
    elapsed: float
    packets: int
    loss: float
    jitter: float
    mos: float
    level_dbov: float


def snapshot(party: Party, name: str, call: Call) -> Snapshot:
    """Take a look at a call."""
    figures = call.statistics()
    return Snapshot(
        party,
        name,
        str(call.state.value),
        call.duration,
        figures.packets_received,
        figures.loss,
        figures.jitter,
        figures.mos,
        figures.level_received_dbov,
    )


async def follow(party: Party, name: str, call: Call, show: Callable[[Snapshot], None]) -> None:
    """Show a call at intervals until cancelled."""
    while True:
        show(snapshot(party, name, call))
        await trio.sleep(INTERVAL)


def figures_of(statistics: StatisticsReport) -> dict[str, Any]:
    """Return statistics as plain values for JSON."""
    return asdict(statistics)


def first_of(group: BaseExceptionGroup[TrivoxError]) -> str:
    """Say the first error of a group."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first)
