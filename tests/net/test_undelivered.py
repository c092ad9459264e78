"""What the network sends back ends the wait for it (RFC 3261 §18.4), on real loopback sockets."""

from __future__ import annotations

import socket
import time

import pytest
import trio
from tests.net.fake_dns import FakeDns

import trivox
from trivox.net.dns_records import Srv
from trivox.net.sockets import UdpSocket
from trivox.net.target import parse_endpoint

pytestmark = pytest.mark.native

HOSTS = ["127.0.0.1", "::1"]
T1 = 0.1
"""Seconds: the only server there is may be starting, and has 7·T1 for it."""


async def _answer(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()


def _closed_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@pytest.mark.parametrize("host", HOSTS)
async def test_a_call_to_a_closed_port_fails_soon(host) -> None:
    own = f"sip:{_written(host)}:0;transport=udp"
    async with trivox.open_client(listen=[own], t1=T1) as client:
        begin = time.monotonic()

        with pytest.raises(trivox.CallFailedError) as failed:
            async with client.dial(f"sip:bob@{_written(host)}:{_closed_port(host)}"):
                pass

        assert time.monotonic() - begin < 3, "Timer B is 6.4 s"
        assert failed.value.sip_code in (0, 503)  # RFC 3261 §8.1.3.1


async def test_a_wildcard_address_hears_of_it_too() -> None:
    async with trivox.open_client(listen=["sip:0.0.0.0:0;transport=udp"], t1=T1) as client:
        with pytest.raises(trivox.CallFailedError), trio.fail_after(5):
            async with client.dial(f"sip:bob@127.0.0.1:{_closed_port()}"):
                pass


async def test_the_next_server_is_asked_without_waiting() -> None:
    """RFC 3263 §4.3: a failure of the transport is a reason to try the next."""
    own = ["sip:127.0.0.1:0;transport=udp"]
    async with trivox.open_client(listen=own) as callee, trio.open_nursery() as nursery:
        await nursery.start(callee.serve, _answer)
        _, _, port = parse_endpoint(callee.listening_on[0])
        servers = [Srv(0, 0, _closed_port(), "a.test"), Srv(1, 0, port, "a.test")]
        names = {("a.test", "A"): ("127.0.0.1",), ("_sip._udp.example.org", "SRV"): servers}
        async with trivox.open_client(listen=own, dns=FakeDns(names)) as caller:
            with trio.fail_after(3.5):  # silence is answered so after 4 s
                async with caller.dial("sip:bob@example.org;transport=udp"):
                    pass
        nursery.cancel_scope.cancel()


async def test_a_registration_at_a_closed_port_is_told_soon() -> None:
    account = trivox.AccountConfig(f"sip:bob@127.0.0.1:{_closed_port()}", password="x")
    own = ["sip:127.0.0.1:0;transport=udp"]
    async with trivox.open_client(listen=own, accounts=[account], t1=T1) as client:
        (bob,) = client.accounts.values()

        with pytest.raises(trivox.RegistrationError), trio.fail_after(5):
            await bob.register()


async def test_a_call_whose_far_end_is_gone_ends_with_its_next_request() -> None:
    own = ["sip:127.0.0.1:0;transport=udp"]
    async with trivox.open_client(listen=own, t1=T1) as caller, trio.open_nursery() as nursery:
        async with trivox.open_client(listen=own, shutdown_grace=0) as callee:
            await nursery.start(callee.serve, _answer)
            dialled = caller.create_call(callee.listening_on[0])
            await dialled.start()
            await dialled.wait_connected()
            callee._wiring.endpoint._flows.close()  # the far end's process is gone, without a BYE
            nursery.cancel_scope.cancel()
        if not dialled.state.value.is_terminal:
            dialled.hangup()
            with trio.fail_after(5):  # Timer F is 6.4 s
                await dialled.wait_ended()


@pytest.mark.parametrize("host", HOSTS)
async def test_what_comes_back_is_what_was_sent_and_the_next_is_not_lost(host) -> None:
    made = UdpSocket((host, 0), 65536)
    far = UdpSocket((host, 0), 65536)
    made.send(b"OPTIONS to nobody", (host, _closed_port(host)))

    made.send(b"OPTIONS to somebody", (host, far.local[1]))

    assert [data for data, _ in far.receive(8)] == [b"OPTIONS to somebody"]
    assert made.undelivered() == [(b"OPTIONS to nobody", True)]
    assert made.undelivered() == []
    made.close()
    far.close()
