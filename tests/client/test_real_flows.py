"""Accounts on real sockets: two flows, one of which breaks, and a withheld caller."""

from __future__ import annotations

import pytest
import trio

import trivox

pytestmark = pytest.mark.native

USERS = {"alice": "pw-a", "bob": "pw-b"}
LISTEN = ["sip:127.0.0.1:0;transport=tcp", "sip:127.0.0.1:0;transport=tcp"]
S = trivox.RegistrationState


def _client(board, name, **more):
    first, second = board.listening_on
    account = trivox.AccountConfig(
        f"sip:{name}@127.0.0.1",
        registrar=first,
        proxy=first,
        flow_proxies=(second,),
        **({"password": USERS[name]} | more),
    )
    return trivox.open_client(listen=["sip:127.0.0.1:0;transport=tcp"], accounts=[account])


async def test_a_call_comes_by_the_flow_that_is_left_and_hides_its_caller() -> None:
    async def handler(call: trivox.Call) -> None:
        seen.append((call.remote_display_name.value, call.remote_sip_uri.value))
        await call.answer()
        await call.wait_ended()

    async def ask(realm: str) -> trivox.Credentials:
        return trivox.Credentials(password=USERS["alice"])

    seen: list[object] = []
    async with trivox.open_switchboard(listen=LISTEN, users=USERS) as board:
        async with (
            _client(board, "alice", password=None, credentials=ask) as alice,
            _client(board, "bob") as bob,
            trio.open_nursery() as nursery,
        ):
            (account,) = bob.accounts.values()
            await nursery.start(bob.serve, handler)
            with trio.fail_after(10):
                while account.flows != (S.REGISTERED, S.REGISTERED):
                    await trio.lowlevel.checkpoint()
            assert len(board.registered("bob")) == 2
            bob._wiring.endpoint.close_flow(account._flows[1].in_use.flow)
            with trio.fail_after(10):
                while len(board.registered("bob")) != 1:
                    await trio.lowlevel.checkpoint()

            settings = trivox.CallSettings(privacy=("id",), media="rtp")
            (caller,) = alice.accounts.values()
            with trio.fail_after(10):
                await caller.register()
                async with caller.dial(account.uri, settings) as call:
                    assert call.state.value is trivox.CallState.CONNECTED
            nursery.cancel_scope.cancel()

    assert seen == [("Anonymous", "sip:anonymous@anonymous.invalid")]
