"""A far end that offers video during a call: asked, accepted, rejected, forgotten, taken back."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from trivox.call.events import CallUpgrade
from trivox.call.settings import CallSettings
from trivox.client.opening import open_client
from trivox.errors import InvalidArgumentsError
from trivox.media.native_engine import driven_media
from trivox.testing import Link
from trivox.testing.far_end import SDP, FarEnd

from .test_hold import FAR_URI, connected, far_tag

VIDEO = (
    SDP.replace("o=far 1 1", "o=far 1 2") + "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
)


def reinvite(far, call, body=VIDEO, *, cseq=2, method="INVITE") -> str:
    return far.request(method, "sip:x@10.0.0.1", call_id=call.sip_call_id, to_tag=far_tag(call),
                       cseq=cseq, body=body)  # fmt: skip


def ports(message) -> list[tuple[str, bool]]:
    lines = [line.split() for line in message.body.decode().splitlines() if line[:2] == "m="]
    return [(line[0], line[1] != "0") for line in lines]


async def finish(call, far) -> None:
    call.hangup()
    far.respond(await far.expect("BYE"), 200)
    await call.wait_ended()


REFUSED = [("m=audio", True), ("m=video", False)]


@pytest.mark.parametrize(("word", "status"), [("accept", "accepted"), ("reject", "rejected")])
async def test_the_program_decides_and_the_audio_stays(autojump_clock, world, word, status) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        events = call.events(CallUpgrade)
        reinvite(far, call)
        event = await events.__anext__()
        assert event.status.value == "waiting"
        assert event.deadline == pytest.approx(trio.current_time() + 8, abs=0.1)
        await trio.sleep(3)
        getattr(event, word)()
        event.reject()
        ok = await far.expect(200)
        far.acknowledge(ok)
        assert (ports(ok), event.status.value) == (REFUSED, status)
        await finish(call, far)


async def test_after_8_s_without_a_word_it_is_refused(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        events = call.events(CallUpgrade)
        began = trio.current_time()
        reinvite(far, call)
        event = await events.__anext__()
        ok = await far.expect(200)
        far.acknowledge(ok)
        assert trio.current_time() - began == pytest.approx(8.0, abs=0.1)
        assert (ports(ok), event.status.value) == (REFUSED, "expired")
        await finish(call, far)


@pytest.mark.parametrize("wanted", ["ask", "accept", "reject"])
async def test_without_anybody_to_ask_it_is_answered_at_once(autojump_clock, world, wanted) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(video_upgrade=wanted))
        if wanted != "ask":
            call.on(CallUpgrade, lambda event: pytest.fail("asked"))
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await call.wait_connected()
        began = trio.current_time()
        reinvite(far, call)
        ok = await far.expect(200)
        far.acknowledge(ok)
        assert trio.current_time() - began < 0.1
        assert ports(ok) == REFUSED
        await finish(call, far)
    with pytest.raises(InvalidArgumentsError):
        CallSettings(video_upgrade="maybe")


async def test_a_refresh_that_repeats_the_offer_asks_nobody(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        asked = []

        def accept(event) -> None:
            asked.append(event)
            event.accept()

        call.on(CallUpgrade, accept)
        for cseq in (2, 3):
            reinvite(far, call, cseq=cseq)
            far.acknowledge(await far.expect(200))
        assert len(asked) == 1
        await finish(call, far)


async def test_an_offer_taken_back_leaves_the_call_as_it_was(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        events = call.events(CallUpgrade)
        branch = reinvite(far, call)
        event = await events.__anext__()
        far.request("CANCEL", "sip:x@10.0.0.1", call_id=call.sip_call_id, to_tag=far_tag(call),
                    cseq=2, branch=branch)  # fmt: skip
        await far.expect(487)
        event.accept()
        assert event.status.value == "withdrawn"
        await finish(call, far)


async def test_hold_waits_for_the_answer_to_an_offer_of_video(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        events = call.events(CallUpgrade)
        reinvite(far, call)
        event = await events.__anext__()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.hold)
            with trio.move_on_after(2) as limit:
                await far.expect("INVITE")
            assert limit.cancelled_caught
            event.reject()
            far.acknowledge(await far.expect(200))
            far.respond(await far.expect("INVITE"), 200, body=SDP)
        assert call.is_on_hold.value is True
        await finish(call, far)


async def test_a_call_that_ends_withdraws_the_question(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        events = call.events(CallUpgrade)
        reinvite(far, call)
        event = await events.__anext__()
        await finish(call, far)
        event.accept()
        assert event.status.value == "withdrawn"


@asynccontextmanager
async def offered_video_again_and_again(**settings):
    """A call over the real engine; yields it, its far end, and a way to offer video in it."""
    link = Link(1, delay=0.01)
    media = driven_media(seed=b"video", now=trio.current_time())
    listen = ["sip:10.0.0.1:5060;transport=udp"]
    near, there = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
    async with open_client(listen=listen, engine=media, sockets=link.host(near[0])) as client:
        with FarEnd(link.host(there[0]), there, near) as far:
            call = client.create_call(far.uri, CallSettings(media="rtp", **settings))
            await call.start()
            far.respond(await far.expect("INVITE"), 200, body=SDP)
            await far.expect("ACK")
            await call.wait_connected()
            version = 1

            async def offer(port: int, way: str = "sendrecv", ask=None) -> list[tuple[str, bool]]:
                nonlocal version
                version += 1
                body = VIDEO.replace("o=far 1 2", f"o=far 1 {version}")
                body = body.replace("m=video 5000", f"m=video {port}") + f"a={way}\r\n"
                reinvite(far, call, body, cseq=version)
                if ask is not None:
                    await ask()
                ok = await far.expect(200)
                far.acknowledge(ok)
                return ports(ok)[1], ok.body.decode().partition("m=video")[2]

            yield call, offer
            await finish(call, far)
    media.close()


@pytest.mark.native
async def test_a_no_counts_also_after_a_yes(autojump_clock) -> None:
    async with offered_video_again_and_again() as (call, offer):
        events = call.events(CallUpgrade)

        async def say(word: str) -> None:
            getattr(await events.__anext__(), word)()

        first = await offer(5000, ask=lambda: say("accept"))
        gone = await offer(0)
        second = await offer(5000, ask=lambda: say("reject"))
        third = await offer(5000, ask=lambda: say("accept"))

    taken = [answer[0] for answer in (first, gone, second, third)]
    assert taken == [("m=video", True), ("m=video", False), ("m=video", False), ("m=video", True)]


@pytest.mark.native
async def test_video_that_was_taken_away_is_asked_about_anew(autojump_clock) -> None:
    asked = []
    async with offered_video_again_and_again() as (call, offer):
        listening = call.on(CallUpgrade, lambda event: (asked.append(event), event.accept()))
        await offer(5000)
        await offer(5000)
        assert len(asked) == 1, "what goes on is nothing new"
        await offer(5000, "inactive")
        _, answer = await offer(5000)
        assert len(asked) == 2
        assert "a=recvonly" in answer
        await offer(0)
        listening.remove()
        taken, _ = await offer(5000)

    assert taken == ("m=video", False), "nobody was there to say yes"
