"""Which calls an INVITE may take the place of, or join (RFC 3891 §3, RFC 3911)."""

from __future__ import annotations

import pytest
from tests.call.conftest import connected_to_far

from trivox.call.client_events import IncomingCall
from trivox.call.events import EndReason, Replaced
from trivox.call.states import CallState
from trivox.testing.far_end import SDP

OWN = "sip:bot@10.0.0.1:5060;transport=udp"


async def _arrive(far, call, *, tags: tuple[str, str], early: bool = False) -> None:
    ours, theirs = tags
    flag = ";early-only" if early else ""
    value = f"{call.sip_call_id};to-tag={ours};from-tag={theirs}{flag}"
    headers = [("Replaces", value), ("Require", "replaces")]
    far.request("INVITE", OWN, call_id="replacing", headers=headers, body=SDP)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (("Replaces", "nothing;to-tag=a;from-tag=b"), 481),
        (("Join", "nothing;to-tag=a;from-tag=b"), 481),
        (("Replaces", "broken"), 400),
        (("Replaces", "{id};to-tag={ours};from-tag=far-tag;early-only"), 486),
        (("Join", "broken"), 400),
        (("Require", "joint"), 420),
    ],
)
async def test_an_invite_that_names_a_call_wrongly_is_refused(
    autojump_clock, world, header, status
) -> None:
    async with connected_to_far(world) as (call, far, _):
        call._host.owner.on(IncomingCall, lambda event: None)
        ours = call._session.dialog.local_tag
        value = header[1].format(id=call.sip_call_id, ours=ours)
        far.request("INVITE", OWN, call_id="other", headers=[(header[0], value)], body=SDP)

        assert await far.expect(status)
        assert call.state.value is CallState.CONNECTED


async def test_a_ringing_call_of_ours_can_be_replaced_and_is_cancelled(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        old = client.create_call(far.uri)
        replaced = []
        old.on(Replaced, replaced.append)
        await old.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        await old.is_ringing.wait_value(True)
        await _arrive(far, old, tags=(invite.key()[3], "far-tag"), early=True)
        new = await anext(calls)
        await new.answer()
        far.respond(await far.expect("CANCEL"), 200)
        far.respond(invite, 487)
        end = await old.wait_ended()

        assert end.reason is EndReason.TRANSFERRED
        assert [event.new_call for event in replaced] == [new]
        far.acknowledge(await far.expect(200))
        new.hangup()
        calls.close()


async def test_a_call_we_have_not_answered_cannot_be_replaced(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.invite(OWN)
        old = await anext(calls)
        await old.progress(180)
        tag = (await far.expect(180)).key()[4]
        await _arrive(far, old, tags=(tag, "far-tag"))

        assert await far.expect(481)
        calls.close()


async def test_a_call_that_is_ending_cannot_be_replaced(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, _):
        call._host.owner.on(IncomingCall, lambda event: None)
        call.hangup()
        bye = await far.expect("BYE")
        await _arrive(far, call, tags=(bye.key()[3], "far-tag"))

        assert await far.expect(603)
        far.respond(bye, 200)
        await call.wait_ended()


async def test_a_replacing_call_that_is_refused_leaves_the_old_one(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, _):
        client = call._host.owner
        calls = client.incoming_calls()
        await _arrive(far, call, tags=(call._session.dialog.local_tag, "far-tag"))
        new = await anext(calls)
        assert new.replaces is call
        new.reject(486)
        await far.expect(486)
        calls.close()

        assert call.state.value is CallState.CONNECTED
