"""What a forged source could have sent to others: one answer a request, little longer than it."""

from __future__ import annotations

import pytest
import trio

from trivox import AccountConfig, DoorLimits
from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"
MOST = 1.7
"""Bytes answered a byte asked, over UDP, to who has proved nothing."""
METHODS = ["OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH", "REGISTER", "NOTIFY", "INFO",
           "BYE", "PRACK", "UPDATE", "CANCEL", "ACK", "NONSENSE"]  # fmt: skip


def ask(far, method: str, number: int, *, is_least: bool = False) -> int:
    """Send a request as short as programs send, or the shortest there is; returns its bytes."""
    host, port = far.local
    if is_least:
        text = (
            f"{method} sip:a SIP/2.0\r\nv:SIP/2.0/UDP {host};branch=z9hG4bK{number}\r\n"
            f"f:<sip:a>;tag=1\r\nt:<sip:a>\r\ni:{number}\r\nCSeq:1 {method}\r\n\r\n"
        )
        far._socket.send(text.encode(), far.peer)
        return len(text)
    text = (
        f"{method} {OWN_URI} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=f\r\nTo: <{OWN_URI}>\r\n"
        f"Call-ID: c{number}\r\nCSeq: 1 {method}\r\nContact: <{far.uri}>\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    far._socket.send(text.encode(), far.peer)
    return len(text)


async def answered(far) -> list[int]:
    """Return the lengths of all that comes within two minutes."""
    lengths = []
    with trio.move_on_after(120):
        while True:
            await far._socket.wait_readable()
            lengths += [len(data) for data, _ in far._socket.receive(64)]
    return lengths


@pytest.mark.parametrize("is_least", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("users", [{}, {"bob": "pw"}])
async def test_a_request_is_answered_once_and_hardly_longer(
    autojump_clock, world, method, users, is_least
) -> None:
    async with world().with_far_end(users=users) as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _ring)

        asked = ask(far, method, 1, is_least=is_least)
        lengths = await answered(far)

        assert len(lengths) <= 1
        assert lengths or method != "OPTIONS"
        assert sum(lengths) <= MOST * asked
        nursery.cancel_scope.cancel()


async def _ring(call) -> None:
    await call.wait_ended()


async def _answer(call) -> None:
    await call.answer()
    await call.wait_ended()


async def test_a_refusal_at_the_door_is_no_longer_than_its_request(autojump_clock, world) -> None:
    async with world().with_far_end(max_calls=0) as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _ring)

        asked = ask(far, "INVITE", 1)
        lengths = await answered(far)

        assert len(lengths) == 1
        assert sum(lengths) <= MOST * asked
        nursery.cancel_scope.cancel()


async def test_calls_that_are_never_acknowledged_are_bounded(autojump_clock, world) -> None:
    door = DoorLimits(unacknowledged=20)
    async with world().with_far_end(door=door) as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)
        most = 0
        for number in range(300):
            far.request("INVITE", OWN_URI, call_id=f"c{number}", from_tag=f"f{number}", body=SDP)
            await trio.sleep(0.02)
            most = max(most, len(client.calls))

        core = client.statistics().sip.core
        assert core["unacknowledged"] <= 20
        assert core["given_up"] >= 250
        assert most < 60  # some have a BYE out, which has Timer F
        nursery.cancel_scope.cancel()


async def test_who_acknowledges_beside_them_keeps_its_call(autojump_clock, world) -> None:
    own = world()
    door = DoorLimits(unacknowledged=20)
    async with own.with_far_end(door=door) as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)
        async with own.client("10.0.0.5") as caller, caller.dial(OWN_URI) as call:
            for number in range(100):
                far.request("INVITE", OWN_URI, call_id=f"c{number}", from_tag=f"f{number}")
                await trio.sleep(0.02)
            async with caller.dial(OWN_URI) as second:
                await second.send_info("text/plain", "?").check()
            await call.send_info("text/plain", "?").check()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("is_least", [False, True])
async def test_an_invite_that_is_refused_at_once_has_one_answer(
    autojump_clock, world, is_least
) -> None:
    """RFC 3261 §8.2.7: who has heard nothing asks again, so nothing is repeated unasked."""
    account = AccountConfig("sip:bot@10.0.0.1", registrar="")
    settings = {"users": {"bob": "pw"}, "accounts": [account]}
    async with world().with_far_end(**settings) as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _ring)

        asked = ask(far, "INVITE", 1, is_least=is_least)
        lengths = await answered(far)

        assert len(lengths) == 1
        assert sum(lengths) <= MOST * asked
        nursery.cancel_scope.cancel()
