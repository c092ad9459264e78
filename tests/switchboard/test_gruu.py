"""GRUUs of the switchboard: granted, followed, and over with their binding (RFC 5627)."""

from __future__ import annotations

import pytest

from trivox._native import NameAddr

DOMAIN = "board.test"
URN = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
PUBLIC = f"sip:bob@{DOMAIN};gr={URN}"
CALL_ID = "bobs-registration"


async def _register(phone, *, expires=600, call_id=CALL_ID, supported="gruu", device=URN):
    """Register the phone as its device and return the contacts of the answer."""
    contact = f'Contact: <{phone.contact}>;expires={expires};+sip.instance="<{device}>"'
    headers = (contact, f"Supported: {supported}")
    to = f"<sip:{phone.name}@{DOMAIN}>"
    await phone.authorized("REGISTER", f"sip:{DOMAIN}", headers=headers, to=to, call_id=call_id)
    answer = await phone.receive("SIP/2.0")
    assert answer.status == 200
    return [NameAddr.parse(value) for value in answer.values("Contact")]


def _temporary(contact) -> str:
    return contact.parameters["temp-gruu"]


async def _call(alice, uri, *, answered_by=None) -> int:
    """Call a URI; return the status, after 486 of who is to answer."""
    await alice.authorized("INVITE", uri)
    if answered_by is not None:
        invite = await answered_by.receive("INVITE")
        assert invite.uri == answered_by.contact
        answered_by.answer(invite, 486, contact=False)
    while True:
        final = await alice.receive("SIP/2.0")
        if final.status >= 200:
            alice.send(alice.ack_of(final))
            return final.status


async def test_a_device_is_granted_a_public_and_a_temporary_uri(
    autojump_clock, phones, board
) -> None:
    """RFC 5627 §5.2: both, in the Contact of the 200, and only for who asks."""
    async with board():
        (contact,) = await _register(phones("bob", 3))
        (plain,) = await _register(phones("carol", 4), supported="path", call_id="carols")

    assert contact.parameters["pub-gruu"] == PUBLIC
    assert _temporary(contact).startswith("sip:tgruu.")
    assert _temporary(contact).endswith(f"@{DOMAIN};gr")
    assert "bob" not in _temporary(contact)
    assert "pub-gruu" not in plain.parameters
    assert "temp-gruu" not in plain.parameters


async def test_a_gruu_reaches_its_device_and_no_other(autojump_clock, phones, board) -> None:
    """RFC 5627 §6: the user's other phones stay silent; the Request-URI becomes the contact."""
    alice, bob, other = phones("alice", 2), phones("bob", 3), phones("bob", 4)
    async with board():
        (contact,) = await _register(bob)
        await _register(other, call_id="another", device="urn:uuid:2")

        assert await _call(alice, PUBLIC, answered_by=bob) == 486
        assert await _call(alice, _temporary(contact), answered_by=bob) == 486
        await other.hears_nothing()


async def test_each_refresh_gives_another_temporary_uri_and_all_are_good(
    autojump_clock, phones, board
) -> None:
    """RFC 5627 §3.1.2: nobody can tell that two are of one device."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        made = []
        for cseq in (1, 3):
            made += await _refresh(bob, cseq)
        uris = [_temporary(contact) for contact in made]

        assert len(set(uris)) == 2
        for uri in uris:
            assert await _call(alice, uri, answered_by=bob) == 486


async def _refresh(phone, cseq):
    """Register with a Call-ID that stays and a CSeq that grows."""
    contact = f'Contact: <{phone.contact}>;expires=600;+sip.instance="<{URN}>"'
    to = f"<sip:{phone.name}@{DOMAIN}>"
    fields = {"to": to, "call_id": CALL_ID}
    headers = (contact, "Supported: gruu")
    phone.send(phone.request("REGISTER", f"sip:{DOMAIN}", headers=headers, cseq=cseq, **fields))
    challenge = await phone.receive("SIP/2.0 401")
    answer = phone.digest.answer(
        challenge.headers("WWW-Authenticate"), "REGISTER", f"sip:{DOMAIN}", b"", "c"
    )
    proved = (*headers, f"Authorization: {answer}")
    phone.send(phone.request("REGISTER", f"sip:{DOMAIN}", headers=proved, cseq=cseq + 1, **fields))
    granted = await phone.receive("SIP/2.0 200")
    return [NameAddr.parse(value) for value in granted.values("Contact")]


async def test_temporary_uris_end_when_the_device_begins_anew(
    autojump_clock, phones, board
) -> None:
    """RFC 5627 §5.1: another Call-ID ends them; the public one stays."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        (before,) = await _register(bob)
        (after,) = await _register(bob, call_id="restarted")

        assert await _call(alice, _temporary(before)) == 404
        assert await _call(alice, _temporary(after), answered_by=bob) == 486
        assert await _call(alice, PUBLIC, answered_by=bob) == 486


async def test_the_uris_of_a_device_that_left(autojump_clock, phones, board) -> None:
    """RFC 5627 §6: 480 for a device that is away, 404 for a URI that ended."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        (contact,) = await _register(bob)
        await _register(bob, expires=0, call_id="leaving")

        assert await _call(alice, PUBLIC) == 480
        assert await _call(alice, _temporary(contact)) == 404


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (f"sip:nobody@{DOMAIN};gr={URN}", 404),
        (f"sip:bob@{DOMAIN};gr", 480),
        (f"sip:tgruu.AAAA@{DOMAIN};gr", 404),
        (f"sip:tgruu.{'A' * 32}@{DOMAIN};gr", 404),
        (f"sip:tgruu.A!@{DOMAIN};gr", 404),
        (f"sip:tgruu.AAAAA@{DOMAIN};gr", 404),
    ],
)
async def test_a_uri_that_was_never_given_leads_nowhere(
    autojump_clock, phones, board, uri, status
) -> None:
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await _register(bob)

        assert await _call(alice, uri) == status
        await bob.hears_nothing()


async def test_requests_in_a_dialog_follow_the_device(autojump_clock, phones, board) -> None:
    """RFC 5627 §6: a Contact that is a GRUU is translated in the dialog too, by what holds now."""
    alice, bob, moved = phones("alice", 2), phones("bob", 3), phones("bob", 5)
    async with board():
        await _register(bob)
        await alice.invite("bob")
        invite = await bob.receive("INVITE")
        bob.answer(invite, 200, contact=False, headers=(f"Contact: <{PUBLIC}>",))
        answer = await alice.receive("SIP/2.0 200")
        alice.send(alice.inside("ACK", answer, cseq=2))
        ack = await bob.receive("ACK")
        await _register(bob, expires=0, call_id="leaving")
        await _register(moved, call_id="moved")
        alice.send(alice.inside("BYE", answer))
        bye = await moved.receive("BYE")

    assert ack.uri == bob.contact
    assert bye.uri == moved.contact
