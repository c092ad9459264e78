"""The simulated world: callers, two proxies and callees in bad weather, in virtual time."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from trivox.call.settings import CallSettings
from trivox.testing import run_repeatably

from .letters import Letters, Post
from .perils import Perils
from .plan import Plan, draw_plans
from .programs import Programs
from .queues import Gauge
from .stage import HOME_NAME, NUMBER, WARM_UP, Stage
from .trace import Trace
from .weather import Weather

if TYPE_CHECKING:
    from .shape import Shape
    from .stage import Holdings

LONGEST = 1000.0
"""Seconds after the last call was placed by which all have ended, or one of them hangs."""
LOOKS = 20
BETWEEN_LOOKS = 4.5
"""What is refreshed is under way now and then: nobody is to be judged by one look at it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves to be judged."""

    seed: int
    shape: Shape
    plans: list[Plan]
    trace: Trace
    before: tuple[Holdings, ...]
    """What is held before the calls, looked at again and again."""
    after: tuple[Holdings, ...]
    calls_left: int
    sockets_left: int
    post: Post
    """What was said beside calls."""
    queues: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The most that was seen in each queue, and its limit."""
    happened: Counter[str] = field(default_factory=Counter)
    """What went wrong, and how often."""
    restarted: tuple[tuple[float, str], ...] = ()
    """Who was ended and came back, and when."""
    is_real: bool = False
    """Whether it ran on this machine's sockets."""


class World:
    """One run."""

    def __init__(self, seed: int, shape: Shape, *, is_real: bool = False) -> None:
        self.seed = seed
        self.shape = shape
        self.plans = draw_plans(
            seed,
            shape.calls,
            per_second=shape.per_second,
            patient=shape.patient,
            talk=shape.talk,
        )
        self.trace = Trace()
        self.perils = Perils()
        self.programs = Programs(shape, self.plans, self.trace, self.perils)
        self.stage = Stage(seed, shape, self.trace, self.programs.handle, is_real=is_real)
        self.programs.stage = self.stage
        self.letters = Letters(seed, shape)
        self.letters.stage = self.stage
        self.stage.attend = self.letters.attend
        self.gauge = Gauge(self.stage)

    async def run(self) -> Outcome:
        """Open everything, place all calls, wait until all is quiet."""
        stage = self.stage
        last = self.plans[-1].start
        weather = Weather(stage, self.perils, last)
        async with AsyncExitStack() as stack:
            nursery = await stage.open(stack)
            await self._warm_up()
            if not stage.is_real:
                # In real time half a minute is long; what is left of these calls is seen at the end.
                await trio.sleep(self.shape.settled)
            before = await self._looks()
            async with trio.open_nursery() as strokes:
                weather.begin(strokes)
                strokes.start_soon(self.gauge.run)
                with trio.move_on_after(last + LONGEST):
                    async with trio.open_nursery() as calls:
                        calls.start_soon(self.letters.run, last)
                        for plan in self.plans:
                            calls.start_soon(self.programs.place, plan)
                strokes.cancel_scope.cancel()
            happened = weather.happened()
            weather.end()
            await trio.sleep(self.shape.settled)
            after = await self._looks()
            calls_left = sum(len(client.calls) for client in stage.clients.values())
            stage.close(nursery)
        return Outcome(
            self.seed,
            self.shape,
            self.plans,
            self.trace,
            before,
            after,
            calls_left,
            stage.link.open_sockets,
            self.letters.post,
            self.gauge.most,
            happened,
            tuple(stage.restarted),
            stage.is_real,
        )

    async def _looks(self) -> tuple[Holdings, ...]:
        looks = [self.stage.holdings()]
        while len(looks) < (1 if self.stage.is_real else LOOKS):
            await trio.sleep(BETWEEN_LOOKS)
            looks.append(self.stage.holdings())
        return tuple(looks)

    async def _warm_up(self) -> None:
        """Call from everybody to everybody, so that the connections that stay are there."""
        for client in self.stage.callers:
            for index in range(self.shape.callees):
                settings = CallSettings(extra_headers={NUMBER: WARM_UP})
                async with client.dial(f"sip:callee{index}@{HOME_NAME}", settings):
                    pass


def simulate(seed: int, shape: Shape) -> Outcome:
    """Run one world under a virtual clock, with the scheduler seeded too."""
    return run_repeatably(World(seed, shape).run, seed=seed)


def simulate_for_real(seed: int, shape: Shape) -> Outcome:
    """Run the same world on the sockets of this machine, in real time and without weather."""
    return trio.run(partial(World(seed, shape, is_real=True).run))
