"""A 2xx that comes after its INVITE was given up: acknowledged, and ended by BYE at once."""

from __future__ import annotations

import pytest
import trio
from tests.client.test_failover import ALIVE, URI, answering, servers

from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.errors import CallFailedError
from trivox.testing.far_end import SDP


async def ends(far, invite) -> list[str]:
    """Answer an INVITE late, by three copies of one 2xx; returns what comes of it."""
    for _ in range(3):
        far.respond(invite, 200, body=SDP)
        await trio.sleep(0.1)
    heard = []
    with trio.move_on_after(5):
        while True:
            message = await far.receive()
            if message.is_request and message.method in ("ACK", "BYE"):
                heard.append(message.method)
            if message.is_request and message.method == "BYE":
                far.respond(message, 200)
    return heard


@pytest.mark.parametrize("after", [33.0, 45.0, 63.0])
async def test_a_2xx_after_timer_b_is_acknowledged_and_hung_up(autojump_clock, world, after):
    async with world().with_far_end() as (caller, far):
        with pytest.raises(CallFailedError) as caught:
            async with caller.dial(far.uri):
                pass
        assert caught.value.sip_code == 408
        invite = await far.expect("INVITE")
        await trio.sleep_until(trio.current_time() + after - 32.0)

        heard = await ends(far, invite)

        assert sorted(heard) == ["ACK", "ACK", "ACK", "BYE"]
        await trio.sleep(70)
        figures = dict(caller._wiring.endpoint.core.statistics())
        assert (figures["transactions"], figures["dialogs"]) == (0, 0)
        assert caller.statistics().tokens == 0


@pytest.mark.parametrize("refusal", [408, 487, 486])
async def test_a_2xx_after_a_refusal_is_acknowledged_and_hung_up(autojump_clock, world, refusal):
    """RFC 3261 §13.2.2.4: a proxy's refusal is not of everybody, and a 2xx may follow it (§16.7)."""
    async with world().with_far_end() as (caller, far):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_with, caller, far.uri, refusal)
            invite = await far.expect("INVITE")
            far.respond(invite, 180, to_tag="slow")
            far.respond(invite, refusal, to_tag="proxy")
        await trio.sleep(20)

        # The first ACK is the refusal's.
        assert sorted(await ends(far, invite)) == ["ACK", "ACK", "ACK", "ACK", "BYE"]
        await trio.sleep(70)
        figures = dict(caller._wiring.endpoint.core.statistics())
        assert (figures["transactions"], figures["dialogs"]) == (0, 0)
        assert caller.statistics().tokens == 0


async def fail_with(caller, uri, status):
    with pytest.raises(CallFailedError) as caught:
        async with caller.dial(uri):
            pass
    assert caught.value.sip_code == status


async def test_each_branch_that_answers_late_is_hung_up_and_forgotten(autojump_clock, world):
    async with world().with_far_end() as (caller, far):
        with pytest.raises(CallFailedError):
            async with caller.dial(far.uri):
                pass
        invite = await far.expect("INVITE")
        for tag in ("one", "two"):
            await trio.sleep(25)
            far.respond(invite, 200, to_tag=tag, body=SDP)

            assert (await far.expect("ACK")).key()[4] == tag
            bye = await far.expect("BYE")
            assert bye.key()[4] == tag
            far.respond(bye, 200)

        await trio.sleep(70)
        figures = dict(caller._wiring.endpoint.core.statistics())
        assert (figures["transactions"], figures["dialogs"]) == (0, 0)
        assert caller.statistics().tokens == 0


async def test_a_2xx_after_a_cancel_that_nobody_answered(autojump_clock, world):
    async with world().with_far_end() as (caller, far):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ring_in_vain, caller, far.uri)
            invite = await far.expect("INVITE")
            far.respond(invite, 180)
            await far.expect("CANCEL")
        await trio.sleep(20)

        assert sorted(await ends(far, invite)) == ["ACK", "ACK", "ACK", "BYE"]


async def ring_in_vain(caller, uri):
    with pytest.raises(CallFailedError):
        async with caller.dial(uri, CallSettings(ring_timeout=2.0)):
            pass


async def test_a_server_that_answers_after_the_next_was_asked(autojump_clock, world):
    own = world()
    dns = servers("udp", "10.0.0.9", ALIVE)
    async with own.with_far_end(dns=dns) as (caller, far), own.client(ALIVE) as callee:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, answering)
            async with caller.dial(URI) as call:
                invite = await far.expect("INVITE")

                assert sorted(await ends(far, invite)) == ["ACK", "ACK", "ACK", "BYE"]

                assert call.state.value is CallState.CONNECTED
                assert (await call.send_info("text/plain", "?").wait()).status == 200
            await trio.sleep(100)
            exchange = caller._wiring.exchange
            assert (caller.statistics().tokens, len(exchange.failover)) == (0, 0)
            assert not exchange.failover._late
            assert not exchange.failover._renamed
            nursery.cancel_scope.cancel()


async def test_a_server_that_answers_while_the_next_one_rings(autojump_clock, world):
    own = world()

    async def slowly(call):
        await trio.sleep(10)
        await answering(call)

    async with own.with_far_end(dns=servers("udp", "10.0.0.9", ALIVE)) as (caller, far):
        async with own.client(ALIVE) as callee, trio.open_nursery() as nursery:
            await nursery.start(callee.serve, slowly)
            call = caller.create_call(URI)
            await call.start()
            invite = await far.expect("INVITE")
            await trio.sleep(6)

            assert sorted(await ends(far, invite)) == ["ACK", "ACK", "ACK", "BYE"]

            await call.wait_connected()
            assert (await call.send_info("text/plain", "?").wait()).status == 200
            call.hangup()
            nursery.cancel_scope.cancel()
