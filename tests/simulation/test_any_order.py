"""A pair of calls between two programs, in any order of what programs and networks do.

Hypothesis draws what happens next: one of the two places a call, rings, answers, holds, resumes, hands over, hangs
up, gives up waiting; packets are lost, time passes. After each step the rules of the simulation are looked at, and
a sequence that breaks one is brought down to its shortest.
"""

from __future__ import annotations

import logging
from functools import partial

import pytest
import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trivox.call.client_events import IncomingCall
from trivox.call.events import TransferRequested
from trivox.call.settings import CallSettings
from trivox.call.states import CallDirection, CallState
from trivox.client.opening import open_client
from trivox.errors import TrivoxError
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media

from .shape import Shape
from .stepped import Stepped
from .trace import Trace
from .verdicts import TERMINAL
from .wire_rules import Judge

PARTIES = {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}
MOST_SIDES = 8
COMING = (CallState.CREATED, CallState.CONNECTING)
SETTLED = 500.0
"""Seconds after which nothing of a call is left: every timer is shorter, the session's of 90 s too."""
SHAPE = Shape(loss=1.0, outage=1.0)

ways = st.sampled_from(("ab", "ba", "ac", "bc"))
"""Who calls whom."""
numbers = st.integers(0, 7)


class Pair(RuleBasedStateMachine):
    """Two programs that call each other, and a third that takes every call."""

    def __init__(self) -> None:
        super().__init__()
        self.trace = Trace()
        self.judge = Judge(SHAPE)
        self.judged = 0
        self.faults: list[str] = []
        self.clients = {}
        self.waits: list[trio.CancelScope] = []
        self.program = Stepped(self._main)

    async def _main(self, steps: trio.MemoryReceiveChannel) -> None:
        self.link = Link(1, delay=0.02, jitter=0.01)
        self.media, self.engine = fake_media(now=trio.current_time(), set_up=0.03)
        async with open_client(**self._of("a")) as a, open_client(**self._of("b")) as b:
            async with open_client(**self._of("c")) as c, trio.open_nursery() as self.nursery:
                self.clients = {"a": a, "b": b, "c": c}
                for party in self.clients:
                    self._attend(party)
                await trio.lowlevel.checkpoint()
                self.before = self._holdings()
                async for step in steps:
                    await step()
                self.nursery.cancel_scope.cancel()

    def _of(self, party: str) -> dict[str, object]:
        return {
            "listen": [f"sip:{PARTIES[party]}:5060;transport=udp"],
            "engine": self.media,
            "sockets": self.link.host(PARTIES[party]),
            "trace": self.trace.hook(party),
            "seed": party.encode() * 32,
            "call_settings": self._settings(),
        }

    def _settings(self) -> CallSettings:
        return CallSettings(session_expires=90, ring_timeout=40.0)

    def _attend(self, party: str) -> None:
        client = self.clients[party]
        arrivals = client.incoming_calls()  # so that calls are not refused for want of a taker

        def note(event: IncomingCall) -> None:
            self._watch(party, event.call)
            if party == "c":
                self._begin(event.call.answer)

        client.on(IncomingCall, note)

        async def take() -> None:
            with arrivals:
                async for _ in arrivals:
                    pass

        self.nursery.start_soon(take)

    def _watch(self, party: str, call) -> None:
        self.trace.watch(party, len(self.trace.sides), call)
        call.on(TransferRequested, partial(self._refer, party))

    def _refer(self, party: str, event: TransferRequested) -> None:
        self._watch(party, event.accept())

    def _begin(self, function, *arguments) -> None:
        """Start what waits; a program may be told why it did not work, and nothing else."""
        scope = trio.CancelScope()
        self.waits.append(scope)

        async def wait() -> None:
            with scope:
                try:
                    await function(*arguments)
                except TrivoxError:
                    return

        self.nursery.start_soon(wait)

    def _do(self, function, *arguments) -> None:
        async def act() -> None:
            try:
                function(*arguments)
            except TrivoxError:
                return

        self.program.do(act)

    def _side(self, number: int, *states: CallState):
        """Return one of the calls; mostly one in such a state, so that there is something to do."""
        sides = self.trace.sides
        fitting = [
            side
            for side in sides
            if side.call.state.value in states
            and (states != COMING or side.call.direction is CallDirection.INCOMING)
        ]
        return (
            fitting[number % len(fitting)] if fitting and number < 7 else sides[number % len(sides)]
        )

    def _holdings(self) -> dict[str, int]:
        held: dict[str, int] = {}
        for name, client in self.clients.items():
            statistics = client.statistics()
            held |= {f"{name} calls": statistics.calls, f"{name} tokens": statistics.tokens}
            held[f"{name} timers"] = statistics.timers
            for what in ("transactions", "dialogs", "timers"):
                held[f"{name} {what} of the core"] = statistics.sip.core[what]
        return held | self.engine.counts()

    # what happens

    @initialize(way=ways, is_answered=st.booleans())
    def place_first(self, way: str, is_answered: bool) -> None:
        (self.connect if is_answered else self.place)(way)

    @precondition(lambda self: len(self.trace.sides) < MOST_SIDES)
    @rule(way=ways)
    def connect(self, way: str) -> None:
        self.place(way)
        self.program.advance(0.1)
        call = self.trace.sides[-1].call
        if call.direction is CallDirection.INCOMING:
            self._do(self._begin, call.answer)
        self.program.advance(0.1)

    @precondition(lambda self: len(self.trace.sides) < MOST_SIDES)
    @rule(way=ways)
    def place(self, way: str) -> None:
        caller, callee = way

        async def act() -> None:
            call = self.clients[caller].create_call(
                f"sip:x@{PARTIES[callee]}:5060", self._settings()
            )
            self._watch(caller, call)
            self._begin(call.start)

        self.program.do(act)

    @rule(number=numbers, code=st.sampled_from((180, 183)), reliable=st.booleans())
    def ring(self, number: int, code: int, reliable: bool) -> None:
        side = self._side(number, *COMING)
        if side.call.direction is CallDirection.INCOMING:
            self._do(self._begin, partial(side.call.progress, code, reliable=reliable))

    @rule(number=numbers)
    def answer(self, number: int) -> None:
        side = self._side(number, *COMING)
        if side.call.direction is CallDirection.INCOMING:
            self._do(self._begin, side.call.answer)

    @rule(number=numbers, code=st.sampled_from((486, 603)))
    def reject(self, number: int, code: int) -> None:
        self._do(self._side(number, *COMING).call.reject, code)

    @rule(number=numbers, is_held=st.booleans())
    def hold(self, number: int, is_held: bool) -> None:
        self._do(self._begin, self._side(number, CallState.CONNECTED).call.hold, is_held)

    @rule(number=numbers)
    def hand_over(self, number: int) -> None:
        side = self._side(number, CallState.CONNECTED)
        thirds = sorted(set(PARTIES) - self._ends(side))
        if thirds:
            self._do(self._begin, side.call.transfer, f"sip:x@{PARTIES[thirds[0]]}:5060")

    @rule(number=numbers, other=numbers)
    def join(self, number: int, other: int) -> None:
        one = self._side(number, CallState.CONNECTED)
        own = [each for each in self.trace.sides if each.party == one.party and each is not one]
        # Nobody is made to call itself: whose message it was could not be told.
        fitting = [each for each in own if len(self._ends(one) | self._ends(each)) == len(PARTIES)]
        if fitting:
            call = fitting[other % len(fitting)].call
            self._do(self._begin, one.call.transfer, call)

    def _ends(self, side) -> set[str]:
        sip_call_id = side.call.sip_call_id
        return {each.party for each in self.trace.sides if each.call.sip_call_id == sip_call_id}

    @rule(number=numbers)
    def speak(self, number: int) -> None:
        self._do(self._side(number, CallState.CONNECTED).call.send_info, "text/plain", "hello")

    @rule(number=numbers)
    def hang_up(self, number: int) -> None:
        self._do(self._side(number).call.hangup)

    @precondition(lambda self: self.waits)
    @rule(number=numbers)
    def give_up_waiting(self, number: int) -> None:
        scope = self.waits.pop(number % len(self.waits))
        self._do(scope.cancel)

    @rule(share=st.sampled_from((0.0, 0.2, 0.5, 1.0)))
    def lose_packets(self, share: float) -> None:
        self.link.loss = share

    @rule(share=st.sampled_from((0.0, 0.3)))
    def double_packets(self, share: float) -> None:
        self.link.duplicate = share

    @rule(seconds=st.sampled_from((0.01, 0.03, 0.05, 0.1, 0.3, 1.0)))
    def advance(self, seconds: float) -> None:
        self.program.advance(seconds)

    @rule(seconds=st.sampled_from((4.0, 33.0, 100.0)))
    def advance_far(self, seconds: float) -> None:
        self.program.advance(seconds)

    # what must be true

    @invariant()
    def every_message_is_as_the_rfcs_say(self) -> None:
        messages = self.trace.messages
        while self.judged < len(messages):
            message = messages[self.judged]
            self.judged += 1
            faults = list(self.judge.look(*message))
            assert not faults, faults

    @invariant()
    def calls_end_once(self) -> None:
        for side in self.trace.sides:
            names = side.names
            ends = sum(name in TERMINAL for name in names)
            assert ends <= 1, side
            assert not ends or names[-1] in TERMINAL, side
            assert (side.end is not None) == side.call.state.value.is_terminal, side
            numbers = [event.seq for event in side.events]
            assert numbers == sorted(set(numbers)), side

    def teardown(self) -> None:
        """Let it be calm, hang up, and look at what is left."""
        try:
            self._calm_down()
        finally:
            self.program.close()

    def _calm_down(self) -> None:
        self.link.loss = self.link.duplicate = 0.0
        for _ in range(2):  # a call that was handed over may have been placed meanwhile
            for side in list(self.trace.sides):
                self._do(side.call.hangup)
            self.program.advance(SETTLED)
        self.every_message_is_as_the_rfcs_say()
        self.calls_end_once()
        for side in self.trace.sides:
            assert side.end is not None, side
            assert sum(name in TERMINAL for name in side.names) == 1, side
        assert self._holdings() == self.before


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("trivox").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("trivox").setLevel(logging.NOTSET)


class TestPair(Pair.TestCase):
    """Some hundred sequences a run."""

    settings = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
