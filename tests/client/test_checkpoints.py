"""The coroutines of clients and accounts are checkpoints, and those that take two clients."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints

import trivox
from trivox.switchboard import open_switchboard

BOARD, CALLER, CALLEE = "10.0.0.100", "10.0.0.1", "10.0.0.2"


async def _answer(call: trivox.Call) -> None:
    call.on(trivox.TransferRequested, lambda event: event.accept())
    await call.answer()
    await call.wait_ended()


def _uri(host: str) -> str:
    return f"sip:bob@{host}:5060;transport=udp"


async def test_accounts(autojump_clock, world) -> None:
    own = world()
    board = open_switchboard(
        listen=[f"sip:{BOARD}:5060"], users={"alice": "pw"}, sockets=own.link.host(BOARD)
    )
    async with board as users, own.client(accounts=[users.account("alice")]) as client:
        (account,) = client.accounts.values()
        with assert_checkpoints():
            await account.register()
        with assert_checkpoints():
            await account.unregister()
        with assert_checkpoints():
            await account.unregister()
        registered = account.registered()
        with assert_checkpoints():
            await registered.__aenter__()
        with assert_checkpoints():
            await registered.__aexit__(None, None, None)


async def test_calls_out_and_in(autojump_clock, world) -> None:
    own = world()
    async with own.client(CALLER) as caller, own.client(CALLEE) as callee:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, _answer)
            dialling = caller.dial(_uri(CALLEE))
            with assert_checkpoints():
                call = await dialling.__aenter__()
            with assert_checkpoints():
                await call.__aenter__()
            with assert_checkpoints():
                await call.__aexit__(None, None, None)
            with assert_checkpoints():
                await dialling.__aexit__(None, None, None)
            with assert_checkpoints():
                await caller.request("OPTIONS", _uri(CALLEE))
            nursery.cancel_scope.cancel()
        with assert_checkpoints():
            await callee.drain()
        with assert_checkpoints():
            await callee.serve(_answer)


async def test_calls_that_are_sent_on(autojump_clock, world) -> None:
    own = world()
    async with (
        own.client(CALLER) as caller,
        own.client(CALLEE) as callee,
        own.client("10.0.0.3") as other,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, _answer)
        calls = other.incoming_calls()
        async with caller.dial(_uri(CALLEE)) as call:
            nursery.start_soon(_redirect_one, calls)
            with pytest.raises(trivox.CallTransferFailedError) as caught, assert_checkpoints():
                await call.transfer(_uri("10.0.0.3"))
        nursery.cancel_scope.cancel()
    assert caught.value.sip_code == 302


async def _redirect_one(calls: trivox.IncomingCalls) -> None:
    with assert_checkpoints():
        call = await anext(calls)
    with assert_checkpoints():
        await call.redirect([_uri("10.0.0.4")])
    calls.close()
