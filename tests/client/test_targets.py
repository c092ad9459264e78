"""Where the network may send a client: never into a net the flow itself is not in."""

from __future__ import annotations

import pytest
import trio

from trivox.call.states import CallState
from trivox.client.config import ClientConfig
from trivox.client.opening import open_client
from trivox.errors import InvalidArgumentsError, TargetRefusedError
from trivox.testing.far_end import SDP, FarEnd

NEAR, FAR = ("203.0.113.1", 5060), ("198.51.100.9", 5060)
INSIDE = ("10.0.0.66", 5060)


def _client(own, host, **settings):
    return open_client(
        listen=[f"sip:{host}:5060;transport=udp"],
        engine=own.media,
        sockets=own.link.host(NEAR[0], "10.0.0.1"),
        seed=bytes(32),
        **settings,
    )


async def _call_with_contact(client, far, contact, routes=()):
    """Let the far end answer our call with that Contact; return the call."""
    call = client.create_call(far.uri)
    await call.start()
    invite = await far.expect("INVITE")
    headers = [("Contact", f"<{contact}>"), *(("Record-Route", route) for route in routes)]
    to = f"{invite.header('To')};tag=far-tag"
    lines = [("Via", invite.header("Via")), ("From", invite.header("From")), ("To", to)]
    lines += [("Call-ID", invite.header("Call-ID")), ("CSeq", invite.header("CSeq")), *headers]
    lines.append(("Content-Type", "application/sdp"))
    far.send("SIP/2.0 200 OK", lines, SDP)
    await call.wait_connected()
    return call


@pytest.mark.parametrize("bad", ["10.0.0.66", "127.0.0.1", "169.254.169.254", "0.0.0.0"])
async def test_a_contact_in_a_closed_net_is_answered_at_its_source(
    autojump_clock, world, bad
) -> None:
    own = world()
    inside = own.link.host("10.0.0.66", "127.0.0.1").bind_datagram(INSIDE)
    async with _client(own, NEAR[0]) as client:
        with FarEnd(own.link.host(FAR[0]), FAR, NEAR) as far:
            call = await _call_with_contact(client, far, f"sip:far@{bad}:5060")
            assert await far.expect("ACK")
            call.hangup()
            bye = await far.expect("BYE")
            far.respond(bye, 200)
            await call.wait_ended()
            count = client.statistics().sip.targets_refused

    assert bye.uri == f"sip:far@{bad}:5060"
    assert count >= 2
    assert inside.receive(9) == []
    inside.close()


@pytest.mark.parametrize(
    "contact",
    [
        "sip:far@198.51.100.9;maddr=127.0.0.1",
        "sip:far@[::1]",
        "sip:far@[::ffff:127.0.0.1]",
        "sip:far@127.0.0.1;transport=tcp",
        "sip:far@10.0.0.66:22;lr",
    ],
)
async def test_no_way_of_writing_it_leads_inside(autojump_clock, world, contact) -> None:
    own = world()
    async with _client(own, NEAR[0]) as client:
        with FarEnd(own.link.host(FAR[0]), FAR, NEAR) as far:
            call = await _call_with_contact(client, far, contact)
            assert await far.expect("ACK")
            call.hangup()
            far.respond(await far.expect("BYE"), 200)
            await call.wait_ended()

            assert client.statistics().sip.targets_refused >= 2


async def test_a_record_route_into_a_closed_net_is_not_followed(autojump_clock, world) -> None:
    own = world()
    async with _client(own, NEAR[0]) as client:
        with FarEnd(own.link.host(FAR[0]), FAR, NEAR) as far:
            routes = ["<sip:10.0.0.66;lr>"]
            call = await _call_with_contact(client, far, far.uri, routes)
            call.hangup()
            far.respond(await far.expect("BYE"), 200)
            await call.wait_ended()

    assert call.state.value is CallState.DISCONNECTED


@pytest.mark.parametrize(
    "settings", [{"filter_targets": False}, {"allowed_networks": ["10.0.0.0/8"]}]
)
async def test_a_program_can_allow_it(autojump_clock, world, settings) -> None:
    own = world()
    async with _client(own, NEAR[0], **settings) as client:
        with (
            FarEnd(own.link.host(FAR[0]), FAR, NEAR) as far,
            FarEnd(own.link.host(INSIDE[0]), INSIDE, NEAR) as inside,
        ):
            call = await _call_with_contact(client, far, f"sip:far@{INSIDE[0]}:5060")
            assert await inside.expect("ACK")
            call.hangup()
            inside.respond(await inside.expect("BYE"), 200)
            await call.wait_ended()
            assert client.statistics().sip.targets_refused == 0


async def test_a_private_client_follows_private_contacts(autojump_clock, world) -> None:
    own = world()
    near = ("10.0.0.1", 5060)
    async with _client(own, near[0]) as client:
        with (
            FarEnd(own.link.host("10.0.0.9"), ("10.0.0.9", 5060), near) as far,
            FarEnd(own.link.host(INSIDE[0]), INSIDE, near) as inside,
        ):
            call = await _call_with_contact(client, far, f"sip:far@{INSIDE[0]}:5060")
            assert await inside.expect("ACK")
            call.hangup()
            inside.respond(await inside.expect("BYE"), 200)
            await call.wait_ended()


async def test_a_target_the_program_gave_is_never_filtered(autojump_clock, world) -> None:
    own = world()
    async with _client(own, "0.0.0.0") as client:
        with FarEnd(own.link.host(INSIDE[0]), INSIDE, ("10.0.0.1", 5060)) as inside:
            call = client.create_call(f"sip:far@{INSIDE[0]}")
            await call.start()
            assert await inside.expect("INVITE")
            call.hangup()
            assert client.statistics().sip.targets_refused == 0


async def test_media_of_a_far_end_behind_a_nat_goes_to_its_public_address(
    autojump_clock, world
) -> None:
    async def handler(call) -> None:
        await call.answer()
        seen.append(call._leg.remote_sdp)
        await call.wait_ended()

    seen, given, own = [], [], world()
    set_remote = own.engine.set_remote

    def listen(session, sdp, kind, dialog) -> None:
        given.append(sdp)
        set_remote(session, sdp, kind, dialog)

    own.engine.set_remote = listen
    async with _client(own, NEAR[0]) as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, handler)
        with FarEnd(own.link.host(FAR[0]), FAR, NEAR) as far:
            far.invite(f"sip:us@{NEAR[0]}")
            answer = await far.expect(200)
            far.acknowledge(answer)
            far.hang_up(answer)
            await far.expect(200)
        nursery.cancel_scope.cancel()

    assert "c=IN IP4 10.0.0.9" in seen[0]
    assert f"c=IN IP4 {FAR[0]}" in given[0]


async def test_a_name_that_leads_inside_is_refused_by_type(autojump_clock, world) -> None:
    own = world()
    own.link.names["evil.example"] = "10.0.0.66"
    async with _client(own, NEAR[0]) as client:
        endpoint = client._wiring.endpoint
        target = await endpoint.resolve("sip:x@evil.example")
        with pytest.raises(TargetRefusedError, match=r"evil\.example"):
            endpoint.hops.permit(target, 1, FAR)
        open_target = await endpoint.resolve("sip:x@198.51.100.77")
        assert endpoint.hops.permit(open_target, 1, FAR) is open_target


def test_a_network_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(InvalidArgumentsError, match="allowed_networks"):
        ClientConfig(allowed_networks=["10.0.0.1/8"])
