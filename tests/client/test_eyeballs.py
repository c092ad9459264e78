"""A server of both families whose IPv6 does not work costs no more than a moment (RFC 8305)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.net.fake_dns import FakeDns

import trivox
from trivox.client.opening import open_client
from trivox.errors import CallFailedError, ConnectionNetworkError, TransportError
from trivox.net.eyeballs import HEAD_START

NEAR, FAR = ("10.0.0.1", "2001:db8::1"), ("10.0.0.2", "2001:db8::2")
NAMES = {("s.test", "A"): (FAR[0],), ("s.test", "AAAA"): (FAR[1],)}
URI = "sip:bob@s.test:5060;transport=tcp"


class Silent:
    """A connector to where nothing answers."""

    def __init__(self, local):
        self.local = local

    async def connect(self):
        await trio.sleep_forever()

    def close(self):
        pass


class Sockets:
    """The sockets of a host, some of whose ways lead nowhere: what is sent there is lost."""

    def __init__(self, host):
        self._host = host
        self.silent = set()
        self.tried = []

    def __getattr__(self, name):
        return getattr(self._host, name)

    def open_connector(self, local_host, destination):
        self.tried.append(destination[0])
        if destination[0] in self.silent:
            return Silent((local_host, 1))
        return self._host.open_connector(local_host, destination)


@asynccontextmanager
async def both(world, *, serves=FAR):
    """A caller of both families, and a callee that listens on some of its addresses."""
    own = world()
    listen = [
        f"sip:[{host}]:5060;transport=tcp" if ":" in host else f"sip:{host}:5060;transport=tcp"
        for host in serves
    ]
    settings = {"engine": own.media, "seed": bytes(32)}
    caller = open_client(
        listen=["sip:10.0.0.1:5060;transport=tcp", "sip:[2001:db8::1]:5060;transport=tcp"],
        sockets=(sockets := Sockets(own.link.host(*NEAR))),
        dns=FakeDns(NAMES),
        **settings,
    )
    callee = open_client(listen=listen, sockets=own.link.host(*FAR), **settings)
    async with caller as one, callee as two, trio.open_nursery() as nursery:
        await nursery.start(two.serve, _reject)
        yield sockets, one, two
        nursery.cancel_scope.cancel()


async def _reject(call: trivox.Call) -> None:
    call.reject(486)


async def _peer_of_a_call(caller, callee) -> tuple[str, float]:
    """Call; return where the call came from, and after how long it was refused."""
    seen = []
    handle = callee.on(
        trivox.IncomingCall, lambda event: seen.append(event.call._route.destination)
    )
    began = trio.current_time()
    with pytest.raises(CallFailedError):
        async with caller.dial(URI):
            pytest.fail("it is refused")
    handle.remove()
    return seen[0][0], trio.current_time() - began


async def test_a_family_that_works_is_not_kept_waiting(autojump_clock, world) -> None:
    async with both(world) as (sockets, one, two):
        peer, took = await _peer_of_a_call(one, two)

        assert peer == "2001:db8::1"
        assert took < HEAD_START
        assert sockets.tried == ["2001:db8::2"]


async def test_a_family_that_says_nothing_has_a_head_start_and_no_more(
    autojump_clock, world
) -> None:
    """RFC 8305 §5."""
    async with both(world) as (sockets, one, two):
        sockets.silent.add("2001:db8::2")
        peer, took = await _peer_of_a_call(one, two)
        again, at_once = await _peer_of_a_call(one, two)

        assert peer == again == "10.0.0.1"
        assert HEAD_START <= took < HEAD_START + 0.2
        assert at_once < HEAD_START


async def test_a_family_that_is_refused_costs_nothing(autojump_clock, world) -> None:
    async with both(world, serves=FAR[:1]) as (_, one, two):
        peer, took = await _peer_of_a_call(one, two)

        assert peer == "10.0.0.1"
        assert took < HEAD_START


async def test_a_slow_family_may_still_be_the_first(autojump_clock, world) -> None:
    """The one that was begun first goes on, and is used if it stands sooner."""
    async with both(world, serves=FAR[1:]) as (sockets, one, two):
        sockets.link.delay = 0.3
        peer, _ = await _peer_of_a_call(one, two)

        assert peer == "2001:db8::1"


async def test_when_both_fail_the_call_does(autojump_clock, world) -> None:
    async with both(world) as (sockets, one, _):
        sockets.silent.update(FAR)
        with pytest.raises((CallFailedError, ConnectionNetworkError, TransportError)):
            async with one.dial(URI):
                pytest.fail("nobody listens")
