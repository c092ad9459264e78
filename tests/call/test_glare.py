"""Both ends change the session at once (RFC 3261 §14.1, RFC 3311 §5.2)."""

from __future__ import annotations

import pytest
import trio

from trivox.call.settings import CallSettings
from trivox.call.states import CallState

LASTING = CallSettings(media_timeout=None)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_both_ends_hold_at_once_and_both_are_held(autojump_clock, world, transport) -> None:
    """RFC 3261 §14.1."""
    answered = []

    async def answer(call) -> None:
        await call.answer()
        await call.wait_connected()
        answered.append(call)
        await call.wait_ended()

    here = world(transport=transport)
    async with here.with_server(answer, call_settings=LASTING) as (caller, uri):
        async with caller.dial(uri, LASTING) as ours:
            await ours.wait_connected()
            await trio.sleep(1)
            [theirs] = answered
            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ours.hold)
                nursery.start_soon(theirs.hold)

            # Whoever chose the Call-ID waits longer: theirs goes first, then ours.
            assert 2.1 <= trio.current_time() - began <= 4.5
            for call in (ours, theirs):
                assert call.is_on_hold.value
                assert call.is_remotely_held.value
                assert call.state.value is CallState.CONNECTED
            await ours.hold(enable=False)
            assert not theirs.is_remotely_held.value


async def test_refresh_and_hold_at_once_both_come_through(autojump_clock, world) -> None:
    """A session timer's UPDATE meets a re-INVITE: neither is lost, the session lives on."""
    answered = []

    async def answer(call) -> None:
        await call.answer()
        await call.wait_connected()
        answered.append(call)
        await call.wait_ended()

    settings = CallSettings(media_timeout=None, session_expires=90)
    async with world().with_server(answer, call_settings=settings) as (caller, uri):
        async with caller.dial(uri, settings) as ours:
            await ours.wait_connected()
            for _ in range(20):
                await trio.sleep(44.995)
                await answered[0].hold(not answered[0].is_on_hold.value)

            assert ours.state.value is CallState.CONNECTED
            assert ours.is_remotely_held.value is answered[0].is_on_hold.value
