"""The programs of a simulated world: what callers and callees do, by the plan of each call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from trivox.call.events import TransferRequested
from trivox.call.settings import CallSettings, RejectMode
from trivox.errors import CallError, TransportError, TrivoxError

from .plan import ATTENDED, CONSULTED, REFERRED, TALKING, TO_NOBODY, Behaviour, Plan, Ring, Transfer
from .stage import HOME_NAME, NUMBER, TEAM, WARM_UP, number_of
from .trace import Handover

if TYPE_CHECKING:
    from trivox.call.call import Call
    from trivox.client.client import Client

    from .perils import Perils
    from .shape import Shape
    from .stage import Stage
    from .trace import Trace

PATIENCE = 60.0
"""Seconds a call rings at a callee that never answers; callers give up long before."""


class PlannedError(Exception):
    """What a program's code raises that is planned to."""


class Programs:
    """Both programs of every call."""

    def __init__(self, shape: Shape, plans: list[Plan], trace: Trace, perils: Perils) -> None:
        self.shape = shape
        self.plans = plans
        self.trace = trace
        self.perils = perils
        self.stage: Stage

    # the caller's

    async def place(self, plan: Plan) -> None:
        """Place the call of a plan, at its time, and see it to its end."""
        await trio.sleep(plan.start)
        name = f"caller{plan.caller % self.shape.callers}"
        client = self.stage.clients[name]
        callee = TEAM if plan.is_forked else self._callee(plan.callee)
        call = self._created(name, client, callee, plan, plan.number)
        limit = plan.patience if plan.behaviour is Behaviour.CALLER_CANCELLED else 1e9
        with trio.move_on_after(limit), self.perils.risk("dial"):
            try:
                async with call:
                    await self._call_out(name, call, plan)
            except CallError:
                assert call.end is not None or call._state_now() == "disconnecting"
            except TransportError:
                # The proxy's name was not found, or the client is closed.
                assert self.shape.is_harsh
        await call.wait_ended()

    def _callee(self, number: int) -> str:
        return f"callee{number % self.shape.callees}"

    def _settings(self, plan: Plan, number: int) -> CallSettings:
        return CallSettings(
            ring_timeout=plan.ring_timeout,
            max_duration=self.shape.max_duration,
            session_expires=self.shape.session_expires,
            extra_headers={NUMBER: str(number)},
        )

    def _created(self, party: str, client: Client, callee: str, plan: Plan, number: int) -> Call:
        call = client.create_call(f"sip:{callee}@{HOME_NAME}", self._settings(plan, number))
        raises = self._raises(plan) if number == plan.number else None
        self.trace.watch(party, number, call, raises=raises)
        call.on(TransferRequested, partial(self._refer, party, plan))
        return call

    def _raises(self, plan: Plan) -> Exception | None:
        is_meant = self.shape.listener_errors and plan.number % 3 == 0
        return PlannedError(f"in a listener of call {plan.number}") if is_meant else None

    async def _call_out(self, party: str, call: Call, plan: Plan) -> None:
        run = self.perils.run
        if not await run("start", call.start):
            return
        if plan.behaviour is Behaviour.CALLER_GIVES_UP:
            with trio.move_on_after(plan.patience):
                await call.wait_ended()
            call.hangup()
            return
        if await run("wait_connected", call.wait_connected):
            await self._talk(party, call, plan, Behaviour.CALLER_ENDS)

    # the callee's

    async def handle(self, index: int, call: Call) -> None:
        """Serve a call."""
        number = number_of(call)
        if call.remote_headers.get(NUMBER) == WARM_UP:
            await call.answer()
            await call.wait_ended()
        role, base = number // CONSULTED * CONSULTED, number % CONSULTED
        if not 0 <= base < len(self.plans) or role > REFERRED:
            return
        plan = self.plans[base]
        with self.perils.risk("handler"):
            if role:
                await self._be_third(call, plan, role)
                return
            call.on(TransferRequested, partial(self._refer, f"callee{index}", plan))
            limit = plan.patience if plan.behaviour is Behaviour.CALLEE_CANCELLED else 1e9
            with trio.move_on_after(limit):
                await self._answer(index, call, plan)

    async def _be_third(self, call: Call, plan: Plan, role: int) -> None:
        """Be whom the far end is handed over to: refuse, or talk for a while."""
        if role == REFERRED and plan.transfer in TO_NOBODY:
            call.reject(RejectMode.BUSY)
            return
        await call.answer()
        with trio.move_on_after(plan.patience if role == REFERRED else 1e9):
            await call.wait_ended()

    async def _answer(self, index: int, call: Call, plan: Plan) -> None:
        run = self.perils.run
        if plan.says is not Ring.SILENT and not await run("progress", partial(_ring, call, plan)):
            return
        await trio.sleep(plan.ring + index * plan.ring_apart * plan.is_forked)
        if plan.behaviour in TALKING:
            if not await run("answer", call.answer):
                return
            await run("wait_connected", call.wait_connected)
            if plan.behaviour is Behaviour.RAISES_TALKING:
                raise PlannedError(f"in call {plan.number}")
            await self._talk(f"callee{index}", call, plan, Behaviour.CALLEE_ENDS)
        elif plan.behaviour is Behaviour.BUSY:
            call.reject(RejectMode.BUSY)
        elif plan.behaviour is Behaviour.DECLINED:
            call.reject(RejectMode.DECLINE)
        elif plan.behaviour is Behaviour.RAISES_RINGING:
            raise PlannedError(f"in call {plan.number}")
        elif plan.behaviour is Behaviour.UNANSWERED:
            with trio.move_on_after(PATIENCE):
                await call.wait_ended()

    # what both do

    async def _talk(self, party: str, call: Call, plan: Plan, ending: Behaviour) -> None:
        if plan.speaks:
            call.send_info("application/x-note", f"call {plan.number}")
            call.send_message("hello")
        if plan.behaviour in (ending, Behaviour.BOTH_END):
            with trio.move_on_after(plan.talk):
                await self._change(party, call, plan)
                await trio.sleep_forever()
            call.hangup()
        else:
            await self._change(party, call, plan)
            await self.perils.run("wait_ended", call.wait_ended)

    async def _change(self, party: str, call: Call, plan: Plan) -> None:
        """Hold and resume, on both sides at once; and one side hands the other over."""
        if plan.holds:
            await self.perils.run("hold", partial(_hold, call, plan))
        is_callees = plan.transfer is Transfer.BLIND_BY_CALLEE
        if plan.transfer and party.startswith("callee" if is_callees else "caller"):
            await self.perils.run("transfer", partial(self._hand_over, party, call, plan))

    async def _hand_over(self, party: str, call: Call, plan: Plan) -> None:
        told, code = "cancelled", 0
        try:
            result = await self._transferred(party, call, plan)
            told, code = ("done" if result.is_confirmed else "left"), result.code
        except TrivoxError as error:
            told = type(error).__name__
            code = getattr(error, "sip_code", None) or 0
        finally:
            now = trio.current_time()
            self.trace.handovers.append(Handover(now, party, plan.number, told, code))

    async def _transferred(self, party: str, call: Call, plan: Plan):
        third = self._callee(plan.callee + 1)
        if plan.transfer not in ATTENDED:
            return await call.transfer(f"sip:{third}@{HOME_NAME}")
        client = self.stage.clients[party]
        consulted = self._created(party, client, third, plan, plan.number + CONSULTED)
        async with consulted:
            await consulted.start()
            await consulted.wait_connected()
            return await call.transfer(consulted)

    def _refer(self, party: str, plan: Plan, event: TransferRequested) -> None:
        """Place the call that a REFER asks for, or not."""
        if plan.transfer is Transfer.DECLINED:
            event.reject()
            return
        number = plan.number + REFERRED
        new_call = event.accept(self._settings(plan, number))
        self.trace.watch(party, number, new_call)


async def _ring(call: Call, plan: Plan) -> None:
    code = 183 if plan.says in (Ring.EARLY, Ring.RELIABLE_EARLY) else 180
    is_reliable = plan.says in (Ring.RELIABLE, Ring.RELIABLE_EARLY)
    await call.progress(code, reliable=True if is_reliable else None)


async def _hold(call: Call, plan: Plan) -> None:
    """Hold and resume; a call that ends meanwhile just ends."""
    for is_held in (True, False):
        try:
            await call.hold(is_held)
        except TrivoxError:
            return
        await trio.sleep(0.1 * (plan.number % 3))
