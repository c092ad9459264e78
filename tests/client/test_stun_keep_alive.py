"""Outbound over UDP is kept alive by STUN, and a dead flow is noticed (RFC 5626 §4.4.2)."""

from __future__ import annotations

import trio

from trivox import AccountConfig, RegistrationState
from trivox.switchboard import open_switchboard

BOARD = "10.0.0.100"


def _is_ping(data: bytes) -> bool:
    return data[:4] == b"\x00\x01\x00\x00"


def _account() -> AccountConfig:
    return AccountConfig(
        "sip:alice@10.0.0.100", password="pw", proxy=f"sip:{BOARD}:5060", outbound=True
    )


async def test_a_flow_that_is_answered_stays_and_one_that_is_not_is_registered_anew(
    autojump_clock, world
) -> None:
    """RFC 5626 §4.4.2."""
    own = world()
    board = open_switchboard(
        listen=[f"sip:{BOARD}:5060;transport=udp"],
        users={"alice": "pw"},
        sockets=own.link.host(BOARD),
        seed=bytes(32),
    )
    async with board, own.client(accounts=[_account()]) as client:
        (alice,) = client.accounts.values()
        await alice.register()
        await trio.sleep(300)
        assert alice.registration.value is RegistrationState.REGISTERED

        own.link.partition("10.0.0.1", BOARD)
        began = trio.current_time()
        await alice.registration.wait_value(RegistrationState.FAILED)
        assert trio.current_time() - began <= 29 + 10 + 0.1

        own.link.partition("10.0.0.1", BOARD, cut=False)
        await alice.registration.wait_value(RegistrationState.REGISTERED)


async def test_a_registrar_that_knows_no_stun_is_left_in_peace(autojump_clock, world) -> None:
    config = AccountConfig("sip:a@10.0.0.9", registrar="sip:10.0.0.9", outbound=True)
    async with world().with_far_end(accounts=[config]) as (client, far):
        (account,) = client.accounts.values()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(account.register)
            granted = [("Expires", "600"), ("Require", "outbound")]
            far.respond(await far.expect("REGISTER"), 200, headers=granted)
        pings = []
        with trio.move_on_after(100):
            while True:
                await far._socket.wait_readable()
                pings += far._socket.receive(9)

        assert 3 <= len(pings) <= 4
        assert all(_is_ping(data) for data, _ in pings)
        assert account.registration.value is RegistrationState.REGISTERED
