"""The next server when one fails (RFC 3263 §4.3), and calls while the DNS is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.call.streamed import far_by_tcp
from tests.net.fake_dns import FakeDns

import trivox
from trivox.call.states import CallState
from trivox.errors import CallFailedError, ConnectionNetworkError, TransportError
from trivox.net.dns_records import Srv

if TYPE_CHECKING:
    from trivox.testing.far_end import FarEnd

DEAD, ALIVE = "10.0.0.8", "10.0.0.2"
URI = "sip:bob@example.org"


def servers(transport="udp", *hosts):
    """Return a DNS with one server for each host, in order."""
    prefix = {"udp": "_sip._udp.", "tcp": "_sip._tcp."}[transport]
    records = [Srv(index, 0, 5060, f"s{index}.example.org") for index in range(len(hosts))]
    names = {(f"s{index}.example.org", "A"): (host,) for index, host in enumerate(hosts)}
    return FakeDns({(f"{prefix}example.org", "SRV"): records, **names})


async def answering(call):
    await call.answer()
    await call.wait_ended()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_completes_at_the_second_server_in_4_5_s(autojump_clock, world, transport):
    own = world(transport=transport)
    own.link.host(DEAD)
    dns = servers(transport, DEAD, ALIVE)
    async with own.client(dns=dns) as caller, own.client(ALIVE) as callee:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, answering)
            start = trio.current_time()
            async with caller.dial(URI) as call:
                assert trio.current_time() - start < 4.5
                assert call.state.value is CallState.CONNECTED
                assert (await call.send_info("text/plain", "?").wait()).status == 200
            again = trio.current_time()
            async with caller.dial(URI):
                assert trio.current_time() - again < 0.5, "a server that failed is tried last"
            await trio.sleep(40)
            assert caller.statistics().tokens == 0
            assert len(caller._wiring.exchange.failover) == 0
            assert len(caller._wiring.exchange._hops) == 0
            nursery.cancel_scope.cancel()


async def test_503_is_answered_by_the_next_server(autojump_clock, world):
    """RFC 3263 §4.3."""
    own = world()
    dns = servers("udp", "10.0.0.9", ALIVE)
    async with own.with_far_end(dns=dns) as (caller, far), own.client(ALIVE) as callee:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, answering)
            nursery.start_soon(refuse, far)
            async with caller.dial(URI) as call:
                assert call.state.value is CallState.CONNECTED
            nursery.cancel_scope.cancel()


async def refuse(far: FarEnd):
    """Answer the first INVITE with 503, an hour of it."""
    invite = await far.expect("INVITE")
    far.respond(invite, 503, "Service Unavailable", headers=[("Retry-After", "3600")])
    await far.expect("ACK")


async def test_when_every_server_fails_the_call_does(autojump_clock, world):
    own = world()
    own.link.host(DEAD)
    own.link.host("10.0.0.7")
    start = trio.current_time()
    async with own.client(dns=servers("udp", DEAD, "10.0.0.7")) as caller:
        with pytest.raises(CallFailedError):
            async with caller.dial(URI):
                pass
    assert trio.current_time() - start == pytest.approx(36, abs=0.5)


async def test_a_call_that_was_hung_up_is_not_placed_again(autojump_clock, world):
    own = world()
    own.link.host(DEAD)
    dns = servers("udp", DEAD, ALIVE)
    async with own.client(dns=dns) as caller, own.client(ALIVE) as callee:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, answering)
            call = caller.create_call(URI)
            await call.start()
            await trio.sleep(1)
            call.hangup()
            await trio.sleep(10)
            assert len(callee.calls) == 0
            nursery.cancel_scope.cancel()


async def test_a_running_call_does_not_notice_that_the_dns_is_down(autojump_clock, world):
    own = world()
    dns = servers("udp", ALIVE)
    async with own.client(dns=dns) as caller, own.client(ALIVE) as callee:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, answering)
            async with caller.dial(URI) as call:
                dns.is_down = True
                await trio.sleep(4000)
                assert (await call.send_info("text/plain", "?").wait()).status == 200

                start = trio.current_time()
                with pytest.raises(CallFailedError) as caught:
                    async with caller.dial("sip:bob@elsewhere.example"):
                        pass
                assert trio.current_time() - start <= 4.1
                assert isinstance(caught.value.__cause__, ConnectionNetworkError)

                async with caller.dial(URI):
                    pass  # by what the DNS said more than an hour ago
            nursery.cancel_scope.cancel()


async def test_a_request_outside_of_calls_tries_the_next_server(autojump_clock, world):
    own = world()
    own.link.host(DEAD)
    dns = servers("udp", DEAD, ALIVE)
    async with own.client(dns=dns) as caller, own.client(ALIVE) as callee:
        callee.on(trivox.IncomingCall, print)
        response = await caller.request("OPTIONS", URI)
    assert response.status == 200


async def test_a_registration_tries_the_next_registrar_and_stays_there(autojump_clock, world):
    own = world()
    own.link.host(DEAD)
    account = trivox.AccountConfig("sip:alice@example.org", password="pw")
    async with (
        own.client(dns=servers("udp", DEAD, ALIVE), accounts=[account]) as client,
        trivox.open_switchboard(
            listen=[f"sip:{ALIVE}:5060;transport=udp"],
            domain="example.org",
            users={"alice": "pw"},
            sockets=own.link.host(ALIVE),
        ) as board,
    ):
        start = trio.current_time()
        async with client.accounts["sip:alice@example.org"].registered():
            assert trio.current_time() - start < 4.5
            assert len(board.registered("alice")) == 1
        assert board.registered("alice") == ()


async def test_a_subscription_goes_on_at_the_server_that_took_it(autojump_clock, world):
    """RFC 3261 §12.2: its dialog is there, by the connection that is open."""
    own = world(transport="tcp")
    own.link.host(DEAD)
    dns = servers("tcp", DEAD, ALIVE)
    async with own.client(dns=dns) as client, far_by_tcp(own.link, ALIVE) as far:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_a_while, client)
            first = await far.expect("SUBSCRIBE")
            far.respond(first, 200, headers=[("Expires", "600")])
            again = await far.expect("SUBSCRIBE")
            assert again.key()[4] == "far-tag"
            assert again.header("Expires") == "0"
            far.respond(again, 200, headers=[("Expires", "0")])
            nursery.cancel_scope.cancel()


async def watch_a_while(client):
    async with client.subscribe(URI, "message-summary"):
        await trio.sleep(10)


async def test_what_broke_a_connection_is_kept_without_all_it_had(autojump_clock, world):
    async with world().client() as client:
        with pytest.raises(TransportError) as caught:
            await client.request("OPTIONS", "sip:bob@10.0.0.77;transport=tcp")
        broken = caught.value.__cause__
        assert isinstance(broken, ConnectionNetworkError)
        cause = broken.__cause__
        assert isinstance(cause, OSError)
        assert cause.__traceback__ is None
