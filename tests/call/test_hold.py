"""Hold, from both ends: directions, watchables, events, music, refusals, glare, cancellation."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import HoldChanged
from trivox.errors import (
    CallEndedError,
    CallNotOnHoldError,
    CallOnHoldError,
    CallReconnectingError,
    CallWrongStateError,
    EngineError,
    InvalidArgumentsError,
    StreamUpdateFailedError,
)
from trivox.media.engine import EngineEventKind
from trivox.media.sources import ToneSource
from trivox.testing.far_end import SDP

FAR_URI = "sip:far@10.0.0.9:5060"


async def connected(client, far):
    """Return a connected call to the scripted far end."""
    call = client.create_call(FAR_URI)
    await call.start()
    far.respond(await far.expect("INVITE"), 200, body=SDP)
    await call.wait_connected()
    await far.expect("ACK")
    return call


def attribute(message) -> str:
    lines = message.body.decode().splitlines()
    names = {"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"}
    (line,) = [line for line in lines if line in names]
    return line.removeprefix("a=")


def events_of(call) -> list[tuple[str, bool, bool]]:
    told: list[tuple[str, bool, bool]] = []
    call.on(HoldChanged, lambda e: told.append((str(e.originator), e.local, e.remote)))
    return told


async def test_both_ends_see_a_hold_and_its_end(autojump_clock, pair) -> None:
    async def body(near, far) -> None:
        ours, theirs = events_of(near), events_of(far)
        for _ in range(3):
            await near.hold()
            assert (near.is_on_hold.value, near.is_remotely_held.value) == (True, False)
            assert (far.is_on_hold.value, far.is_remotely_held.value) == (False, True)
            await near.hold(False)
            assert (near.is_on_hold.value, far.is_remotely_held.value) == (False, False)

        assert ours == [("local", True, False), ("local", False, False)] * 3
        assert theirs == [("remote", False, True), ("remote", False, False)] * 3

    await pair.run(body)


async def test_both_ends_may_hold_and_each_takes_its_own_off(autojump_clock, pair) -> None:
    async def body(near, far) -> None:
        await near.hold()
        await far.hold()
        held = [(call.is_on_hold.value, call.is_remotely_held.value) for call in (near, far)]
        await near.hold(False)
        between = (near.is_on_hold.value, near.is_remotely_held.value)
        await far.hold(False)

        assert held == [(True, True)] * 2
        assert between == (False, True)
        assert (far.is_on_hold.value, near.is_remotely_held.value) == (False, False)

    await pair.run(body)


async def test_hold_is_offered_as_sendonly_and_taken_back_as_sendrecv(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.hold)
            offer = await far.expect("INVITE")
            far.respond(offer, 200, body=SDP.replace("sendrecv", "recvonly"))
            await far.expect("ACK")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.hold, False)
            other = await far.expect("INVITE")
            far.respond(other, 200, body=SDP)
            await far.expect("ACK")
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()

    assert (attribute(offer), attribute(other)) == ("sendonly", "sendrecv")
    assert offer.header("To").endswith(";tag=far-tag")


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (("a=sendrecv", "a=sendonly"), "recvonly"),
        (("a=sendrecv", "a=inactive"), "inactive"),
        (("c=IN IP4 10.0.0.9", "c=IN IP4 0.0.0.0"), "recvonly"),
        (("a=sendrecv", "c=IN IP4 0.0.0.0\r\na=sendrecv"), "recvonly"),
        (("a=sendrecv", "c=IN IP4 0.0.0.0\r\na=inactive"), "inactive"),
        (("a=sendrecv", "b=AS:0\r\na=sendrecv"), "recvonly"),
        (("t=0 0", "b=AS:0\r\nt=0 0"), "recvonly"),
        (("a=sendrecv\r\n", ""), None),
        (("a=sendrecv\r\n", "b=AS:64\r\n"), None),
        (("t=0 0", "t=0 0\r\na=sendonly"), None),
        (("a=sendrecv\r\n", "m=video 0 RTP/AVP 96\r\na=inactive\r\n"), None),
    ],
    ids=str,
)
async def test_every_dialect_of_hold_is_understood_and_so_is_what_is_none(
    autojump_clock, world, change, answer
) -> None:
    """RFC 3264 §5.1."""
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        for cseq in (2, 4):
            far.request("INVITE", "sip:x@10.0.0.1", call_id=call.sip_call_id,
                        to_tag=far_tag(call), cseq=cseq, body=SDP.replace(*change))  # fmt: skip
            ok = await far.expect(200)
            far.acknowledge(ok)
            assert attribute_of_audio(ok) == (answer or "sendrecv")
            assert call.is_remotely_held.value is (answer is not None)
            far.request("INVITE", "sip:x@10.0.0.1", call_id=call.sip_call_id,
                        to_tag=far_tag(call), cseq=cseq + 1, body=SDP)  # fmt: skip
            ok = await far.expect(200)
            far.acknowledge(ok)
            assert (attribute_of_audio(ok), call.is_remotely_held.value) == ("sendrecv", False)
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()


def attribute_of_audio(message) -> str:
    audio = message.body.decode().split("m=audio", 1)[1].split("\r\nm=", 1)[0]
    names = {"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"}
    return next(line for line in audio.splitlines() if line in names).removeprefix("a=")


def far_tag(call) -> str:
    return call._session.dialog.local_tag


async def test_the_same_hold_twice_is_refused_before_anything_is_sent(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        with pytest.raises(CallNotOnHoldError):
            await call.hold(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.hold)
            far.respond(await far.expect("INVITE"), 200, body=SDP)
        await far.expect("ACK")
        with pytest.raises(CallOnHoldError):
            await call.hold()
        with pytest.raises(InvalidArgumentsError, match="music"):
            await call.hold(False, music=ToneSource())
        assert await far.silence(5)
        assert call.is_on_hold.value is True
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()


async def test_hold_needs_a_connected_call(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        with pytest.raises(CallWrongStateError):
            await call.hold()
        await call.start()
        with pytest.raises(CallWrongStateError):
            await call.hold()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await call.wait_connected()
        own.media.sessions._emit(1, EngineEventKind.ICE_STATE, 0.0, "disconnected")
        await trio.sleep(3)
        with pytest.raises(CallReconnectingError):
            await call.hold()
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
        with pytest.raises(CallEndedError):
            await call.hold()


async def test_a_refused_hold_leaves_the_call_as_it_was(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        told = events_of(call)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_refused, call)
            far.respond(await far.expect("INVITE"), 488)
        assert call.is_on_hold.value is False
        assert own.engine.counts()["playbacks"] == 0
        far.request("INVITE", "sip:x@10.0.0.1", call_id=call.sip_call_id, to_tag=far_tag(call),
                    cseq=2, body=SDP)  # fmt: skip
        ok = await far.expect(200)
        far.acknowledge(ok)
        assert (attribute(ok), told) == ("sendrecv", [])
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()


async def _refused(call) -> None:
    with pytest.raises(StreamUpdateFailedError) as caught:
        await call.hold(music=ToneSource())
    assert caught.value.sip_code == 488


async def test_music_plays_to_the_held_party_only_and_starts_anew(autojump_clock, pair) -> None:
    async def body(near, far) -> None:
        engine = pair.world.engine
        for _ in range(2):
            await near.hold(music=ToneSource((440.0,)))
            assert engine.counts()["playbacks"] == 1
            await near.hold(False)
            assert engine.counts()["playbacks"] == 0
        with pytest.raises(EngineError):
            await near.hold(music="/nowhere.wav")
        assert (near.is_on_hold.value, engine.counts()["playbacks"]) == (False, 0)

    await pair.run(body)


async def test_both_ends_hold_at_the_same_moment_and_both_get_their_way(
    autojump_clock, pair
) -> None:
    async def body(near, far) -> None:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.hold)
            nursery.start_soon(far.hold)

        held = [(call.is_on_hold.value, call.is_remotely_held.value) for call in (near, far)]
        assert held == [(True, True)] * 2
        # RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other at most 2 s.
        assert 2.1 <= trio.current_time() - began <= 4.5

    await pair.run(body)


async def test_a_cancelled_hold_is_completed_in_the_background(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        with trio.move_on_after(0.5):
            await call.hold()
        assert call.is_on_hold.value is False
        far.respond(await far.expect("INVITE"), 200, body=SDP.replace("sendrecv", "recvonly"))
        await call.is_on_hold.wait_value(True)
        assert call.is_on_hold.value is True
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
        assert call.is_on_hold.value is False


async def test_a_hold_that_waits_fails_when_the_call_ends(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_ended, call)
            await far.expect("INVITE")
            far.request("BYE", "sip:x@10.0.0.1", call_id=call.sip_call_id, to_tag=far_tag(call),
                        cseq=2)  # fmt: skip
        await call.wait_ended()


async def _ended(call) -> None:
    with pytest.raises(CallEndedError):
        await call.hold()


async def test_silence_of_a_held_call_ends_nothing(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.hold)
            far.respond(await far.expect("INVITE"), 200, body=SDP.replace("sendrecv", "recvonly"))
        own.media.sessions._emit(1, EngineEventKind.MEDIA_TIMEOUT, 40.0, "")
        await trio.sleep(1)
        assert call.end is None
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
