"""A line that a change adds, towards a far end that does not bundle, has addresses at servers too."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager

import pytest
import trio

import trivox
from trivox.call import _trickle
from trivox.call.media_leg import MediaLeg
from trivox.errors import CallEndedError
from trivox.media.native_engine import driven_media
from trivox.media.video import EncodedVideoSource

from .conftest import World

pytestmark = pytest.mark.native

SILENT = (trivox.IceServer("stun:10.0.0.66"),)
BY_ICE = trivox.CallSettings(media="webrtc")
RECEIVING = trivox.CallSettings(receive_video=True)


@pytest.fixture
def unbundled(monkeypatch):
    """All describe each line by itself, as who knows no BUNDLE does."""

    def bare(described):
        def describe(self, *args, **options) -> bytes:
            return re.sub(rb"a=group:BUNDLE[^\r]*\r\n", b"", described(self, *args, **options))

        return describe

    for name in ("offer", "answer"):
        monkeypatch.setattr(MediaLeg, name, bare(getattr(MediaLeg, name)))


@pytest.fixture
def complete(monkeypatch):
    """Nobody takes candidates that come later."""
    monkeypatch.setattr(_trickle, "_takes_fragments", lambda _: False)


@asynccontextmanager
async def two():
    """Two connected calls of two clients; ours asks a server that is silent."""
    world, arrived, calls = World(), trio.Event(), []
    world.media = driven_media(seed=b"lines", now=trio.current_time())

    async def handler(call) -> None:
        calls.append(call)
        await call.answer(RECEIVING)
        await call.wait_connected()
        arrived.set()
        await call.wait_ended()

    async with world.client(ice_servers=SILENT) as near, world.client("10.0.0.2") as far:
        async with trio.open_nursery() as nursery:
            await nursery.start(far.serve, handler)
            async with near.dial("sip:bob@10.0.0.2:5060", BY_ICE) as call:
                await arrived.wait()
                yield near, call, calls[0]
            nursery.cancel_scope.cancel()
    world.media.close()


def video(client):
    return client.streams.create_video_stream(EncodedVideoSource())


def line_of(description: str) -> str:
    return description[description.index("m=video") :]


async def test_an_offer_of_a_line_waits_for_its_servers(autojump_clock, unbundled, complete):
    """RFC 8839 §4.2.1: the candidates of a line are gathered before it is offered."""
    async with two() as (client, call, _):
        before = trio.current_time()
        await call.add_stream(video(client))

        assert trio.current_time() - before == pytest.approx(5.0, abs=0.1)
        line = line_of(call._leg.local_sdp)
        assert "typ host" in line
        assert "a=end-of-candidates" in line
        before = trio.current_time()
        await call.hold()
        assert trio.current_time() - before < 0.1, "all is known by then"


async def test_an_offer_to_who_takes_candidates_later_does_not_wait(autojump_clock, unbundled):
    async with two() as (client, call, _):
        before = trio.current_time()
        await call.add_stream(video(client))

        assert trio.current_time() - before < 0.1
        assert "a=end-of-candidates" not in line_of(call._leg.local_sdp)


async def test_a_call_that_ends_meanwhile_offers_nothing(autojump_clock, unbundled, complete):
    async with two() as (client, call, _):
        before = call._leg.local_sdp
        async with trio.open_nursery() as nursery:

            async def add() -> None:
                with pytest.raises(CallEndedError):
                    await call.add_stream(video(client))

            nursery.start_soon(add)
            await trio.sleep(1.0)
            call.hangup()

        assert call._leg.local_sdp == before


async def test_an_offer_of_theirs_meanwhile_comes_first(autojump_clock, unbundled, complete):
    async with two() as (client, call, far):
        before = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.add_stream, video(client))
            await trio.sleep(4.95)
            await far.restart_ice()
            assert trio.current_time() - before < 5.0

        assert "a=end-of-candidates" in line_of(call._leg.local_sdp)
        assert far.is_video_enabled.value
        assert trio.current_time() - before < 12.0


async def test_a_lost_path_is_looked_for_before(autojump_clock, unbundled, complete):
    async with two() as (client, call, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.add_stream, video(client))
            await trio.sleep(1.0)
            call._lost_paths |= {"flow"}
            await trio.sleep(10.0)
            assert "m=video" not in call._leg.local_sdp
            call._lost_paths -= {"flow"}
            call._go_on()

        assert "typ host" in line_of(call._leg.local_sdp)
