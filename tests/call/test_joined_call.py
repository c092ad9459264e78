"""A call that asks to be mixed with another (Join, RFC 3911)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

import trivox
from trivox.call.states import CallState
from trivox.errors import CallFailedError

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def uri(host: str) -> str:
    return f"sip:bot@{host}:5060;transport=udp"


async def answer(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()


@asynccontextmanager
async def talking(world):
    """A talks to B, takes calls itself, and C may call it."""
    stage = world()
    async with stage.client(A) as one, stage.client(B) as two, stage.client(C) as three:
        async with trio.open_nursery() as nursery:
            await nursery.start(two.serve, answer)
            calls = one.incoming_calls()
            async with one.dial(uri(B)) as call:
                yield one, call, calls, three
            calls.close()
            nursery.cancel_scope.cancel()


def join(client, call, **changed):
    """Return C's call to A that names A's call with B."""
    dialog = call._session.dialog
    tags = {"ours": dialog.local_tag, "theirs": dialog.remote_tag} | changed
    value = f"{call.sip_call_id};to-tag={tags['ours']};from-tag={tags['theirs']}"
    headers = {"Join": value, "Require": "join"}
    return client.create_call(uri(A), trivox.CallSettings(extra_headers=headers))


async def test_an_answered_join_is_mixed_with_the_call_it_names(autojump_clock, world) -> None:
    """RFC 3911 §4: the callee mixes; whoever leaves leaves the other two as they were."""
    async with talking(world) as (_, call, calls, three):
        joining = join(three, call)
        await joining.start()
        new = await anext(calls)
        assert new.joins is call
        assert call._leg.joint is None
        await new.answer()
        await joining.wait_connected()
        await new.wait_connected()

        room = call._leg.joint
        assert {member.call for member in room.members.value} == {call, new}
        assert new.joins is None
        joining.hangup()
        await new.wait_ended()
        assert call._leg.joint is None
        assert not room.is_active
        assert call.state.value is CallState.CONNECTED


async def test_a_call_that_is_in_a_conference_brings_it_along(autojump_clock, world) -> None:
    async with talking(world) as (one, call, calls, three):
        async with one.create_conference() as room:
            room.add(call)
            joining = join(three, call)
            await joining.start()
            new = await anext(calls)
            await new.answer()
            await new.wait_connected()

            assert room.get(new) is not None
            call.hangup()
            await call.wait_ended()
            assert room.is_active
            assert room.get(new) is not None
        joining.hangup()
        await new.wait_ended()


async def test_a_join_that_is_refused_changes_nothing(autojump_clock, world) -> None:
    async with talking(world) as (_, call, calls, three):
        joining = join(three, call)
        await joining.start()
        (await anext(calls)).reject(486)
        await joining.wait_ended()

        assert call._leg.joint is None
        assert call.state.value is CallState.CONNECTED


async def test_a_call_that_ends_first_has_nobody_to_be_mixed_with(autojump_clock, world) -> None:
    async with talking(world) as (_, call, calls, three):
        joining = join(three, call)
        await joining.start()
        new = await anext(calls)
        call.hangup()
        await call.wait_ended()
        await new.answer()
        await new.wait_connected()

        assert new._leg.joint is None
        joining.hangup()
        await new.wait_ended()


async def test_a_bridged_call_cannot_be_joined(autojump_clock, world) -> None:
    """A bridge is for two: 488, or the end of the new call where it came in between."""
    async with talking(world) as (one, call, calls, three):
        joining = join(three, call)
        await joining.start()
        new = await anext(calls)
        async with one.bridge(call, call):
            refused = join(three, call)
            await refused.start()
            with pytest.raises(CallFailedError) as caught:
                await refused.wait_connected()
            await new.answer()
            await new.wait_ended()

        assert caught.value.sip_code == 488
        assert call.state.value is CallState.CONNECTED


async def test_a_call_that_is_not_there_cannot_be_joined(autojump_clock, world) -> None:
    async with talking(world) as (_, call, _, three):
        joining = join(three, call, ours="other")
        await joining.start()
        with pytest.raises(CallFailedError) as caught:
            await joining.wait_connected()

        assert caught.value.sip_code == 481
