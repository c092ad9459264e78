"""A transfer beside the dialog, with clients and a switchboard that grants GRUUs (RFC 7647)."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox.call.events import EndReason, TransferRequested
from trivox.call.states import CallState

BOARD = "10.0.0.7"
DOMAIN = f"sip:{BOARD}:5060;transport=udp"


def account(name: str) -> trivox.AccountConfig:
    return trivox.AccountConfig(
        f"sip:{name}@{BOARD}", password="pw", registrar=DOMAIN, proxy=DOMAIN, gruu=True
    )


async def serve(call: trivox.Call) -> None:
    call.on(TransferRequested, lambda event: event.accept())
    await call.answer()
    await call.wait_ended()


@pytest.mark.parametrize("is_callee", [True, False])
@pytest.mark.parametrize("is_explicit", [True, False])
async def test_devices_are_transferred_beside_their_call(
    autojump_clock, world, is_callee: bool, is_explicit: bool
) -> None:
    """RFC 7647 §3, §4: the GRUU is the Contact of who calls and of who is called.

    Asked for explicitly, the state is at that GRUU, whatever becomes of its parameters on the way
    (RFC 7614 §4.3).
    """
    stage = world()
    async with (
        trivox.open_switchboard(
            listen=[DOMAIN],
            users=dict.fromkeys(("alice", "bob", "carol"), "pw"),
            sockets=stage.link.host(BOARD),
            seed=b"board" * 8,
        ),
        stage.client("10.0.0.1", accounts=[account("alice")]) as alice,
        stage.client("10.0.0.2", accounts=[account("bob")], keep_trace=True) as bob,
        stage.client("10.0.0.3", accounts=[account("carol")]) as carol,
        trio.open_nursery() as nursery,
    ):
        for client in (alice, bob, carol):
            await next(iter(client.accounts.values())).register()
            await nursery.start(client.serve, serve)
        if is_callee:
            call = bob.create_call("alice")
            await call.start()
        else:
            theirs = alice.create_call("bob")
            theirs.on(TransferRequested, lambda event: event.accept())
            await theirs.start()
            await theirs.wait_connected()
            (call,) = bob.calls.values()
        await call.wait_connected()
        target = call._session.dialog.remote_target

        headers = {"Require": "explicitsub"} if is_explicit else None
        result = await call.transfer("carol", headers=headers)
        await trio.sleep(1)

        assert ";gr" in target
        assert (result.code, result.is_confirmed) == (200, True)
        assert call.end.reason is EndReason.TRANSFERRED
        assert [one.state.value for one in carol.calls.values()] == [CallState.CONNECTED]
        assert [one.state.value for one in alice.calls.values()] == [CallState.CONNECTED]
        methods = [record.data.partition(b" ")[0] for record in call.trace]
        assert b"INVITE" in methods
        assert (b"REFER" in methods) is is_explicit
        nursery.cancel_scope.cancel()
