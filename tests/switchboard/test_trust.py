"""What a user asserts of identities goes no further (RFC 3325 §5, §7)."""

from __future__ import annotations

import pytest

ASSERTED = ("P-Asserted-Identity: <sip:boss@board.test>", "p-preferred-identity: <sip:boss@x.test>")
NAMES = ("P-Asserted-Identity", "P-Preferred-Identity")


def told(message) -> list[str]:
    return [value for name in NAMES for value in message.headers(name)]


@pytest.mark.parametrize("privacy", [(), ("Privacy: id",), ("Privacy: none",)])
async def test_nobody_vouches_for_himself(board, phones, autojump_clock, privacy):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()

        await alice.invite("bob", headers=(*ASSERTED, *privacy))
        invite = await bob.receive("INVITE")

        assert told(invite) == []
        # RFC 3323 §5: what was asked for is done, and nobody further on has to do it; "none" stays.
        left = [line for line in privacy if "id" not in line]
        assert invite.headers("Privacy") == [line.partition(": ")[2] for line in left]


async def test_what_an_answer_and_a_request_in_the_dialog_assert_stays_here(
    board, phones, autojump_clock
):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        await alice.invite("bob")
        bob.answer(await bob.receive("INVITE"), 200, headers=ASSERTED)
        answer = await alice.receive("SIP/2.0 200")
        alice.send(alice.inside("ACK", answer))
        bye = alice.inside("BYE", answer, cseq=4)
        alice.send(bye.replace("Max-Forwards", f"{ASSERTED[0]}\r\nMax-Forwards", 1))

        assert told(answer) == []
        assert told(await bob.receive("BYE")) == []
