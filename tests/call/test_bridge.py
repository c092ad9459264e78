"""Bridges of two calls: who may be in one, and how it ends."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import assert_checkpoints

import trivox


async def until_ended(call) -> None:
    await call.answer()
    await call.wait_ended()


@asynccontextmanager
async def two_calls(world):
    made = world()
    async with made.with_server(until_ended) as (client, uri):
        async with client.dial(uri) as one, client.dial(uri) as other:
            yield client, one, other
    assert made.engine.counts()["bridges"] == 0


async def test_calls_are_joined_inside_and_parted_outside(autojump_clock, world) -> None:
    async with two_calls(world) as (client, one, other):
        async with client.bridge(one, other) as bridge:
            assert bridge.is_active
            assert client.statistics().engine["bridges"] == 1
            assert bridge.statistics() == trivox.BridgeStatistics()

        assert not bridge.is_active
        assert client.statistics().engine["bridges"] == 0
        assert one.state.value is other.state.value is trivox.CallState.CONNECTED
        async with client.bridge(other, one):
            pass


async def test_a_call_is_in_one_bridge_at_a_time(autojump_clock, world) -> None:
    async with two_calls(world) as (client, one, other):
        async with client.bridge(one, one):
            with pytest.raises(trivox.CallJoinedError) as caught:
                async with client.bridge(other, one):
                    pass

        assert caught.value.call_id == one.id
        async with client.bridge(other, one):
            pass


async def test_the_end_of_a_call_ends_its_bridge_and_leaves_the_other_call(
    autojump_clock, world
) -> None:
    async with two_calls(world) as (client, one, other):
        async with client.bridge(one, other) as bridge:
            one.hangup()
            with trio.fail_after(1):
                await bridge.wait_ended()

            assert not bridge.is_active
            async with client.bridge(other, other):
                pass
        assert other.state.value is trivox.CallState.CONNECTED


async def test_a_bridge_waits_for_the_media_of_both(autojump_clock, world) -> None:
    async with two_calls(world) as (client, one, _):
        other = client.create_call(one.destination)
        with pytest.raises(trivox.CallWrongStateError):
            async with client.bridge(one, other):
                pass

        async with other:
            await other.start()
            async with client.bridge(one, other):
                assert other.state.value is trivox.CallState.CONNECTED


async def test_a_call_that_ends_while_the_other_is_awaited_is_refused(
    autojump_clock, world
) -> None:
    async def ring(call) -> None:
        await call.progress(180)
        await trio.sleep(1)
        await call.answer()
        await call.wait_ended()

    async with world().with_server(ring) as (client, uri):
        async with client.dial(uri) as one, client.create_call(uri) as other:
            await other.start()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 0.1)
                one.hangup()
                with pytest.raises(trivox.CallEndedError):
                    async with client.bridge(one, other):
                        pass


async def test_calls_of_another_client_cannot_be_joined(autojump_clock, world) -> None:
    async with two_calls(world) as (client, one, _):
        async with two_calls(world) as (_, stranger, _):
            with pytest.raises(trivox.InvalidArgumentsError):
                client.bridge(one, stranger)
        with pytest.raises(trivox.InvalidArgumentsError):
            client.bridge(one, "other")


async def test_every_way_in_and_out_is_a_checkpoint(autojump_clock, world) -> None:
    async with two_calls(world) as (client, one, other):
        bridge = client.bridge(one, other)
        with assert_checkpoints():
            await bridge.__aenter__()
        other.hangup()
        with assert_checkpoints():
            await bridge.wait_ended()
        with assert_checkpoints():
            await bridge.__aexit__(None, None, None)


async def test_cancelling_the_body_parts_the_calls(autojump_clock, world) -> None:
    async with two_calls(world) as (client, one, other):
        with trio.move_on_after(2):
            async with client.bridge(one, other) as bridge:
                await bridge.wait_ended()

        assert not bridge.is_active
        assert one.state.value is trivox.CallState.CONNECTED


async def test_one_is_entered_once(autojump_clock, world) -> None:
    async with two_calls(world) as (client, one, other):
        bridge = client.bridge(one, other)
        async with bridge:
            pass
        with pytest.raises(AssertionError):
            async with bridge:
                pytest.fail("it is over")
        assert one._leg.joint is None
