"""What one user of a switchboard may begin (threat 9)."""

from __future__ import annotations

import pytest

from trivox import DoorLimits


async def _last(phone):
    while (answer := await phone.receive("SIP/2.0")).status < 200:
        pass
    return answer


@pytest.fixture
def door():
    return DoorLimits(identity_calls=1)


async def test_a_user_has_so_many_calls_ringing_and_others_theirs(
    autojump_clock, phones, board, door
) -> None:
    alice, bob, carol = phones("alice", 2), phones("bob", 3), phones("carol", 4)
    async with board(door=door) as own:
        await carol.register()
        await alice.invite("carol", tag="1")
        first = await carol.receive("INVITE")
        await alice.invite("carol", tag="2")
        refusal = await alice.receive("SIP/2.0 480")
        await bob.invite("carol")
        await carol.receive("INVITE")

        carol.answer(first, 486, contact=False)
        assert (await _last(alice)).status == 486
        await alice.invite("carol", tag="3")
        await carol.receive("INVITE")

        assert refusal.header("Retry-After") == "5"
        assert own.statistics().refused_by_identity == 1


async def test_a_user_has_so_many_calls_a_second_and_messages_without_limit(
    autojump_clock, phones, board
) -> None:
    alice = phones("alice", 2)
    async with board(door=DoorLimits(identity_calls_per_second=0.1)):
        got = []
        for number in range(3):
            await alice.invite("nobody", tag=str(number))
            got.append((await _last(alice)).status)
        for number in range(3):
            await alice.authorized("MESSAGE", "sip:nobody@board.test", tag=f"m{number}")
            got.append((await _last(alice)).status)

        assert got == [404, 480, 480, 404, 404, 404]


async def test_without_a_password_nobodys_calls_are_spent(
    autojump_clock, phones, board, door
) -> None:
    eve, alice, carol = phones("alice", 66), phones("alice", 2), phones("carol", 4)
    async with board(door=door) as own:
        await carol.register()
        for number in range(5):
            eve.send(eve.request("INVITE", "sip:carol@board.test", tag=f"e{number}"))
            await eve.receive("SIP/2.0 407")

        await alice.invite("carol")
        await carol.receive("INVITE")

        assert own.statistics().refused_by_identity == 0
