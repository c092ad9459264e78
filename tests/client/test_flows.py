"""Connections that close under a call, and `sips` calls that nothing may carry in the clear."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.net.certificates import Authority

import trivox
from trivox.call.states import CallState
from trivox.errors import CallFailedError

HERE, THERE = "10.0.0.1", "10.0.0.2"


class Two:
    """A caller and a callee over TCP or TLS, and a call between them."""

    def __init__(self, caller, callee):
        self.caller, self.callee = caller, callee
        self.taken = None
        self.flows = set()

    async def handle(self, call):
        self.taken = call
        await call.answer()
        await call.wait_ended()

    def cut(self):
        """Let every connection between the two break."""
        for client in (self.caller, self.callee):
            flows = client._wiring.endpoint._flows
            for flow in list(flows._connections.values()):
                self.flows.add(flow.id)
                flow.close()


@pytest.fixture
def two(world, tmp_path):
    authority = Authority(tmp_path)
    tls = {
        host: trivox.TlsConfig(certificate=authority.issue(host, host), ca=authority.root)
        for host in (HERE, THERE)
    }

    @asynccontextmanager
    async def opened(transport, *, caller_listens=True):
        own = world(transport=transport)
        here = {} if caller_listens else {"listen": ["sip:10.0.0.1:0;transport=udp"]}
        settings = {"engine": own.media, "seed": b"1" * 32, **here}
        if caller_listens:
            settings["listen"] = [f"sip:{HERE}:5060;transport={transport}"]
        caller = trivox.open_client(tls=tls[HERE], sockets=own.link.host(HERE), **settings)
        async with caller as one, own.client(THERE, tls=tls[THERE]) as other:
            it = Two(one, other)
            async with trio.open_nursery() as nursery:
                await nursery.start(other.serve, it.handle)
                yield it, f"sip:bob@{THERE}:5060;transport={transport}"
                nursery.cancel_scope.cancel()

    return opened


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_connection_that_closes_is_opened_by_the_next_request_of_who_called(
    autojump_clock, two, transport
):
    async with two(transport, caller_listens=False) as (it, uri), it.caller.dial(uri) as call:
        await trio.sleep(5)
        it.cut()
        await trio.sleep(5)

        assert call.state.value is CallState.CONNECTED
        assert it.taken.state.value is CallState.CONNECTED
        assert (await call.send_info("text/plain", "?").wait()).status == 200
        assert (await it.taken.send_info("text/plain", "!").wait()).status == 200


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_connection_that_closes_is_opened_by_the_next_request_of_who_was_called(
    autojump_clock, two, transport
):
    async with two(transport) as (it, uri), it.caller.dial(uri) as call:
        await trio.sleep(5)
        it.cut()
        await trio.sleep(5)

        assert (await it.taken.send_info("text/plain", "?").wait()).status == 200
        assert call.state.value is CallState.CONNECTED


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_hang_up_after_the_connection_has_closed_reaches_the_far_end(
    autojump_clock, two, transport
):
    async with two(transport) as (it, uri):
        async with it.caller.dial(uri):
            it.cut()
            await trio.sleep(1)
        with trio.fail_after(5):
            await it.taken.wait_ended()


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_far_end_that_named_its_host_is_looked_up_when_its_connection_is_gone(
    autojump_clock, world, is_known
):
    own = world(transport="tcp")
    if is_known:
        own.link.names["caller.example.org"] = HERE
    taken = []

    async def handle(call):
        taken.append(call)
        await call.answer()
        await call.wait_ended()

    listen = [f"sip:{HERE}:5060;transport=tcp"]
    here = own.link.host(HERE)
    caller = trivox.open_client(
        listen=listen, engine=own.media, sockets=here, advertised="caller.example.org:5060"
    )
    async with caller as one, own.client(THERE) as other, trio.open_nursery() as nursery:
        await nursery.start(other.serve, handle)
        async with one.dial(f"sip:bob@{THERE}:5060;transport=tcp"):
            await trio.sleep(1)
            Two(one, other).cut()
            await trio.sleep(1)

            receipt = taken[0].send_info("text/plain", "?")
            with trio.fail_after(5):
                if is_known:
                    assert (await receipt.wait()).status == 200
                else:
                    with pytest.raises(trivox.TrivoxError):
                        await receipt.wait()
        nursery.cancel_scope.cancel()


async def test_a_request_in_flight_when_the_connection_breaks_fails_and_does_not_hang(
    autojump_clock, two
):
    async with two("tcp") as (it, uri), it.caller.dial(uri) as call:
        await trio.sleep(1)
        receipt = call.send_info("text/plain", "?")
        it.cut()
        with trio.fail_after(1):
            with pytest.raises(trivox.TrivoxError):
                await receipt.wait()


@pytest.mark.parametrize(("has_tls", "status"), [(False, 416), (True, 480)])
async def test_a_sips_request_that_came_in_the_clear_is_refused(
    autojump_clock, world, tmp_path, has_tls, status
):
    """RFC 5630 §3.1.1: its sender has broken the promise of the scheme."""
    authority = Authority(tmp_path)
    tls = trivox.TlsConfig(certificate=authority.issue("own", HERE)) if has_tls else None
    async with world().with_far_end(tls=tls) as (client, far):
        client.on(trivox.IncomingCall, print)
        far.invite("sips:bob@10.0.0.1")

        response = await far.expect(status)

    assert (response.header("Warning") or "").startswith("380 ") is has_tls


async def test_a_sips_call_does_not_go_to_a_proxy_in_the_clear(autojump_clock, world):
    """RFC 5630 §3.1."""
    sent = []
    own = world()
    own.link.host("10.0.0.9")
    async with own.client(
        outbound_proxy="sip:10.0.0.9", trace=lambda *record: sent.append(record)
    ) as client:
        with pytest.raises(CallFailedError, match="wants TLS all the way"):
            async with client.dial("sips:bob@example.org"):
                pass
    assert sent == []


async def test_a_sips_call_never_goes_on_in_the_clear(autojump_clock, two):
    async with two("tls") as (it, uri), it.caller.dial(uri.replace("sip:", "sips:")) as call:
        endpoint = it.caller._wiring.endpoint
        flow, source = 0, (THERE, 1)

        plain = endpoint.next_hop("sip:10.0.0.2:5060", flow=flow, source=source, is_secure=True)
        allowed = endpoint.next_hop("sips:10.0.0.2:5060", flow=flow, source=source, is_secure=True)

        assert plain is None
        assert allowed[0].transport == "tls"
        assert call._route.is_secure
        assert it.taken._route.is_secure
