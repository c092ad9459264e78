"""What a switchboard forwards, and for whom: every method × {no, wrong, right credentials}."""

from __future__ import annotations

import itertools

import pytest

from trivox.sip.digest import DigestClient

DOMAIN = "board.test"
METHODS = ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "PUBLISH", "INFO", "OPTIONS", "BYE"]
NUMBERS = itertools.count(1)


async def _final(phone):
    while (answer := await phone.receive("SIP/2.0")).status < 200:
        pass
    return answer


async def _ask(phone, method, uri, *, user=None, password=None, to=None):
    """Send a request, with credentials once it is challenged; return the last answer's status."""
    call_id = f"ask-{next(NUMBERS)}"
    phone.send(phone.request(method, uri, to=to, call_id=call_id))
    answer = await _final(phone)
    if password is None or answer.status not in (401, 407):
        return answer.status
    name, given = (
        ("WWW-Authenticate", "Authorization")
        if answer.status == 401
        else ("Proxy-Authenticate", "Proxy-Authorization")
    )
    digest = DigestClient(user or phone.name, password, realms=[DOMAIN])
    value = digest.answer(answer.headers(name), method, uri, b"", "cnonce")
    headers = (f"{given}: {value}",)
    phone.send(phone.request(method, uri, to=to, call_id=call_id, cseq=2, headers=headers))
    return (await _final(phone)).status


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["bob", "nobody"])
@pytest.mark.parametrize("to", [None, f"<sip:bob@{DOMAIN}>;tag=forged"])
async def test_nothing_is_forwarded_without_credentials(
    autojump_clock, phones, board, method, target, to
) -> None:
    eve, bob = phones("eve", 66), phones("bob", 3)
    async with board():
        await bob.register()
        assert await _ask(eve, method, f"sip:{target}@{DOMAIN}", to=to) == 407
        assert await _ask(eve, method, f"sip:{bob.contact[4:]}", to=to) == 407
        await bob.hears_nothing()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("user", ["alice", "nobody"])
async def test_nothing_is_forwarded_with_wrong_credentials(
    autojump_clock, phones, board, method, user
) -> None:
    eve, bob = phones("eve", 66), phones("bob", 3)
    async with board():
        await bob.register()
        status = await _ask(eve, method, f"sip:bob@{DOMAIN}", user=user, password="wrong")
        assert status == 403
        await bob.hears_nothing()


@pytest.mark.parametrize("method", METHODS)
async def test_a_user_reaches_another_with_right_credentials(
    autojump_clock, phones, board, method
) -> None:
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        uri = f"sip:bob@{DOMAIN}"
        call_id = f"right-{next(NUMBERS)}"
        alice.send(alice.request(method, uri, call_id=call_id))
        challenge = await _final(alice)
        value = alice.digest.answer(
            challenge.headers("Proxy-Authenticate"), method, uri, b"", "cnonce"
        )
        headers = (f"Proxy-Authorization: {value}",)
        alice.send(alice.request(method, uri, call_id=call_id, cseq=2, headers=headers))
        bob.answer(await bob.receive(method), 486, contact=False)

        assert (await _final(alice)).status == 486


@pytest.mark.parametrize("method", ["REGISTER", *METHODS])
@pytest.mark.parametrize("password", [None, "wrong"])
async def test_known_and_unknown_users_look_the_same(
    autojump_clock, phones, board, method, password
) -> None:
    eve, seen = phones("eve", 66), []
    async with board():
        for name in ("bob", "nobody"):
            uri = f"sip:{DOMAIN}" if method == "REGISTER" else f"sip:{name}@{DOMAIN}"
            call_id = f"enumerate-{next(NUMBERS)}"
            address = {"to": f"<sip:{name}@{DOMAIN}>", "call_id": call_id}
            eve.send(eve.request(method, uri, **address))
            answer = await _final(eve)
            if password is not None:
                kind = "WWW" if answer.status == 401 else "Proxy"
                digest = DigestClient(name, password, realms=[DOMAIN])
                asked = answer.headers(f"{kind}-Authenticate")
                value = digest.answer(asked, method, uri, b"", "cnonce")
                given = "Authorization" if kind == "WWW" else "Proxy-Authorization"
                headers = (f"{given}: {value}",)
                eve.send(eve.request(method, uri, cseq=2, headers=headers, **address))
                answer = await _final(eve)
            names = [header for header, _ in answer.items()]
            seen.append((answer.status, answer.reason, names, len(answer.body)))

    assert seen[0] == seen[1]


async def test_a_forged_to_tag_passes_no_acknowledgement_on(autojump_clock, phones, board) -> None:
    eve, bob = phones("eve", 66), phones("bob", 3)
    async with board():
        await bob.register()
        eve.send(eve.request("ACK", bob.contact, to=f"<{bob.contact}>;tag=forged"))
        await bob.hears_nothing()


async def test_who_guesses_a_password_is_locked_out_and_told_the_same(
    autojump_clock, phones, board
) -> None:
    eve, bob = phones("eve", 66), phones("bob", 3)
    uri = f"sip:carol@{DOMAIN}"
    async with board() as own:
        wrong = [await _ask(eve, "MESSAGE", uri, user="bob", password="wrong") for _ in range(10)]
        right = await _ask(eve, "MESSAGE", uri, user="bob", password="b-secret")
        elsewhere = await bob.register()
        refused = own.statistics().locked_out

    assert wrong == [403] * 10
    assert right == 403
    assert elsewhere.status == 200
    assert refused == 1
