"""The one policy point: every method × {no credentials, wrong ones, right ones}, by source."""

from __future__ import annotations

import pytest
import trio

from trivox import AccountConfig, IncomingMessage
from trivox.client.admission import RULES, Rule
from trivox.client.config import ClientConfig
from trivox.errors import InvalidArgumentsError
from trivox.sip.capabilities import ALLOWED
from trivox.sip.digest import DigestClient
from trivox.testing.far_end import SDP, FarEnd

METHODS = sorted({*RULES, "PARTY"} - {"ACK", "CANCEL"})
STRANGER, TRUNK = "10.0.0.66", "10.0.0.9"
URI = "sip:us@10.0.0.1"
ADMITTED = {
    "INVITE": 486, "MESSAGE": 200, "NOTIFY": 481, "PUBLISH": 405, "REFER": 403, "SUBSCRIBE": 489,
    "BYE": 481, "INFO": 481, "PRACK": 481, "UPDATE": 481,
}  # fmt: skip
"""What an admitted request without a dialog is answered."""
ANYBODY = {"OPTIONS": 200, "REGISTER": 405, "PARTY": 501}
"""What anybody is."""
SETTINGS = {
    "accounts": [AccountConfig("sip:trunk@carrier.example", registrar="", proxy=f"sip:{TRUNK}")],
    "users": {"alice": "pw"},
}


async def _asked(own, method, source, *, password=None, user="alice", **settings) -> list[int]:
    """Return the statuses a request from that host gets, with credentials if it is challenged."""

    async def handler(call) -> None:
        call.reject(486)

    got = []
    digest = DigestClient(user, password, realms=["trivox"])
    async with own.client(**{**SETTINGS, **settings}) as client, trio.open_nursery() as nursery:
        client.on(IncomingMessage, messages.append)
        await nursery.start(client.serve, handler)
        with FarEnd(own.link.host(source), (source, 5060), ("10.0.0.1", 5060)) as far:
            body = SDP if method == "INVITE" else ""
            far.request(method, URI, body=body)
            answer = await _final(far)
            got.append(answer.status)
            if answer.status == 401 and password is not None:
                value = digest.answer(answer.headers("WWW-Authenticate"), method, URI, b"", "c")
                far.request(method, URI, body=body, cseq=2, headers=[("Authorization", value)])
                got.append((await _final(far)).status)
        nursery.cancel_scope.cancel()
    return got


messages: list[object] = []


async def _final(far):
    while (message := await far.receive()).is_request or message.status < 200:
        pass
    return message


@pytest.mark.parametrize("method", METHODS)
async def test_without_credentials_nothing_reaches_a_handler(autojump_clock, world, method) -> None:
    messages.clear()
    expected = ANYBODY.get(method, 401)

    assert await _asked(world(), method, STRANGER) == [expected]
    assert messages == []


@pytest.mark.parametrize("method", METHODS)
async def test_with_a_wrong_password_nothing_reaches_a_handler(
    autojump_clock, world, method
) -> None:
    messages.clear()
    expected = [ANYBODY[method]] if method in ANYBODY else [401, 403]

    assert await _asked(world(), method, STRANGER, password="wrong") == expected
    assert messages == []


@pytest.mark.parametrize("method", METHODS)
async def test_an_unknown_user_is_answered_like_a_wrong_password(
    autojump_clock, world, method
) -> None:
    expected = [ANYBODY[method]] if method in ANYBODY else [401, 403]

    assert await _asked(world(), method, STRANGER, password="pw", user="nobody") == expected


@pytest.mark.parametrize("method", METHODS)
async def test_with_the_right_password_it_does(autojump_clock, world, method) -> None:
    messages.clear()
    expected = [ANYBODY[method]] if method in ANYBODY else [401, ADMITTED[method]]

    assert await _asked(world(), method, STRANGER, password="pw") == expected
    assert len(messages) == (method == "MESSAGE")


@pytest.mark.parametrize("method", METHODS)
async def test_a_trunk_is_known_by_its_address(autojump_clock, world, method) -> None:
    expected = ANYBODY.get(method) or ADMITTED[method]

    assert await _asked(world(), method, TRUNK) == [expected]


@pytest.mark.parametrize("method", METHODS)
async def test_without_users_strangers_are_forbidden_if_asked_for(
    autojump_clock, world, method
) -> None:
    expected = ANYBODY.get(method, 403)

    assert await _asked(world(), method, STRANGER, users={}, admit="known") == [expected]


@pytest.mark.parametrize("method", METHODS)
async def test_by_default_a_server_takes_calls_of_anybody(autojump_clock, world, method) -> None:
    expected = ANYBODY.get(method) or ADMITTED[method]

    assert await _asked(world(), method, STRANGER, users={}) == [expected]


async def test_who_guesses_is_locked_and_told_the_same(autojump_clock, world) -> None:
    own = world()
    async with own.client(**SETTINGS) as client:
        client.on(IncomingMessage, messages.append)
        messages.clear()
        with FarEnd(own.link.host(STRANGER), (STRANGER, 5060), ("10.0.0.1", 5060)) as far:
            statuses = [await _message(far, n, "pw" if n == 12 else "wrong") for n in range(13)]

    assert statuses == [403] * 13
    assert messages == []
    assert client._arrivals.admission.lockout.refused == 3


async def _message(far, number: int, password: str) -> int:
    digest = DigestClient("alice", password, realms=["trivox"])
    common = {"call_id": f"m{number}"}
    far.request("MESSAGE", URI, **common)
    challenges = (await _final(far)).headers("WWW-Authenticate")
    value = digest.answer(challenges, "MESSAGE", URI, b"", "c")
    far.request("MESSAGE", URI, cseq=2, headers=[("Authorization", value)], **common)
    return (await _final(far)).status


def test_every_method_we_allow_has_a_rule() -> None:
    assert {name.strip() for name in ALLOWED.split(",")} <= set(RULES)
    assert RULES["REFER"] is Rule.ADMITTED


@pytest.mark.parametrize(
    "settings", [{"admit": "friends"}, {"users": ["alice"]}, {"users": {"alice": 1}}]
)
def test_a_policy_that_is_none_is_refused_at_once(settings) -> None:
    with pytest.raises(InvalidArgumentsError):
        ClientConfig(**settings)


def test_passwords_of_users_are_in_no_repr() -> None:
    assert "s3cret" not in repr(ClientConfig(users={"alice": "s3cret"}))
