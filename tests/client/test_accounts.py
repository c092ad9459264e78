"""Accounts at the embedded switchboard: registering, calling through it, leaving it."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EndReason
from trivox.call.states import CallState
from trivox.client.config import AccountConfig
from trivox.errors import NotFoundError, RegistrationError
from trivox.sip.registration import RegistrationState
from trivox.switchboard import open_switchboard

BOARD = "10.0.0.100"
USERS = {"alice": "pw-a", "bob": "pw-b"}


def _board(own, **settings):
    return open_switchboard(
        listen=[f"sip:{BOARD}:5060;transport={own.transport}"],
        users=USERS,
        sockets=own.link.host(BOARD),
        seed=bytes(32),
        **settings,
    )


async def _talk(call) -> None:
    await call.answer()
    await call.collect_dtmf(max_digits=1, first_timeout=60)


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_two_registered_accounts_call_each_other(autojump_clock, world, transport) -> None:
    own = world(transport=transport)
    async with (
        _board(own) as board,
        own.client("10.0.0.1", accounts=[board.account("alice")]) as caller,
        own.client("10.0.0.2", accounts=[board.account("bob")]) as callee,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, _talk)
        (bob,) = callee.accounts.values()
        await bob.registration.wait_value(RegistrationState.REGISTERED)
        (alice,) = caller.accounts.values()
        async with alice.registered(), alice.dial(bob.uri) as call:
            await call.send_dtmf("1").wait()
            end = await call.wait_ended()
        nursery.cancel_scope.cancel()

    assert end.reason is EndReason.REMOTE_ENDED
    assert alice.registration.value is RegistrationState.UNREGISTERED
    assert bob.registration.value is RegistrationState.UNREGISTERED


async def test_a_wrong_password_is_a_registration_error(autojump_clock, world) -> None:
    own = world()
    async with _board(own) as board, own.client() as client:
        grant = board.account("alice")
        account = client.add_account(
            AccountConfig(grant.uri, password="wrong", registrar=grant.registrar, realms=(BOARD,))
        )
        with pytest.raises(RegistrationError) as raised:
            await account.register()

        assert raised.value.sip_code in (401, 403)
        assert account.registration.value is RegistrationState.FAILED


async def test_a_registration_is_refreshed_before_it_ends(autojump_clock, world) -> None:
    own = world()
    async with _board(own) as board, own.client(accounts=[board.account("alice")]) as client:
        (account,) = client.accounts.values()
        info = await account.register(expires=100)
        first = account.expires_at.value
        await trio.sleep(info.expires - 1)

        assert account.registration.value is RegistrationState.REGISTERED
        assert account.expires_at.value > first


async def test_an_unknown_user_is_not_found(autojump_clock, world) -> None:
    own = world()
    async with _board(own) as board, own.client(accounts=[board.account("alice")]) as client:
        with pytest.raises(NotFoundError):
            async with client.dial(f"sip:nobody@{BOARD}"):
                pytest.fail("there is nobody")


async def test_a_number_is_called_in_the_domain_of_the_account(autojump_clock, world) -> None:
    async with world().client(accounts=[AccountConfig("sip:a@example.org:5080")]) as client:
        assert client.create_call("+1555").destination == "sip:+1555@example.org:5080"


async def test_a_closed_connection_is_opened_anew_for_the_next_request(
    autojump_clock, world
) -> None:
    async def handler(call) -> None:
        await call.answer()
        ends.append((await call.wait_ended()).reason)

    ends = []
    own = world(transport="tcp")
    async with own.with_server(handler) as (client, uri):
        async with client.dial(uri) as call:
            client._wiring.endpoint.close_flow(call._route.flow)
            await trio.sleep(1)

            assert call.state.value is CallState.CONNECTED

    assert ends == [EndReason.REMOTE_ENDED]
    assert call.end.reason is EndReason.LOCAL_ENDED


async def test_who_registers_while_unregistering_waits_for_its_turn(autojump_clock, world) -> None:
    """RFC 3261 §10.2: no new registration until the one before has its final response."""
    own = world()
    async with _board(own) as board, own.client(accounts=[board.account("alice")]) as client:
        (alice,) = client.accounts.values()
        await alice.register()
        with trio.move_on_after(0.001):  # it goes on by itself
            await alice.unregister()
        assert alice.registration.value is RegistrationState.UNREGISTERING

        await alice.register()

        assert alice.registration.value is RegistrationState.REGISTERED
        assert len(board.registered("alice")) == 1


def _registers(trace: list[bytes]) -> list[bytes]:
    """Return the Call-IDs of the REGISTERs that were sent."""
    lines = [one.split(b"\r\n") for one in trace if one.startswith(b"REGISTER ")]
    return [next(line for line in one if line.startswith(b"Call-ID")) for one in lines]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_account_that_is_replaced_leaves_its_binding_to_the_next(
    autojump_clock, world, transport
) -> None:
    """Two that refresh and remove one binding would take it from each other (RFC 3261 §10.2)."""
    own = world(transport=transport)
    trace: list[bytes] = []
    async with (
        _board(own) as board,
        own.client(trace=lambda *told: trace.append(told[-1])) as client,
    ):
        first = client.add_account(board.account("alice"))
        async with first.registered():
            second = client.add_account(board.account("alice"))
            before = len(trace)
            await second.register(expires=100)
            await trio.sleep(3600)

            assert first.registration.value is RegistrationState.FAILED
            with pytest.raises(RegistrationError, match="replaced"):
                await first.register()
        await first.unregister()
        await trio.sleep(100)

        assert len(set(_registers(trace[before:]))) == 1
        assert len(board.registered("alice")) == 1
        assert second.registration.value is RegistrationState.REGISTERED


@pytest.mark.parametrize("after", [0, 1, 40, 100])
async def test_accounts_that_are_replaced_while_they_try_leave_nothing(
    autojump_clock, world, after
) -> None:
    own = world()
    async with own.client() as client, trio.open_nursery() as nursery:

        async def register(account) -> None:
            with pytest.raises(RegistrationError):
                await account.register()

        config = AccountConfig("sip:alice@10.0.0.77", registrar="sip:10.0.0.77")
        for _ in range(20):
            nursery.start_soon(register, client.add_account(config))
            await trio.sleep(after)
        client.add_account(config)
        await trio.sleep(400)

        figures = client.statistics()
        assert (figures.tokens, figures.timers) == (0, 0)
        assert not any(figures.sip.core[what] for what in ("transactions", "timers"))
