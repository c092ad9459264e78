"""Passwords of accounts: whom they are proved to, how often, and where they come from."""

from __future__ import annotations

import pytest
import trio

from trivox import AccountConfig, Credentials
from trivox.call.events import EndReason
from trivox.errors import (
    AuthenticationError,
    CallFailedError,
    InvalidArgumentsError,
    RegistrationError,
)
from trivox.sip.digest_values import DigestAlgorithm, hash_user
from trivox.sip.registration import RegistrationState
from trivox.switchboard import open_switchboard
from trivox.testing.far_end import FarEnd

REALM = "10.0.0.9"
CHALLENGE = ("WWW-Authenticate", f'Digest realm="{REALM}", nonce="n1", qop="auth"')
PROXY_CHALLENGE = ("Proxy-Authenticate", f'Digest realm="{REALM}", nonce="n1", qop="auth"')
EVIL = "10.0.0.66"


def _account(**more) -> AccountConfig:
    fields = {"password": "pw", "registrar": f"sip:{REALM}", **more}
    return AccountConfig(f"sip:alice@{REALM}", **fields)


async def test_a_known_nonce_saves_the_next_round_trip(autojump_clock, world) -> None:
    async with world().with_far_end(accounts=[_account()]) as (client, far):
        (account,) = client.accounts.values()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(account.register)
            far.respond(await far.expect("REGISTER"), 401, headers=[CHALLENGE])
            far.respond(await far.expect("REGISTER"), 200, headers=[("Expires", "600")])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(account.unregister)
            last = await far.expect("REGISTER")
            far.respond(last, 200)

    assert "nc=00000002" in last.header("Authorization")


async def test_a_stranger_s_challenge_to_our_bye_is_not_answered(autojump_clock, world) -> None:
    async def handler(call) -> None:
        assert call.account is not None
        await call.answer()

    own = world()
    async with own.client(accounts=[_account(registrar=None)]) as client:
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            with _far(own, EVIL) as far:
                far.invite(f"sip:alice@{REALM}")
                far.acknowledge(await far.expect(200))
                far.respond(await far.expect("BYE"), 401, headers=[CHALLENGE])
                assert await far.silence(40)
                nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("status", "challenge"), [(401, CHALLENGE), (407, PROXY_CHALLENGE)])
async def test_a_stranger_that_is_called_gets_no_answer(
    autojump_clock, world, status, challenge
) -> None:
    own = world()
    async with own.client(accounts=[_account()]) as client:
        with _far(own, EVIL) as far:
            call = client.create_call(f"sip:x@{EVIL}")
            await call.start()
            far.respond(await far.expect("INVITE"), status, headers=[challenge])
            await far.expect("ACK")
            assert await far.silence(5)
            with pytest.raises(CallFailedError) as raised:
                await call.wait_connected()

    assert raised.value.sip_code == status


async def test_a_far_end_behind_our_proxy_gets_no_answer_but_the_proxy_does(
    autojump_clock, world
) -> None:
    proxy = "sip:10.0.0.9"
    async with world().with_far_end(accounts=[_account(proxy=proxy)]) as (client, far):
        call = client.create_call(f"sip:x@{EVIL}")
        await call.start()
        far.respond(await far.expect("INVITE"), 407, headers=[PROXY_CHALLENGE])
        second = await far.expect("INVITE")
        far.respond(second, 401, headers=[CHALLENGE])
        end = await call.wait_ended()

    assert second.header("Proxy-Authorization")
    assert end.reason is EndReason.FAILED
    assert end.sip_code == 401


async def test_a_host_can_be_named_whose_challenges_are_answered(autojump_clock, world) -> None:
    own = world()
    for hosts in ((EVIL,), ("*",)):
        async with own.client(accounts=[_account(digest_hosts=hosts)]) as client:
            with _far(own, EVIL) as far:
                call = client.create_call(f"sip:x@{EVIL}")
                await call.start()
                far.respond(await far.expect("INVITE"), 401, headers=[CHALLENGE])
                second = await far.expect("INVITE")
                far.respond(second, 486)
                await call.wait_ended()

        assert second.header("Authorization")


async def test_a_callback_is_asked_once_a_realm_and_again_when_refused(
    autojump_clock, world
) -> None:
    async def ask(realm: str) -> Credentials:
        await trio.sleep(1)
        asked.append(realm)
        return Credentials(password="wrong" if len(asked) == 1 else "pw-a")

    asked: list[str] = []
    own = world()
    async with (
        open_switchboard(
            listen=["sip:10.0.0.100:5060;transport=udp"],
            users={"alice": "pw-a"},
            sockets=own.link.host("10.0.0.100"),
            seed=bytes(32),
        ) as board,
        own.client() as client,
    ):
        config = AccountConfig(
            board.account("alice").uri, credentials=ask, registrar=board.account("alice").registrar
        )
        account = client.add_account(config)
        with pytest.raises(RegistrationError):
            await account.register()
        assert asked == ["10.0.0.100"]

        await account.register()
        assert account.registration.value is RegistrationState.REGISTERED
        await account.unregister()
        await account.register()
        assert asked == ["10.0.0.100"] * 2


async def test_a_hash_from_a_callback_stands_for_the_password(autojump_clock, world) -> None:
    async def ask(realm: str) -> Credentials | None:
        return Credentials(ha1={"MD5": hashed}) if realm == REALM else None

    hashed = hash_user(DigestAlgorithm.MD5, "alice", REALM, "pw")
    config = _account(password=None, credentials=ask, realms=(REALM, "other"))
    async with world().with_far_end(accounts=[config]) as (client, far):
        (account,) = client.accounts.values()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(account.register)
            far.respond(await far.expect("REGISTER"), 401, headers=[CHALLENGE])
            second = await far.expect("REGISTER")
            far.respond(second, 200)

    assert 'username="alice"' in second.header("Authorization")
    assert hashed not in repr(Credentials(ha1={"MD5": hashed}))


@pytest.mark.parametrize("answer", ["pw", 1])
async def test_what_a_callback_gets_wrong_is_an_authentication_error(
    autojump_clock, world, answer
) -> None:
    async def ask(realm: str) -> object:
        if answer == 1:
            raise KeyError(realm)
        return answer

    own = world()
    async with own.client(accounts=[_account(password=None, credentials=ask)]) as client:
        (account,) = client.accounts.values()
        with pytest.raises(AuthenticationError):
            await account.register()


def test_a_secret_is_given_in_one_way_only() -> None:
    async def ask(realm: str) -> None:
        return None

    with pytest.raises(InvalidArgumentsError, match="not both"):
        _account(credentials=ask)
    with pytest.raises(InvalidArgumentsError, match="async function"):
        _account(password=None, credentials="pw")
    with pytest.raises(InvalidArgumentsError, match="one of them"):
        Credentials(user="alice")
    with pytest.raises(InvalidArgumentsError, match="SHA-256"):
        _account(password=None, ha1={"sha1": "0"})
    assert "pw" not in repr(_account())


def _far(own, host):
    return FarEnd(own.link.host(host), (host, 5060), ("10.0.0.1", 5060))
