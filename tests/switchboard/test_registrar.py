"""REGISTER: who may, what is kept, and for how long."""

from __future__ import annotations

import pytest
import trio

DOMAIN = "board.test"


async def test_a_user_registers_with_its_password(board, phones, autojump_clock):
    alice = phones("alice", 2)
    async with board() as switchboard:
        answer = await alice.register(expires=600)

        assert answer.status == 200
        assert answer.header("Contact") == f"<{alice.contact}>;expires=600"
        assert switchboard.registered("alice") == (alice.contact,)


async def test_a_binding_ends_when_it_expires(board, phones, autojump_clock):
    alice = phones("alice", 2)
    async with board() as switchboard:
        await alice.register(expires=600)

        await trio.sleep(599)
        assert switchboard.registered("alice")
        await trio.sleep(2)
        assert switchboard.registered("alice") == ()
        assert switchboard.statistics().bindings == 0


async def test_expires_0_removes_one_contact_and_the_star_all(board, phones, autojump_clock):
    alice, again = phones("alice", 2), phones("alice", 3)
    async with board() as switchboard:
        await alice.register()
        await again.register()
        assert switchboard.registered("alice") == (alice.contact, again.contact)

        await alice.register(expires=0)
        assert switchboard.registered("alice") == (again.contact,)

        to = f"<sip:alice@{DOMAIN}>"
        headers = ("Contact: *", "Expires: 0")
        await again.authorized("REGISTER", f"sip:{DOMAIN}", headers=headers, to=to)
        assert (await again.receive("SIP/2.0")).status == 200
        assert switchboard.registered("alice") == ()


async def test_a_register_without_contact_lists_the_bindings(board, phones, autojump_clock):
    alice = phones("alice", 2)
    async with board():
        await alice.register(expires=600)
        await trio.sleep(100)
        to = f"<sip:alice@{DOMAIN}>"
        await alice.authorized("REGISTER", f"sip:{DOMAIN}", to=to, contact=False)

        answer = await alice.receive("SIP/2.0")
        assert answer.header("Contact") == f"<{alice.contact}>;expires=500"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Contact: <sip:alice@10.0.0.2>;expires=59",), 423),
        (("Contact: <sip:alice@10.0.0.2>", "Expires: 1"), 423),
        (("Contact: *", "Expires: 60"), 400),
        (("Contact: *, <sip:alice@10.0.0.2>", "Expires: 0"), 400),
        (("Contact: <tel:+15550100>",), 416),
        (("Expires: 60", "Contact: <sip:alice@10.0.0.2"), 400),
        (("Require: pref",), 420),
        (("Contact: <sip:alice@10.0.0.2>;expires=many",), 200),
        (("Contact: " + ", ".join(f"<sip:a{n}@10.0.0.2>" for n in range(11)),), 403),
    ],
)
async def test_a_bad_register_gets_its_answer(board, phones, autojump_clock, headers, status):
    alice = phones("alice", 2)
    async with board() as switchboard:
        to = f"<sip:alice@{DOMAIN}>"
        if status in (400, 420) and headers[-1] != "Expires: 60":
            alice.send(alice.request("REGISTER", f"sip:{DOMAIN}", to=to, headers=headers))
        else:
            await alice.authorized("REGISTER", f"sip:{DOMAIN}", to=to, headers=headers)
        answer = await alice.receive("SIP/2.0")

        assert answer.status == status
        assert answer.header("Unsupported") == ("pref" if status == 420 else None)
        assert bool(switchboard.registered("alice")) == (status == 200)


async def test_an_old_cseq_changes_nothing(board, phones, autojump_clock):
    alice = phones("alice", 2)
    fields = {"to": f"<sip:alice@{DOMAIN}>", "call_id": "same"}
    async with board() as switchboard:
        await alice.authorized("REGISTER", f"sip:{DOMAIN}", **fields)
        assert (await alice.receive("SIP/2.0")).status == 200
        headers = (f"Contact: <{alice.contact}>;expires=0",)
        await alice.authorized("REGISTER", f"sip:{DOMAIN}", headers=headers, **fields)

        assert (await alice.receive("SIP/2.0")).status == 500
        assert switchboard.registered("alice")


async def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(
    board, phones, autojump_clock
):
    answers = []
    async with board():
        for number, name in enumerate(("alice", "nobody"), start=2):
            phone = phones(name, number)
            phone.digest = type(phone.digest)(name, "wrong", realms=[DOMAIN])
            answers.append(await phone.register())

    known, unknown = ([line[0] for line in answer.items()] for answer in answers)
    assert [answer.status for answer in answers] == [403, 403]
    assert known == unknown


async def test_credentials_made_for_another_request_uri_are_a_bad_request(
    board, phones, autojump_clock
):
    alice = phones("alice", 2)
    async with board() as switchboard:
        alice.send(alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>"))
        challenge = await alice.receive("SIP/2.0 401")
        values = challenge.headers("WWW-Authenticate")
        answer = alice.digest.answer(values, "REGISTER", "sip:elsewhere.test", b"", "c")
        headers = (f"Authorization: {answer}",)
        alice.send(
            alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>", headers=headers)
        )

        assert (await alice.receive("SIP/2.0")).status == 400
        assert switchboard.registered("alice") == ()


async def test_a_user_may_not_register_for_another(board, phones, autojump_clock):
    mallory = phones("carol", 2)
    async with board() as switchboard:
        await mallory.authorized("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>")

        assert (await mallory.receive("SIP/2.0")).status == 403
        assert switchboard.registered("bob") == ()


async def test_a_contact_on_another_host_is_reached_where_it_came_from(
    board, phones, autojump_clock
):
    alice, bob = phones("alice", 2), phones("bob", 3)
    victim = phones("carol", 4)
    async with board():
        await bob.register(contact="sip:bob@10.0.0.4:5060")

        await alice.invite("bob")
        assert (await bob.receive("INVITE")).uri == "sip:bob@10.0.0.4:5060"
        await victim.hears_nothing()
