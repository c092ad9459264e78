"""A 2xx to a re-INVITE of ours that comes when the call is gone: acknowledged, so that it ends."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EndReason
from trivox.errors import TrivoxError
from trivox.testing.far_end import SDP

from .conftest import answered

OWN_URI = "sip:us@10.0.0.1"


async def hold(call) -> None:
    with pytest.raises(TrivoxError):
        await call.hold()


async def acknowledged(far, request, *, copies: int = 3) -> int:
    """Answer a request by copies of one 2xx; returns how often it is acknowledged."""
    found = 0
    for _ in range(copies):
        far.respond(request, 200, body=SDP)
        with trio.move_on_after(1):
            ack = await far.expect("ACK")
            assert ack.key()[7] == request.key()[7]
            found += 1
    return found


def is_clean(client) -> bool:
    """Tell whether the client has nothing left of any call."""
    core = dict(client._wiring.endpoint.core.statistics())
    return (core["transactions"], core["dialogs"], client.statistics().tokens) == (0, 0, 0)


@pytest.mark.parametrize("after", [1.0, 20.0, 30.0])
async def test_a_2xx_after_a_change_was_given_up_is_acknowledged(autojump_clock, world, after):
    """RFC 3261 §13.2.2.4, §14.1: silence ended the call; who was not heard repeats for 64·T1."""
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        call, _ = await answered(client, far, OWN_URI)
        nursery.start_soon(hold, call)
        change = await far.expect("INVITE")
        far.respond(await far.expect("BYE"), 200)
        assert (await call.wait_ended()).reason is EndReason.CONNECTION_LOST
        await trio.sleep(after)

        assert await acknowledged(far, change) == 3

        assert await far.silence(10), "the call was ended before: nothing is ended twice"
        await trio.sleep(70)
        assert is_clean(client)


@pytest.mark.parametrize("after", [1.0, 31.0, 60.0])
async def test_a_2xx_to_a_change_that_their_bye_overtook_is_acknowledged(
    autojump_clock, world, after
):
    """The re-INVITE is repeated for 64·T1 after the end, and its answer for as long again."""
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        call, ok = await answered(client, far, OWN_URI)
        nursery.start_soon(hold, call)
        change = await far.expect("INVITE")
        far.hang_up(ok)
        await call.wait_ended()
        await trio.sleep(after)

        assert await acknowledged(far, change) == 3

        await trio.sleep(100)
        assert is_clean(client)


async def test_what_is_left_of_a_call_goes_by_the_clients_own_t1(autojump_clock, world):
    """64·T1 with the T1 of the client (RFC 3261 table 4)."""
    async with world().with_far_end(t1=0.1, t2=0.4, t4=0.5) as (client, far):
        async with trio.open_nursery() as nursery:
            call, _ = await answered(client, far, OWN_URI)
            nursery.start_soon(hold, call)
            change = await far.expect("INVITE")
            far.respond(await far.expect("BYE"), 200)
            await call.wait_ended()
            assert await acknowledged(far, change, copies=1) == 1
            assert client.statistics().tokens == 1

            await trio.sleep(6.6)

            assert is_clean(client)


async def test_a_call_that_changed_nothing_leaves_nothing(autojump_clock, world):
    async with world().with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN_URI)
        far.hang_up(ok)
        await call.wait_ended()
        await far.expect(200)

        assert client.statistics().tokens == 0
