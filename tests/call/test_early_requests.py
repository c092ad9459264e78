"""Requests within an early dialog go where that dialog says, not where its INVITE went (§12.2.1.1)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.call.conftest import FAR, NEAR
from tests.call.streamed import far_by_tcp
from tests.client.test_failover import servers

from trivox.call.settings import CallSettings
from trivox.errors import CallFailedError
from trivox.testing.far_end import SDP, FarEnd

OTHER, URI = "10.0.0.7", "sip:bob@example.org"
RELIABLE = [("Require", "100rel"), ("RSeq", "1")]


class Elsewhere(FarEnd):
    """The one that the INVITE goes to; its Contact is another address."""

    def __init__(self, sockets, host: str = "10.0.0.7") -> None:
        super().__init__(sockets, FAR, NEAR)
        self.contact_host = host

    @property
    def uri(self) -> str:
        return f"sip:far@{self.contact_host}:5060"


@asynccontextmanager
async def parted(world, contact=OTHER, **settings):
    """A client, whom it calls, and another host that the dialog may name."""
    own = world()
    async with own.client(**settings) as client:
        with (
            Elsewhere(own.link.host(FAR[0]), contact) as near,
            FarEnd(own.link.host(OTHER), (OTHER, 5060), NEAR) as other,
        ):
            yield client, near, other


async def invited(client, near):
    call = client.create_call(f"sip:far@{FAR[0]}:5060")
    await call.start()
    return call, await near.expect("INVITE")


async def test_a_prack_goes_to_the_contact_of_the_18x(autojump_clock, world) -> None:
    """RFC 3261 §12.2.1.1: the remote target, as no proxy has recorded its route."""
    async with parted(world) as (client, near, other):
        call, invite = await invited(client, near)
        near.respond(invite, 183, headers=RELIABLE, body=SDP)

        prack = await other.expect("PRACK")

        assert prack.uri == f"sip:far@{OTHER}:5060"
        assert prack.header("Route") is None
        other.respond(prack, 200)
        assert await near.silence(20)
        call.hangup()
        assert (await near.expect("CANCEL")).header("To") == invite.header("To")


async def test_a_prack_goes_by_the_recorded_route(autojump_clock, world) -> None:
    """RFC 3261 §12.2.1.1: the first of the route set, whoever sent the response."""
    async with parted(world, contact="10.0.0.55") as (client, near, other):
        call, invite = await invited(client, near)
        record = ("Record-Route", f"<sip:{OTHER}:5060;lr>")
        near.respond(invite, 183, headers=[*RELIABLE, record], body=SDP)

        prack = await other.expect("PRACK")

        assert prack.uri == "sip:far@10.0.0.55:5060"
        assert prack.header("Route") == f"<sip:{OTHER}:5060;lr>"
        other.respond(prack, 200)
        assert await near.silence(20)
        call.hangup()


async def test_a_route_that_the_first_response_lacks_comes_with_the_reliable_one(
    autojump_clock, world
) -> None:
    """RFC 3262 §4: its PRACK is a request within the dialog, which has the route from then on."""
    async with parted(world, contact="10.0.0.55") as (client, near, other):
        call, invite = await invited(client, near)
        near.respond(invite, 180)
        record = ("Record-Route", f"<sip:{OTHER}:5060;lr>")
        near.respond(invite, 183, headers=[*RELIABLE, record], body=SDP)

        prack = await other.expect("PRACK")

        assert prack.header("Route") == f"<sip:{OTHER}:5060;lr>"
        call.hangup()


async def test_an_update_of_early_media_goes_where_its_dialog_is(autojump_clock, world) -> None:
    """RFC 3311 §5.1: as any request within the dialog."""
    async with parted(world) as (client, near, other):
        call, invite = await invited(client, near)
        allows = ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE")
        near.respond(invite, 183, headers=[*RELIABLE, allows], body=SDP)
        other.respond(await other.expect("PRACK"), 200)
        await trio.sleep(0.1)

        session = call._session
        (output,) = session.modify(SDP.encode(), method="UPDATE", to_tag=session.early_tag)
        call._carry_out((output,))
        update = await other.expect("UPDATE")

        assert update.uri == f"sip:far@{OTHER}:5060"
        assert update.key()[4] == "far-tag"
        call.hangup()


async def test_a_prack_goes_back_where_the_18x_may_not_send_it(autojump_clock, world) -> None:
    """What the network names passes the filter: here a loopback address for who is none."""
    async with parted(world, contact="127.0.0.1") as (client, near, _other):
        call, invite = await invited(client, near)
        near.respond(invite, 183, headers=RELIABLE, body=SDP)

        prack = await near.expect("PRACK")

        assert prack.uri == "sip:far@127.0.0.1:5060"
        assert client.statistics().sip.targets_refused >= 1
        call.hangup()


async def test_a_prack_that_is_refused_is_tried_at_no_other_server(autojump_clock, world) -> None:
    """RFC 3263 §4: only what is outside of dialogs changes its server."""
    own = world()
    async with own.client(dns=servers("udp", FAR[0], OTHER)) as client:
        with (
            FarEnd(own.link.host(FAR[0]), FAR, NEAR) as far,
            FarEnd(own.link.host(OTHER), (OTHER, 5060), NEAR) as other,
        ):
            call = client.create_call(URI)
            await call.start()
            far.respond(await far.expect("INVITE"), 183, headers=RELIABLE, body=SDP)
            far.respond(await far.expect("PRACK"), 503)

            assert await other.silence(10)
            call.hangup()


async def test_each_branch_over_tcp_keeps_its_own_connection(autojump_clock, world) -> None:
    """The server given up for the next one answers late: its branch takes no other's requests."""
    own = world(transport="tcp")
    dns = servers("tcp", FAR[0], OTHER)
    async with (
        own.client(dns=dns) as client,
        far_by_tcp(own.link, FAR[0]) as slow,
        far_by_tcp(own.link, OTHER) as quick,
    ):
        call = client.create_call(URI)
        await call.start()
        given_up = await slow.expect("INVITE")
        invite = await quick.expect("INVITE")
        quick.respond(invite, 183, headers=RELIABLE, body=SDP, to_tag="quick")
        quick.respond(await quick.expect("PRACK"), 200)
        quick.respond(invite, 200, to_tag="quick")
        await quick.expect("ACK")
        await call.wait_connected()
        slow.respond(given_up, 200, to_tag="slow", body=SDP)
        assert (await slow.expect("ACK")).key()[4] == "slow"
        slow.respond(await slow.expect("BYE"), 200)
        await trio.sleep(1)

        call.hangup()

        assert (await quick.expect("BYE")).key()[4] == "quick"
        assert await slow.silence(5)


async def test_a_2xx_after_the_end_is_ended_by_its_own_connection(autojump_clock, world) -> None:
    """RFC 3261 §13.2.2.4, of the second server, when nobody waits for a call any more."""
    own = world(transport="tcp")
    dns = servers("tcp", FAR[0], OTHER)
    async with (
        own.client(dns=dns) as client,
        far_by_tcp(own.link, FAR[0]) as dead,
        far_by_tcp(own.link, OTHER) as late,
    ):
        with pytest.raises(CallFailedError):
            async with client.dial(URI, CallSettings(reliable_provisional="never")):
                pass
        await dead.expect("INVITE")
        late.respond(await late.expect("INVITE"), 200, to_tag="late", body=SDP)

        assert (await late.expect("ACK")).key()[4] == "late"
        assert (await late.expect("BYE")).key()[4] == "late"
        assert await dead.silence(5)
