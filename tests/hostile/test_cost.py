"""What is malformed costs little and hangs nothing: a corpus through whole programs, message by message."""

from __future__ import annotations

import gc
import random
import time
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio

from trivox.client.opening import open_client
from trivox.switchboard import open_switchboard
from trivox.testing import Link, run_repeatably
from trivox.testing.fake_engine import fake_media

from .corpus import SECRET, bad_lengths, bent, message, mutated, oversized, templates, torture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clean_log")]

HERE, ATTACKER, PROBER = ("10.0.0.1", 5060), ("10.0.0.2", 5060), ("10.0.0.3", 5060)
LISTEN = [
    "sip:10.0.0.1:5060",
    "sip:10.0.0.1:5060;transport=tcp",
    "sip:10.0.0.1:8080;transport=ws",
]
MOST_CPU = 0.02
"""Seconds of processor time that one message may take."""
QUESTION_EVERY = 40


def corpus(seed: int) -> list[bytes]:
    """Return the torture messages and what a seed makes of them and of good ones."""
    draw = random.Random(seed)
    good = torture()
    messages = [*good, *oversized(1), *bad_lengths(2), *templates(3)]
    messages += [bent(draw, good) for _ in range(400)]
    messages += [mutated(draw, number) for number in range(10, 210)]
    messages += [draw.randbytes(draw.randint(1, 1500)) for _ in range(50)]
    draw.shuffle(messages)
    return messages


@asynccontextmanager
async def open_board(sockets):
    """A switchboard with a user."""
    users = {"server": SECRET}
    async with open_switchboard(
        listen=LISTEN, users=users, domain="127.0.0.1", sockets=sockets
    ) as board:
        yield lambda: board.statistics().endpoint.core


@asynccontextmanager
async def open_server(sockets):
    """A client that answers every call, with passwords asked for by nobody."""
    media, _ = fake_media(now=trio.current_time())

    async def answer(call):
        await call.answer()
        await call.wait_ended()

    async with open_client(listen=LISTEN, engine=media, sockets=sockets, seed=b"s" * 16) as client:
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, answer)
            yield lambda: client.statistics().sip.core
            for call in tuple(client.calls.values()):
                call.hangup()
            nursery.cancel_scope.cancel()


PROGRAMS = {"board": open_board, "server": open_server}


class Attack:
    """Messages to one program on a virtual network, with the processor time of each."""

    def __init__(self, program: str, transport: str) -> None:
        self.link = Link(1, delay=0.001)
        self.program = PROGRAMS[program]
        self.transport = transport
        self.socket = self.link.host(ATTACKER[0]).bind_datagram(ATTACKER)
        self.prober = self.link.host(PROBER[0]).bind_datagram(PROBER)
        self.questions = 0

    async def run(self, messages: list[bytes]) -> list[tuple[float, bytes]]:
        """Send each, and ask OPTIONS between; return what each took, in seconds."""
        costs = []
        async with self.program(self.link.host(HERE[0])) as figures:
            await self.is_answered()
            for number, data in enumerate(messages):
                began = time.thread_time()
                await self.send(data)
                costs.append((time.thread_time() - began, data))
                if number % QUESTION_EVERY == 0:
                    assert await self.is_answered(), data
            assert await self.is_answered()
            await trio.sleep(400)
            core = figures()
            assert core["panics"] == 0
            assert (core["transactions"], core["timers"]) == (0, 0)
        self.socket.close()
        self.prober.close()
        assert self.link.open_sockets == 0
        return costs

    async def send(self, data: bytes) -> None:
        if self.transport == "udp":
            self.socket.send(data[:65_000], HERE)
            await trio.sleep(0.01)
            self.socket.receive(4096)
            return
        connection = await self.link.host(ATTACKER[0]).open_connector(ATTACKER[0], HERE).connect()
        with trio.move_on_after(0.01):
            try:
                await connection.send_all(data)
                while await connection.receive_some(65_536):
                    pass
            except trio.BrokenResourceError:
                pass
        connection.close()

    async def is_answered(self) -> bool:
        """Whether OPTIONS gets its 200, by UDP and from another host."""
        self.questions += 1
        question = message(
            "OPTIONS sip:127.0.0.1 SIP/2.0",
            Via=f"SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bKask{self.questions}",
            Call_ID=f"ask-{self.questions}",
        )
        self.prober.send(question, HERE)
        with trio.move_on_after(1):
            while True:
                await self.prober.wait_readable()
                if any(data.startswith(b"SIP/2.0 200") for data, _ in self.prober.receive(16)):
                    return True
        return False


@contextmanager
def without_collections():
    """Keep what the garbage collector does out of a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_no_message_of_the_corpus_hangs_a_program(program, transport):
    with without_collections():
        costs = run_repeatably(Attack(program, transport).run, corpus(7), seed=7)

        for cost, data in sorted(costs, key=lambda one: one[0])[-3:]:
            if cost > MOST_CPU:  # perhaps the machine: alone and in a fresh program, three times
                again = [
                    run_repeatably(Attack(program, transport).run, [data], seed=7)[0][0]
                    for _ in range(3)
                ]
                assert min(again) <= MOST_CPU, f"{min(again):.3f} s for {data[:300]!r}"


def test_twice_as_long_takes_at_most_about_twice_the_time():
    """Of what an attacker can make long: no part of a message is read in more than linear time."""
    makers = {
        "header": lambda size: {"X_Long": "a" * size},
        "blanks": lambda size: {"X_Long": "a" + " " * size + "b"},
        "quotes": lambda size: {"From": '"' + "\\a" * (size // 2) + '" <sip:a@b>;tag=1'},
        "parameters": lambda size: {"To": "<sip:a@b>" + ";p=1" * (size // 4)},
        "angles": lambda size: {"From": "<" * size},
        "commas": lambda size: {"Supported": "a," * (size // 2)},
        "credentials": lambda size: {"Authorization": "Digest " + 'a="b",' * (size // 6)},
        "route": lambda size: {"Route": "<sip:a@b;lr>," * (size // 13) + "<sip:a@b;lr>"},
    }

    def cost(maker, size):
        data = message("OPTIONS sip:127.0.0.1 SIP/2.0", **maker(size))
        runs = [run_repeatably(Attack("board", "udp").run, [data], seed=7)[0][0] for _ in range(3)]
        return min(runs)

    with without_collections():
        for name, maker in makers.items():
            short, long = cost(maker, 7_500), cost(maker, 60_000)
            assert long <= MOST_CPU, name
            # Eight times as long: 64 times as much work, were it quadratic, beside a fixed part.
            assert long < 24 * short + 0.002, f"{name}: {short:.5f} s, {long:.5f} s"
