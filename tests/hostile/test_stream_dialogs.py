"""A far end that says anything within its calls, on connections: cut anywhere, two at once, half of it.

Threats 1, 2, 13 and 14, from within dialogs; over UDP it is `test_dialogs`.
"""

from __future__ import annotations

import random

import pytest
import trio

from trivox._native import Message
from trivox.call.settings import CallSettings
from trivox.testing import Link, run_repeatably
from trivox.testing.far_end import SDP, FarEnd

from .lines import BINARY, FINAL, PORTS, TEXT, Line, frame
from .test_dialogs import HERE, THERE, Mallory, dial, open_server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clean_log")]

ROUNDS = 100
ASKS = ("10.0.0.3", 5060)
ALL_OVER = 600
"""Seconds after which calls, transfers, subscriptions and connections are given up."""


class StreamMallory(Mallory):
    """Mallory on connections of hers, and, over TCP, on those the program opens to her."""

    def __init__(self, link: Link, draw: random.Random, transport: str, nursery) -> None:
        super().__init__(link, draw)
        self.transport = transport
        self.lines: list[Line] = []
        self._nursery = nursery
        self._listener = link.host(THERE[0]).listen_stream(THERE) if transport == "tcp" else None
        self._before = b""

    async def carry(self, data: bytes) -> None:
        """Send it by the newest connection, or by another one: in pieces, or with the next."""
        if self.draw.random() < 0.15:
            self._before += data[: self.draw.randint(1, len(data))]
            return
        data, self._before = self._before + data, b""
        line = await self._line()
        for piece in self._pieces(data):
            await line.raw(piece)
            if self.draw.random() < 0.05:
                await trio.sleep(self.draw.choice([0.1, 12]))

    def _pieces(self, data: bytes) -> list[bytes]:
        size = len(data)
        cuts = sorted(self.draw.randrange(size + 1) for _ in range(self.draw.choice([0, 0, 1, 3])))
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
        if self.transport == "tcp":
            return parts
        opcodes = [self.draw.choice([TEXT, BINARY]), *[0] * (len(parts) - 1)]
        last = len(parts) - 1
        return [
            frame(opcode, part, first=FINAL if number == last else 0)
            for number, (opcode, part) in enumerate(zip(opcodes, parts, strict=True))
        ]

    async def _line(self) -> Line:
        open_ones = [line for line in self.lines if not line.is_over]
        if not open_ones or self.draw.random() < 0.1:
            peer = (HERE[0], PORTS[self.transport])
            await self._meet(await Line.open(self.link, THERE[0], peer, self.transport))
        elif self.draw.random() < 0.1:
            return self.draw.choice(open_ones)
        return self.lines[-1]

    async def _meet(self, line: Line) -> None:
        self.lines.append(line)
        self._nursery.start_soon(self._listen_to, line)

    async def _listen_to(self, line: Line) -> None:
        while not line.is_over:
            for data in await line.heard():
                await self.take(Message.parse(data))

    async def hear(self) -> None:
        """Take the connections that the program opens."""
        while self._listener is not None:
            try:
                await self._meet(Line(await self._listener.accept(), "tcp"))
            except trio.ClosedResourceError:
                return

    def write(self, start: str, lines: list[tuple[str, str]]) -> bytes:
        """Return a message as Mallory writes it, or as a rule an INVITE that can be taken."""
        if not start.startswith("INVITE ") or self.draw.random() < 0.3:
            return super().write(start, lines)
        lines = [*lines, ("Content-Type", "application/sdp"), ("Content-Length", str(len(SDP)))]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return f"{start}\r\n{head}\r\n{SDP}".encode("utf-8", "surrogateescape")

    async def take(self, message: Message) -> None:
        """Learn and answer; acknowledge, as a rule, what is there now."""
        await super().take(message)
        number, _, method = (message.header("CSeq") or "").partition(" ")
        is_answer = not message.is_request and 200 <= message.status < 300 and method == "INVITE"
        if is_answer and self.draw.random() < 0.8:
            names = ("From", "To", "Call-ID")
            lines = [(name, message.header(name) or "") for name in names]
            lines += [
                ("Via", f"SIP/2.0/{self.transport.upper()} {THERE[0]};branch=z9hG4bKack{number}"),
                ("Max-Forwards", "70"),
                ("CSeq", f"{number} ACK"),
                ("Content-Length", "0"),
            ]
            head = "".join(f"{name}: {value}\r\n" for name, value in lines)
            text = f"ACK sip:us@{HERE[0]} SIP/2.0\r\n{head}\r\n"
            await (await self._line()).say(text.encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """Close all there is."""
        self.socket.close()
        if self._listener is not None:
            self._listener.close()
        for line in self.lines:
            line.close()


async def play(seed: int, transport: str) -> StreamMallory:
    link = Link(seed, delay=0.001)
    with FarEnd(link.host(ASKS[0]), ASKS, HERE) as asker:
        async with (
            open_server(link, CallSettings()) as (client, nursery),
            trio.open_nursery() as far,
        ):
            flows = client.statistics().sip.flows
            mallory = StreamMallory(link, random.Random(seed), transport, far)
            far.start_soon(mallory.hear)
            for number in range(ROUNDS):
                if number % 3 == 0 and transport == "tcp":
                    nursery.start_soon(dial, client, transport)
                for turn in range(6):
                    await mallory.ask(begins=turn == 0)
                    await trio.sleep(0.2)
                assert await is_answered(asker, number), f"after round {number}"
            mallory.close()
            await trio.sleep(ALL_OVER)
            core = client.statistics().sip.core
            left = {name: core[name] for name in ("transactions", "timers", "dialogs", "panics")}
            assert not any(left.values()), left
            assert not client.calls
            assert client.statistics().tokens == 0
            assert client.statistics().sip.flows == flows
            assert await is_answered(asker, -1)
            far.cancel_scope.cancel()
    assert link.open_sockets == 0
    return mallory


async def is_answered(asker: FarEnd, number: int) -> bool:
    """Whether OPTIONS of somebody else gets its 200."""
    asker.request("OPTIONS", f"sip:us@{HERE[0]}", call_id=f"ask{number}")
    with trio.move_on_after(5):
        return (await asker.receive()).status == 200
    return False


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_whatever_is_said_in_a_call_on_connections_ends_with_nothing_left(transport, seed):
    mallory = run_repeatably(play, seed, transport, seed=seed)

    assert mallory.answers > 10
    assert len(mallory.dialogs) > 20
    assert len(mallory.lines) > 20
