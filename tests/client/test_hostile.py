"""Whatever a far end sends, the client goes on serving and nothing is left behind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from trivox.testing.far_end import SDP

TORTURE = sorted((Path(__file__).parents[1] / "data" / "torture").rglob("*.dat"))
OWN_URI = "sip:bot@10.0.0.1:5060"
TARGETS = ["", "sips:a@10.0.0.9", "sip:a@nowhere.invalid", "sip:a@10.0.0.9;transport=tls", "tel:1",
           "sip:a@10.0.0.9:0", "sip:a@[::1]"]  # fmt: skip


async def _answer_and_leave(call) -> None:
    await call.answer()
    await trio.sleep(1)


async def _is_serving(far, name: str) -> bool:
    far.request("OPTIONS", OWN_URI, call_id=f"alive-{name}")
    while True:
        message = await far.receive()
        if message.header("Call-ID") == f"alive-{name}":
            return message.status == 200


async def _is_at_base(client) -> bool:
    await trio.sleep(140)
    figures = client.statistics()
    return (figures.calls, figures.timers, figures.tokens) == (0, 0, 0)


async def test_the_torture_messages_leave_the_client_serving(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer_and_leave)
        for path in TORTURE:
            far._socket.send(path.read_bytes(), far.peer)

        assert len(TORTURE) > 40
        assert await _is_serving(far, "torture")
        assert await _is_at_base(client)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("target", TARGETS)
async def test_a_contact_without_a_way_to_it_ends_that_call_only(
    autojump_clock, world, target
) -> None:
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer_and_leave)
        contact = [("Contact", f"<{target}>")] if target else []
        far.send(
            f"INVITE {OWN_URI} SIP/2.0",
            [
                ("Via", "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx"),
                ("Max-Forwards", "70"),
                ("From", "<sip:far@10.0.0.9>;tag=1"),
                ("To", f"<{OWN_URI}>"),
                ("Call-ID", "x"),
                ("CSeq", "1 INVITE"),
                *contact,
                ("Content-Type", "application/sdp"),
            ],
            SDP,
        )

        assert await _is_serving(far, "contact")
        assert await _is_at_base(client)
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_mutated_messages_leave_the_client_serving(autojump_clock, world) -> None:
    draw = random.Random(7)
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer_and_leave)
        good = [path.read_bytes() for path in TORTURE]
        for _ in range(2000):
            data = bytearray(draw.choice(good))
            for _ in range(draw.randint(1, 8)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            far._socket.send(bytes(data[:4000]), far.peer)
            if draw.random() < 0.05:
                await trio.sleep(0.05)

        assert await _is_serving(far, "mutations")
        assert await _is_at_base(client)
        nursery.cancel_scope.cancel()
