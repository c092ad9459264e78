"""The simulated world: callers, the switchboard and callees on a bad network, in virtual time."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from trivox.call.events import HandlerFailed, IncomingCall
from trivox.call.settings import CallSettings, RejectMode
from trivox.client.config import AccountConfig
from trivox.client.opening import open_client
from trivox.errors import CallError
from trivox.switchboard.board import open_switchboard
from trivox.testing import Link, run_repeatably
from trivox.testing.fake_engine import fake_media

from .plan import TALKING, Behaviour, Plan, draw_plans
from .trace import Trace

if TYPE_CHECKING:
    from trivox.call.call import Call
    from trivox.client.client import Client, ClientStatistics
    from trivox.switchboard.board import Switchboard, SwitchboardStatistics

NUMBER = "X-Number"
BOARD = "10.0.0.1"
TEAM = "team"
"""The user that all callees are."""
PATIENCE = 60.0
"""Seconds a call rings at a callee that never answers; callers give up long before."""
SETTLED = 400.0
"""Seconds after the last call's end by which nothing of it may be left; every timer is shorter."""


class PlannedError(Exception):
    """What a handler raises that is planned to."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How big a world is and how bad its network."""

    calls: int = 1000
    per_second: float = 20.0
    callers: int = 2
    callees: int = 2
    loss: float = 0.1
    duplicate: float = 0.05
    reorder: float = 0.05
    delay: float = 0.02
    transport: str = "udp"
    largest_piece: int = 0
    """Streams arrive in pieces of up to this many bytes."""
    outage: float = 0.0
    """Seconds in the middle of the run during which nothing reaches the switchboard."""
    max_duration: float | None = None
    """Seconds after which both programs end a call that nobody ended."""

    @property
    def is_harsh(self) -> bool:
        """Whether so much is lost that a transaction may time out."""
        return self.loss > 0.2 or self.outage > 0.0

    @property
    def round_trip(self) -> float:
        """The longest way there and back over two hops, in seconds."""
        return 4 * 12 * self.delay


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is alive in the world."""

    clients: tuple[ClientStatistics, ...]
    board: SwitchboardStatistics
    engine: dict[str, int]
    tasks: int


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


class World:
    """One run."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.seed = seed
        self.shape = shape
        self.plans = draw_plans(seed, shape.calls, per_second=shape.per_second)
        self.trace = Trace()
        self.link = Link(
            seed, delay=shape.delay, jitter=shape.delay / 2, largest_piece=shape.largest_piece
        )
        self.media, self.engine = fake_media(set_up=0.03)
        self.callers: list[Client] = []
        self.callees: list[Client] = []
        self.board: Switchboard

    async def run(self) -> Outcome:
        """Open everything, place all calls, wait until all is quiet."""
        async with AsyncExitStack() as stack:
            nursery = await self._open(stack)
            await trio.sleep(SETTLED)
            before = self._holdings()
            self._spoil_network()
            async with trio.open_nursery() as calls:
                for plan in self.plans:
                    calls.start_soon(self._place, plan)
                if self.shape.outage:
                    calls.start_soon(self._cut_off)
            self._mend_network()
            await trio.sleep(SETTLED)
            after = self._holdings()
            calls_left = sum(len(client.calls) for client in self.callers + self.callees)
            nursery.cancel_scope.cancel()
        return Outcome(
            self.seed,
            self.shape,
            self.plans,
            self.trace,
            before,
            after,
            calls_left,
            self.link.open_sockets,
        )

    async def _open(self, stack: AsyncExitStack) -> trio.Nursery:
        shape = self.shape
        names = [f"caller{n}" for n in range(shape.callers)]
        names += [f"callee{n}" for n in range(shape.callees)]
        users = [*names, TEAM]
        self.board = await stack.enter_async_context(
            open_switchboard(
                listen=[f"sip:{BOARD}:5060;transport={shape.transport}"],
                users={name: f"secret of {name}" for name in users},
                sockets=self.link.host(BOARD),
                trace=self.trace.hook("board"),
                seed=self._seed_of("board"),
            )
        )
        for index, name in enumerate(names):
            client = await stack.enter_async_context(self._client(name, f"10.0.1.{index + 1}"))
            for account in client.accounts.values():
                await account.register()
            (self.callers if name.startswith("caller") else self.callees).append(client)
        nursery = await stack.enter_async_context(trio.open_nursery())
        for index, callee in enumerate(self.callees):
            self._watch_incoming(f"callee{index}", callee)
            await nursery.start(callee.serve, partial(self._handle, index))
        return nursery

    def _client(self, name: str, address: str):
        names = (name, TEAM) if name.startswith("callee") else (name,)
        accounts = []
        for known in (self.board.account(each) for each in names):
            account = AccountConfig(
                known.uri,
                password=known.password,
                registrar=known.registrar,
                proxy=known.proxy,
                settings=CallSettings(max_duration=self.shape.max_duration),
            )
            accounts.append(account)
        return open_client(
            listen=[f"sip:{address}:5060;transport={self.shape.transport}"],
            accounts=accounts,
            engine=self.media,
            sockets=self.link.host(address),
            trace=self.trace.hook(name),
            seed=self._seed_of(name),
        )

    def _seed_of(self, name: str) -> bytes:
        return f"{self.seed} {name}".encode().ljust(32, b".")

    def _spoil_network(self) -> None:
        self.link.loss = self.shape.loss
        self.link.duplicate = self.shape.duplicate
        self.link.reorder = self.shape.reorder

    def _mend_network(self) -> None:
        self.link.loss = self.link.duplicate = self.link.reorder = 0.0

    async def _cut_off(self) -> None:
        await trio.sleep(self.plans[len(self.plans) // 2].start)
        for index in range(self.shape.callers):
            self.link.partition(f"10.0.1.{index + 1}", BOARD)
        await trio.sleep(self.shape.outage)
        for index in range(self.shape.callers):
            self.link.partition(f"10.0.1.{index + 1}", BOARD, cut=False)

    def _watch_incoming(self, party: str, client: Client) -> None:
        def note(event: IncomingCall) -> None:
            number = int(event.call.remote_headers[NUMBER])
            self.trace.watch(party, number, event.call)

        def count(_event: HandlerFailed) -> None:
            self.trace.handler_failures += 1

        client.on(IncomingCall, note)
        client.on(HandlerFailed, count)

    def _holdings(self) -> Holdings:
        return Holdings(
            tuple(client.statistics() for client in self.callers + self.callees),
            self.board.statistics(),
            self.engine.counts(),
            trio.lowlevel.current_statistics().tasks_living,
        )

    # the caller's program

    async def _place(self, plan: Plan) -> None:
        await trio.sleep(plan.start)
        client = self.callers[plan.caller % len(self.callers)]
        callee = TEAM if plan.is_forked else f"callee{plan.callee % len(self.callees)}"
        settings = CallSettings(
            ring_timeout=plan.ring_timeout,
            max_duration=self.shape.max_duration,
            extra_headers={NUMBER: str(plan.number)},
        )
        call = client.create_call(callee, settings)
        self.trace.watch(f"caller{plan.caller % len(self.callers)}", plan.number, call)
        limit = plan.patience if plan.behaviour is Behaviour.CALLER_CANCELLED else 1e9
        with trio.move_on_after(limit):
            try:
                async with call:
                    await self._call_out(call, plan)
            except CallError:
                assert call.end is not None or call._state_now() == "disconnecting"
        await call.wait_ended()

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
        plan = self.plans[int(call.remote_headers[NUMBER])]
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
            await trio.sleep(plan.talk)
            call.hangup()
        else:
            await call.wait_ended()


def simulate(seed: int, shape: Shape) -> Outcome:
    """Run one world under a virtual clock, with the scheduler seeded too."""
    return run_repeatably(World(seed, shape).run, seed=seed)


if __name__ == "__main__":
    print(simulate(int(sys.argv[1]), Shape(calls=int(sys.argv[2]))).trace.sha256)
