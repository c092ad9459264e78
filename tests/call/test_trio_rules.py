"""What a user of Trio may rely on: checkpoints, and errors before any effect."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints

from trivox.actor.isolation import ListenerErrorPolicy
from trivox.call.events import Connected, Disconnected, DtmfReceived
from trivox.call.settings import DtmfMethod
from trivox.media.sources import SilenceSource
from trivox.testing.far_end import SDP

from .conftest import answered

FAR_URI = "sip:far@10.0.0.9:5060"
OWN_URI = "sip:bot@10.0.0.1:5060"


async def stay(call) -> None:
    await call.answer()
    await call.wait_ended()


async def test_every_asynchronous_method_is_a_checkpoint_also_when_it_need_not_wait(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        with assert_checkpoints():
            await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await call.wait_connected()
        with assert_checkpoints():
            await call.wait_connected()
        with assert_checkpoints():
            await call.play(SilenceSource(0.1))
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
        with assert_checkpoints():
            await call.wait_ended()
        with assert_checkpoints():
            await call.aclose()
        with assert_checkpoints():
            await client.drain()


async def test_answer_and_progress_are_checkpoints(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.invite(OWN_URI)
        call = await calls.__anext__()
        with assert_checkpoints():
            await call.progress()
        with assert_checkpoints():
            await call.answer()
        calls.close()
        far.hang_up(await far.expect(200))
        await call.wait_ended()


async def test_a_listener_may_wait_for_a_later_event_of_its_own_call(autojump_clock, world) -> None:
    async with world().with_server(stay) as (client, uri):
        call = client.create_call(uri)
        seen = []

        async def listener(event) -> None:
            event.call.hangup()
            seen.append(await event.call.wait_event(Disconnected))

        call.on(Connected, listener)
        await call.start()
        await call.wait_ended()
        await trio.testing.wait_all_tasks_blocked()

        assert [type(event) for event in seen] == [Disconnected]


async def test_synchronous_listeners_run_in_order_and_see_events_in_order(
    autojump_clock, world
) -> None:
    async with world().with_server(stay) as (client, uri):
        call = client.create_call(uri)
        seen = []

        def first(event) -> None:
            seen.append(("first", type(event).__name__))
            if isinstance(event, Connected):
                event.call.hangup()

        for kind in (Connected, Disconnected):
            call.on(kind, first)
            call.on(kind, lambda event: seen.append(("second", type(event).__name__)))
        await call.start()
        await call.wait_ended()

        assert seen == [
            ("first", "Connected"),
            ("second", "Connected"),
            ("first", "Disconnected"),
            ("second", "Disconnected"),
        ]


async def test_a_listener_error_under_raise_comes_out_of_the_client(autojump_clock, world) -> None:
    own = world()

    def listener(event) -> None:
        raise ZeroDivisionError

    async with own.client("10.0.0.2") as server, trio.open_nursery() as nursery:
        await nursery.start(server.serve, stay)
        with pytest.raises(ZeroDivisionError):
            async with own.client(listener_errors=ListenerErrorPolicy.RAISE) as client:
                call = client.create_call("sip:x@10.0.0.2:5060")
                call.on(Connected, listener)
                await call.start()
                await trio.sleep_forever()
        nursery.cancel_scope.cancel()


async def test_an_abandoned_subscription_does_not_hold_events(autojump_clock, world) -> None:
    async def press(call) -> None:
        await call.answer()
        await call.wait_connected()
        await call.send_dtmf("123", method=DtmfMethod.INFO).wait()

    async with world().with_server(press) as (client, uri):
        async with client.dial(uri) as call:
            async for event in call.events(DtmfReceived):
                assert event.tone == "1"
                break
            later = [event.tone async for event in call.events(DtmfReceived)]

    assert later == ["2", "3"]


async def test_an_offerless_reinvite_gets_our_offer_and_its_answer_counts(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN_URI)
        far.request("INVITE", ok.dialog()[5], to_tag=ok.key()[4], cseq=2)
        offer = await far.expect(200)
        assert b"m=audio" in offer.body
        far.acknowledge(offer, body=SDP.replace("sendrecv", "inactive"))
        await trio.sleep(0.1)

        assert call.is_remotely_held.value is True
        far.hang_up(ok, cseq=3)
        await call.wait_ended()
