"""What a stream may bring that no datagram does: a corpus through whole programs, each on a connection.

Threats 1, 2, 13 and 14: half messages, lengths that lie, garbage behind a message, frames of any kind.
"""

from __future__ import annotations

import itertools
import random

import pytest
import trio

from trivox.testing import run_repeatably

from .lines import PORTS, Line, on_tcp, on_websocket
from .test_cost import ATTACKER, HERE, PROBER, PROGRAMS, Attack, message

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clean_log")]

CASES = {"tcp": on_tcp, "ws": on_websocket}
ANSWERED = {
    "tcp": {
        # What begins behind a message is the next one, wherever a segment ends (RFC 3261 §18.3).
        "byte by byte": [200, 200],
        "a compact length": [200, 200],
        "a folded length": [200, 200],
        "a good one, garbage, a good one": [200],
        # Without a length nobody knows where it begins (RFC 3261 §20.14): closed.
        "no length": [],
        "lengths that differ": [],
        "a head too long": [],
        "a body too long": [],
        "the web": [],
    },
    "ws": {
        # A message is what one WebSocket message holds, text or binary (RFC 7118 §5).
        "text": [200],
        "binary": [200],
        "two in one": [200],
        "no length": [200],
        "a length that is too short": [200],
        "a length that is too long": [400],
        "half a message": [],
        "a message in single bytes": [200],
        "fragments within a character, with a ping": [200],
        "a message as long as may be": [200],
        "a message too long": [],
        "byte by byte": [200, 200],
        "pongs": [200],
        "no UTF-8": [],
        "a close and more": [],
    },
}
"""What comes back for some of them, at a server as at a switchboard."""
ALL_GIVEN_UP = 400
"""Seconds after which each half, idle or answered connection is closed and each timer has run out."""


class Siege(Attack):
    """Connections to one program, each with its own case, which nobody closes but the program."""

    def __init__(self, program: str, transport: str) -> None:
        super().__init__(program, transport)
        self.lines: list[tuple[str, Line]] = []
        self.heard: dict[str, list[int]] = {}

    async def connect(self, host: str = ATTACKER[0]) -> Line:
        """Open a connection to the program."""
        peer = (HERE[0], PORTS[self.transport])
        return await Line.open(self.link, host, peer, self.transport)

    async def play(self, cases: dict[str, list[bytes]]) -> None:
        """Say each case on a connection of its own; ask OPTIONS after each, and count what is left."""
        async with self.program(self.link.host(HERE[0])) as figures, trio.open_nursery() as nursery:
            assert await self.is_answered()
            base = figures()["flows"]
            for name, pieces in cases.items():
                line = await self.connect()
                self.lines.append((name, line))
                nursery.start_soon(line.note, self.heard.setdefault(name, []))
                for piece in pieces:
                    await line.raw(piece)
                assert await self.is_answered(), name
            assert await self.is_answered_here()
            await trio.sleep(ALL_GIVEN_UP)
            assert [name for name, line in self.lines if not line.is_over] == []
            core = figures()
            assert core["flows"] == base
            assert (core["transactions"], core["timers"], core["panics"]) == (0, 0, 0)
            assert await self.is_answered()
            for _, line in self.lines:
                line.close()
        self.socket.close()
        self.prober.close()
        assert self.link.open_sockets == 0

    async def is_answered_here(self) -> bool:
        """Whether OPTIONS gets its 200 by the transport that is attacked."""
        line = await self.connect(PROBER[0])
        await line.say(message("OPTIONS sip:127.0.0.1 SIP/2.0", Call_ID="ask-here"))
        is_answered = False
        with trio.move_on_after(5):
            while not (is_answered or line.is_over):
                is_answered = any(one.startswith(b"SIP/2.0 200") for one in await line.heard())
        line.close()
        return is_answered


@pytest.mark.parametrize("transport", CASES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_whatever_a_stream_brings_it_is_given_up_and_others_are_answered(program, transport):
    siege = Siege(program, transport)

    run_repeatably(siege.play, CASES[transport](), seed=7)

    answered = ANSWERED[transport]
    assert {name: siege.heard[name] for name in answered} == answered


@pytest.mark.parametrize("transport", CASES)
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("seed", range(2))
def test_so_it_is_when_cases_are_mixed_and_cut_anywhere(program, transport, seed):
    draw = random.Random(seed)
    known = list(CASES[transport]().values())
    cases = {}
    for number in range(40):
        said = b"".join(piece for _ in range(3) for piece in draw.choice(known))[:80_000]
        cuts = sorted(draw.randrange(len(said) + 1) for _ in range(6))
        cuts = [0, *cuts, len(said)]
        cases[f"mixed {number}"] = [said[a:b] for a, b in itertools.pairwise(cuts)]

    run_repeatably(Siege(program, transport).play, cases, seed=seed)
