"""A connection is kept while something lives on it, and no longer than others afterwards (threat 13)."""

from __future__ import annotations

import pytest
import trio
from tests.hostile.lines import PORTS, Line

from trivox._native import Message
from trivox.client.tenants import Tenants
from trivox.testing.far_end import SDP

HERE, THERE = "10.0.0.1", "10.0.0.9"

URI = f"sip:us@{HERE}"


class Phone:
    """A far end that calls by one connection of its own."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.transport = line.transport.upper()
        self.waiting: list[Message] = []

    async def request(self, method: str, cseq: int, *, call_id: str, to: str = "", body: str = ""):
        lines = [
            f"{method} {URI} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {THERE}:5060;branch=z9hG4bK{call_id}{method}{cseq}",
            f"From: <sip:far@{THERE}>;tag={call_id}",
            f"To: {to or f'<{URI}>'}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:far@{THERE}:5060;transport={self.transport.lower()}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        await self.line.say("\r\n".join([*lines, "", body]).encode())

    async def final(self, cseq: str) -> Message:
        while True:
            while self.waiting:
                message = self.waiting.pop(0)
                if message.status >= 200 and message.header("CSeq") == cseq:
                    return message
            assert not self.line.is_over
            self.waiting += [Message.parse(data) for data in await self.line.heard()]

    async def call(self, call_id: str) -> str:
        """Call and be answered; return To of the dialog."""
        await self.request("INVITE", 1, call_id=call_id, body=SDP)
        to = (await self.final("1 INVITE")).header("To") or ""
        await self.request("ACK", 1, call_id=call_id, to=to)
        return to

    async def hang_up(self, call_id: str, to: str) -> None:
        await self.request("BYE", 2, call_id=call_id, to=to)
        assert (await self.final("2 BYE")).status == 200

    async def is_closed_after(self, seconds: float) -> bool:
        with trio.move_on_after(seconds):
            while not self.line.is_over:
                await self.line.heard()
        return self.line.is_over


async def _answer(call) -> None:
    await call.answer()
    await call.wait_ended()


async def _played(world, transport: str, play) -> None:
    own = world()
    own.transport = transport
    async with own.client() as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)
        line = await Line.open(own.link, THERE, (HERE, 5060), transport)
        await play(client, Phone(line))
        line.close()
        assert len(client._wiring.exchange._tenants) == 0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("transport", PORTS)
async def test_a_connection_is_closed_two_minutes_after_its_last_call(
    autojump_clock, world, transport
) -> None:
    async def play(client, phone: Phone) -> None:
        first = await phone.call("one")
        second = await phone.call("two")
        await phone.hang_up("one", first)
        assert not await phone.is_closed_after(1000)
        assert len(client.calls) == 1

        await phone.hang_up("two", second)
        assert not await phone.is_closed_after(119)
        assert await phone.is_closed_after(2)
        assert not client.calls

    await _played(world, transport, play)


@pytest.mark.parametrize("transport", PORTS)
async def test_a_call_that_begins_in_time_keeps_it(autojump_clock, world, transport) -> None:
    async def play(client, phone: Phone) -> None:
        await phone.hang_up("one", await phone.call("one"))
        assert not await phone.is_closed_after(100)
        to = await phone.call("two")
        assert not await phone.is_closed_after(500)
        await phone.hang_up("two", to)

    await _played(world, transport, play)


def test_a_flow_is_vacated_when_the_last_has_left_or_moved_on() -> None:
    vacated: list[int] = []
    tenants = Tenants(vacated.append)
    for token, flow in ((1, 10), (2, 10), (1, 10), (1, 20)):
        tenants.move(token, flow)
    before = list(vacated)
    tenants.move(2, 20)
    tenants.leave(1)
    middle = list(vacated)
    tenants.leave(2)
    tenants.leave(2)

    assert (before, middle, vacated) == ([], [10], [10, 20])
    assert len(tenants) == 0
