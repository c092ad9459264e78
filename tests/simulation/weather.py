"""The weather of a simulated world: what goes wrong, and how often it did."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from typing import TYPE_CHECKING

import trio

from trivox.testing import LinkFaults

from .names import DnsFaults
from .stage import EDGE

if TYPE_CHECKING:
    from .perils import Perils
    from .stage import Stage

BOARDS = ("edge", "home")
_DOOMED = 0.05
"""Share of the waits that are cancelled at once where there are cancellations."""


class Weather:
    """Sets the network's faults, and strikes at parties and programs at drawn times."""

    def __init__(self, stage: Stage, perils: Perils, length: float) -> None:
        """Take who is struck, and the seconds in which it is to happen."""
        self._stage = stage
        self._shape = stage.shape
        self._perils = perils
        self._length = length
        self._cuts = 0

    def begin(self, nursery: trio.Nursery) -> None:
        """Let it come."""
        link, shape = self._stage.link, self._shape
        link.loss = shape.loss
        link.duplicate = shape.duplicate
        link.reorder = shape.reorder
        link.faults = dataclasses.replace(shape.faults, happened=Counter())
        for dns in self._stage.dns:
            dns.faults = shape.dns or DnsFaults()
        if shape.cancellations:
            self._perils.doomed = _DOOMED
            self._perils.draw = random.Random(f"doomed {self._stage.seed}")
        if shape.access_loss is not None:
            link.loss = 0.0
            self._set_access_loss(shape.access_loss)
        for work in (self._cut_off, self._restart, self._panic, self._cancel):
            nursery.start_soon(work)

    def end(self) -> None:
        """Let it be calm again."""
        link = self._stage.link
        link.loss = link.duplicate = link.reorder = 0.0
        self._perils.doomed = 0.0
        link.faults = LinkFaults(happened=link.faults.happened)
        for dns in self._stage.dns:
            dns.faults = DnsFaults()
        self._set_access_loss(0.0)
        for core in self._stage.cores:
            core.inject_fault(0)

    def happened(self) -> Counter[str]:
        """Return how often each thing went wrong."""
        stage, statistics = self._stage, self._stage.link.statistics
        counted = Counter(stage.link.faults.happened) + self._perils.happened
        for dns in stage.dns:
            counted += dns.happened
        restarted = Counter(
            "board restarts" if name in BOARDS else "restarts" for _, name in stage.restarted
        )
        facts = {
            "lost": statistics.lost,
            "doubled": statistics.doubled,
            "held back": statistics.held_back,
            "pieces": statistics.pieces,
            "cut off": statistics.cut_off if self._cuts else 0,
            "panics": self._panics(),
            "other refresher": stage.refreshers.changed if stage.refreshers else 0,
        }
        return counted + restarted + Counter(facts) + stage.trace.failures

    def _panics(self) -> int:
        return sum(endpoint.core["panics"] for endpoint in self._endpoints())

    def _endpoints(self):
        holdings = self._stage.holdings()
        yield from (client.sip for client in holdings.clients)
        yield from (board.endpoint for board in holdings.boards)

    def _set_access_loss(self, share: float) -> None:
        for index in range(self._shape.callers):
            self._stage.link.set_loss(self._stage.address_of(index), EDGE, share)

    async def _cut_off(self) -> None:
        if not self._shape.outage:
            return
        await trio.sleep(self._length / 2)
        self._partition(cut=True)
        self._cuts += 1
        try:
            await trio.sleep(self._shape.outage)
        finally:
            self._partition(cut=False)

    def _partition(self, *, cut: bool) -> None:
        for index in range(self._shape.callers):
            self._stage.link.partition(self._stage.address_of(index), EDGE, cut=cut)

    async def _restart(self) -> None:
        draw = random.Random(f"restarts {self._stage.seed}")
        shape = self._shape
        names = list(self._stage.clients)
        victims = [draw.choice(names) for _ in range(shape.restarts)]
        victims += [BOARDS[number % 2] for number in range(shape.board_restarts)]
        draw.shuffle(victims)
        for victim in victims:
            await self._pause(draw, len(victims))
            self._stage.restart(victim)

    async def _panic(self) -> None:
        draw = random.Random(f"panics {self._stage.seed}")
        for _ in range(self._shape.panics):
            await self._pause(draw, self._shape.panics)
            draw.choice(self._stage.cores).inject_fault(draw.randint(1, 100))

    async def _cancel(self) -> None:
        draw = random.Random(f"cancellations {self._stage.seed}")
        times = round(self._shape.cancellations * self._shape.calls)
        for _ in range(times):
            await self._pause(draw, times)
            self._perils.strike(draw)

    async def _pause(self, draw: random.Random, times: int) -> None:
        """Wait until the next of so many times."""
        await trio.sleep(draw.uniform(0.5, 1.5) * self._length / times)
