"""Two clients, or a client and a scripted far end, on a virtual network with a fake engine."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from trivox.call.events import Event
from trivox.call.settings import CallSettings
from trivox.client.opening import open_client
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media
from trivox.testing.far_end import SDP, FarEnd

NEAR, FAR = ("10.0.0.1", 5060), ("10.0.0.9", 5060)


class World:
    """A network, an engine, and what a test opens in them."""

    def __init__(self, *, set_up: float = 0.0, transport: str = "udp") -> None:
        self.link = Link(1, delay=0.01)
        self.media, self.engine = fake_media(now=trio.current_time(), set_up=set_up)
        self.transport = transport

    def client(self, host: str = NEAR[0], **settings):
        uri = f"sip:{host}:5060;transport={self.transport}"
        return open_client(
            listen=[uri],
            engine=self.media,
            sockets=self.link.host(host),
            seed=host.encode() * 4,
            **settings,
        )

    @asynccontextmanager
    async def with_far_end(self, **settings):
        """A client and a scripted far end."""
        async with self.client(**settings) as client:
            with FarEnd(self.link.host(FAR[0]), FAR, NEAR) as far:
                yield client, far

    @asynccontextmanager
    async def with_server(self, handler, **settings):
        """A calling client, and the URI of another that serves."""
        async with self.client() as caller, self.client("10.0.0.2", **settings) as callee:
            async with trio.open_nursery() as nursery:
                await nursery.start(callee.serve, handler)
                yield caller, f"sip:bob@10.0.0.2:5060;transport={self.transport}"
                nursery.cancel_scope.cancel()


class Pair:
    """Two connected calls of two clients, and the engine they share."""

    def __init__(self, make_world) -> None:
        self.make_world = make_world
        self.world = None
        self.far = None

    async def run(self, body, **settings) -> None:
        """Connect two calls, run `body(call, far)`, and end them."""
        self.world = self.make_world()
        arrived = trio.Event()

        async def handler(call) -> None:
            self.far = call
            await call.answer()
            await call.wait_connected()
            arrived.set()
            await call.wait_ended()

        async with self.world.with_server(handler) as (client, uri):
            async with client.dial(uri, CallSettings(**settings)) as call:
                await arrived.wait()
                await body(call, self.far)


async def answered(client, far, uri: str):
    """Let the far end call and answer it; returns the connected call and our 200."""
    calls = client.incoming_calls()
    far.invite(uri)
    call = await calls.__anext__()
    calls.close()
    await call.answer()
    ok = await far.expect(200)
    far.acknowledge(ok)
    await call.wait_connected()
    return call, ok


@asynccontextmanager
async def connected_to_far(world, **settings):
    """A call that a scripted far end has answered, and what speaks for it within the call."""
    async with world().with_far_end(**settings) as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 200, body=SDP)
        await far.expect("ACK")
        await call.wait_connected()
        numbers = iter(range(10, 99))

        def say(method: str, *headers: tuple[str, str], body: str = "") -> None:
            far.request(
                method,
                invite.dialog()[5],
                call_id=call.sip_call_id,
                to_tag=invite.key()[3],
                cseq=next(numbers),
                headers=list(headers),
                body=body,
            )

        yield call, far, say
        if call.end is None:
            call.hangup()
            far.respond(await far.expect("BYE"), 200)


def record(call) -> list[str]:
    """Return a list that fills with the names of the call's events."""
    names: list[str] = []
    call.on(Event, lambda event: names.append(type(event).__name__))
    return names


@pytest.fixture
def pair():
    return Pair(World)


@pytest.fixture
def world():
    return World


@pytest.fixture
def recorder():
    return record
