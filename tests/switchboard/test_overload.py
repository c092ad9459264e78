"""A phone that asks for less is asked less (RFC 7339)."""

from __future__ import annotations

import re


def _busy(bob, invite, feedback):
    """Refuse an INVITE, with feedback for the proxy in its Via (RFC 7339 §4)."""
    first, *rest = invite.headers("Via")
    top = re.sub(r";oc(-algo=\"loss\")?(?=;|$)", "", first) + feedback
    lines = ["SIP/2.0 503 Service Unavailable", f"Via: {top}", *(f"Via: {one}" for one in rest)]
    lines += [f"{name}: {invite.header(name)}" for name in ("From", "Call-ID", "CSeq")]
    lines += [f"To: {invite.header('To')};tag=busy", "Content-Length: 0", "", ""]
    bob.send("\r\n".join(lines))


async def test_the_proxy_leaves_out_what_a_phone_asked_for(board, phones, autojump_clock):
    """RFC 7339 §5.3; §5.10.1: what is inside a dialog goes on."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board() as switchboard:
        await bob.register()
        await alice.invite("bob")
        held = await bob.receive("INVITE")
        bob.answer(held, 200)
        answer = await alice.receive("SIP/2.0 200")
        alice.send(alice.inside("ACK", answer))
        await alice.invite("bob")
        _busy(
            bob, await bob.receive("INVITE sip:bob@10.0.0.3"), ";oc=100;oc-validity=60000;oc-seq=1"
        )
        assert (await alice.receive("SIP/2.0 5")).status == 500
        bob.inbox.clear()

        await alice.invite("bob")
        refusal = await alice.receive("SIP/2.0 5")
        alice.send(alice.inside("BYE", answer, cseq=4))
        bye = await bob.receive("BYE")

        assert (refusal.status, refusal.header("Retry-After")) == (503, None)
        assert bye.header("Call-ID") == held.header("Call-ID")
        assert not any(data.startswith(b"INVITE") for data in bob.inbox)
        assert switchboard.statistics().endpoint.core["throttled"] == 1


async def test_a_message_is_left_out_too(board, phones, autojump_clock):
    """RFC 7339 §5.10: every request outside of dialogs is a candidate."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        await alice.authorized("MESSAGE", "sip:bob@board.test")
        _busy(bob, await bob.receive("MESSAGE"), ";oc=100;oc-validity=60000;oc-seq=1")
        assert (await alice.receive("SIP/2.0 5")).status == 500

        await alice.authorized("MESSAGE", "sip:bob@board.test")

        assert (await alice.receive("SIP/2.0 5")).status == 503
