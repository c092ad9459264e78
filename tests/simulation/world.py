"""The simulated world: callers, two proxies and callees in bad weather, in virtual time."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from trivox.call.settings import CallSettings, RejectMode
from trivox.errors import CallError, TransportError, TrivoxError
from trivox.testing import LinkFaults, run_repeatably

from .plan import TALKING, Behaviour, Plan, draw_plans
from .queues import Gauge
from .stage import EDGE, EDGE_NAME, NUMBER, TEAM, WARM_UP, Stage, number_of
from .trace import Trace

if TYPE_CHECKING:
    from trivox.call.call import Call
    from trivox.client.client import Client

    from .shape import Shape
    from .stage import Holdings

LONGEST = 1000.0
"""Seconds after the last call was placed by which all have ended, or one of them hangs."""
PATIENCE = 60.0
"""Seconds a call rings at a callee that never answers; callers give up long before."""


class PlannedError(Exception):
    """What a program's code raises that is planned to."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves to be judged."""

    seed: int
    shape: Shape
    plans: list[Plan]
    trace: Trace
    before: Holdings
    after: Holdings
    calls_left: int
    sockets_left: int
    queues: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The most that was seen in each queue, and its limit."""


class World:
    """One run."""

    def __init__(self, seed: int, shape: Shape, *, is_real: bool = False) -> None:
        self.seed = seed
        self.shape = shape
        self.plans = draw_plans(
            seed, shape.calls, per_second=shape.per_second, patient=shape.patient
        )
        self.trace = Trace()
        self.stage = Stage(seed, shape, self.trace, self._handle, is_real=is_real)
        self.gauge = Gauge(self.stage)

    async def run(self) -> Outcome:
        """Open everything, place all calls, wait until all is quiet."""
        stage = self.stage
        async with AsyncExitStack() as stack:
            nursery = await stage.open(stack)
            await self._warm_up()
            await trio.sleep(self.shape.settled)
            before = stage.holdings()
            self._begin_weather()
            async with trio.open_nursery() as weather:
                weather.start_soon(self.gauge.run)
                weather.start_soon(self._cut_off)
                weather.start_soon(self._restart_some)
                weather.start_soon(self._panic_now_and_then)
                with trio.move_on_after(self.plans[-1].start + LONGEST):
                    async with trio.open_nursery() as calls:
                        for plan in self.plans:
                            calls.start_soon(self._place, plan)
                weather.cancel_scope.cancel()
            self._end_weather()
            await trio.sleep(self.shape.settled)
            after = stage.holdings()
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
            self.gauge.most,
        )

    async def _warm_up(self) -> None:
        """Call from everybody to everybody, so that the connections that stay are there."""
        for client in self.stage.callers:
            for index in range(self.shape.callees):
                settings = CallSettings(extra_headers={NUMBER: WARM_UP})
                async with client.dial(f"sip:callee{index}@{EDGE_NAME}", settings):
                    pass

    # the weather

    def _begin_weather(self) -> None:
        link, shape = self.stage.link, self.shape
        link.loss = shape.loss
        link.duplicate = shape.duplicate
        link.reorder = shape.reorder
        link.faults = shape.faults
        if shape.access_loss is not None:
            link.loss = 0.0
            for index in range(shape.callers):
                link.set_loss(self.stage.address_of(index), EDGE, shape.access_loss)

    def _end_weather(self) -> None:
        link = self.stage.link
        link.loss = link.duplicate = link.reorder = 0.0
        link.faults = LinkFaults()
        for index in range(self.shape.callers):
            link.set_loss(self.stage.address_of(index), EDGE, 0.0)
        for core in self.stage.cores:
            core.inject_fault(0)

    async def _cut_off(self) -> None:
        if not self.shape.outage:
            return
        await trio.sleep(self._middle)
        self._partition(cut=True)
        try:
            await trio.sleep(self.shape.outage)
        finally:
            self._partition(cut=False)

    def _partition(self, *, cut: bool) -> None:
        for index in range(self.shape.callers):
            self.stage.link.partition(self.stage.address_of(index), EDGE, cut=cut)

    async def _restart_some(self) -> None:
        draw = random.Random(f"restarts {self.seed}")
        for _ in range(self.shape.restarts):
            await trio.sleep(draw.uniform(0.5, 1.5) * 2 * self._middle / self.shape.restarts)
            self.stage.restart(draw.randrange(self.shape.callers + self.shape.callees))

    async def _panic_now_and_then(self) -> None:
        draw = random.Random(f"panics {self.seed}")
        for _ in range(self.shape.panics):
            await trio.sleep(draw.uniform(0.5, 1.5) * 2 * self._middle / self.shape.panics)
            draw.choice(self.stage.cores).inject_fault(draw.randint(1, 100))

    @property
    def _middle(self) -> float:
        return self.plans[len(self.plans) // 2].start

    # the caller's program

    async def _place(self, plan: Plan) -> None:
        await trio.sleep(plan.start)
        index = plan.caller % self.shape.callers
        client = self.stage.callers[index]
        callee = TEAM if plan.is_forked else f"callee{plan.callee % self.shape.callees}"
        settings = CallSettings(
            ring_timeout=plan.ring_timeout,
            max_duration=self.shape.max_duration,
            extra_headers={NUMBER: str(plan.number)},
        )
        call = self._created(client, callee, settings, plan)
        limit = plan.patience if plan.behaviour is Behaviour.CALLER_CANCELLED else 1e9
        with trio.move_on_after(limit):
            try:
                async with call:
                    await self._call_out(call, plan)
            except CallError:
                assert call.end is not None or call._state_now() == "disconnecting"
            except TransportError:
                # The proxy's name was not found, or the client is closed.
                assert self.shape.is_harsh
        await call.wait_ended()

    def _created(self, client: Client, callee: str, settings: CallSettings, plan: Plan) -> Call:
        call = client.create_call(f"sip:{callee}@{EDGE_NAME}", settings)
        party = f"caller{plan.caller % self.shape.callers}"
        self.trace.watch(party, plan.number, call, raises=self._raises(plan))
        return call

    def _raises(self, plan: Plan) -> Exception | None:
        is_meant = self.shape.listener_errors and plan.number % 3 == 0
        return PlannedError(f"in a listener of call {plan.number}") if is_meant else None

    async def _call_out(self, call: Call, plan: Plan) -> None:
        await call.start()
        if plan.behaviour is Behaviour.CALLER_GIVES_UP:
            with trio.move_on_after(plan.patience):
                await call.wait_ended()
            call.hangup()
            return
        await call.wait_connected()
        await self._talk(call, plan, Behaviour.CALLER_ENDS)

    # the callee's program

    async def _handle(self, index: int, call: Call) -> None:
        number = number_of(call)
        if call.remote_headers.get(NUMBER) == WARM_UP:
            await call.answer()
            await call.wait_ended()
        if not 0 <= number < len(self.plans):
            return
        plan = self.plans[number]
        limit = plan.patience if plan.behaviour is Behaviour.CALLEE_CANCELLED else 1e9
        with trio.move_on_after(limit):
            await self._answer(index, call, plan)

    async def _answer(self, index: int, call: Call, plan: Plan) -> None:
        if plan.rings_aloud:
            await call.progress(180)
        await trio.sleep(plan.ring + index * plan.ring_apart * plan.is_forked)
        if plan.behaviour in TALKING:
            await call.answer()
            await call.wait_connected()
            if plan.behaviour is Behaviour.RAISES_TALKING:
                raise PlannedError(f"in call {plan.number}")
            await self._talk(call, plan, Behaviour.CALLEE_ENDS)
        elif plan.behaviour is Behaviour.BUSY:
            call.reject(RejectMode.BUSY)
        elif plan.behaviour is Behaviour.DECLINED:
            call.reject(RejectMode.DECLINE)
        elif plan.behaviour is Behaviour.RAISES_RINGING:
            raise PlannedError(f"in call {plan.number}")
        elif plan.behaviour is Behaviour.UNANSWERED:
            with trio.move_on_after(PATIENCE):
                await call.wait_ended()

    async def _talk(self, call: Call, plan: Plan, ending: Behaviour) -> None:
        if plan.speaks:
            call.send_info("application/x-note", f"call {plan.number}")
            call.send_message("hello")
        if plan.behaviour in (ending, Behaviour.BOTH_END):
            with trio.move_on_after(plan.talk):
                await self._hold(call, plan)
                await trio.sleep_forever()
            call.hangup()
        else:
            await self._hold(call, plan)
            await call.wait_ended()

    async def _hold(self, call: Call, plan: Plan) -> None:
        """Hold and resume, on both sides at once; a call that ends meanwhile just ends."""
        if not plan.holds:
            return
        for is_held in (True, False):
            try:
                await call.hold(is_held)
            except TrivoxError:
                return
            await trio.sleep(0.1 * (plan.number % 3))


def simulate(seed: int, shape: Shape) -> Outcome:
    """Run one world under a virtual clock, with the scheduler seeded too."""
    return run_repeatably(World(seed, shape).run, seed=seed)


def simulate_for_real(seed: int, shape: Shape) -> Outcome:
    """Run the same world on the sockets of this machine, in real time and without weather."""
    return trio.run(partial(World(seed, shape, is_real=True).run))
