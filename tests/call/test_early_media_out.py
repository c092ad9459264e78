"""Early media out: the answer in a 183, and media both ways before the call is answered."""

from __future__ import annotations

import pytest
import trio

from trivox.call._paths import FLOW, lose_path, regain_path
from trivox.call.events import EarlyMediaStarted, Event
from trivox.errors import CallReconnectingError, MediaNegotiationError, StreamAlreadySendingError
from trivox.media.sources import ToneSource
from trivox.testing.far_end import SDP

from .test_hold import attribute

OWN_URI = "sip:bot@10.0.0.1:5060"


async def arrive(client, far, body=SDP):
    calls = client.incoming_calls()
    far.invite(OWN_URI, body=body)
    call = await calls.__anext__()
    calls.close()
    return call


async def test_183_carries_the_answer_and_what_is_played_is_heard_before_200(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await arrive(client, far)
        names = []
        call.on(Event, lambda event: names.append(type(event).__name__))
        await call.progress(183)
        early = await far.expect(183)
        played = await call.play(ToneSource(duration=1.0))
        assert call.has_early_media.value is True
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        assert (attribute(early), early.body) == ("sendrecv", ok.body)
        assert played.seconds == pytest.approx(1.0)
        far.hang_up(ok)
        await call.wait_ended()

    assert names[:5] == [
        "MediaNegotiated", "RemoteMediaAdded", "EarlyMediaStarted", "FirstRtpReceived",
        "MediaNegotiated",
    ]  # fmt: skip
    assert EarlyMediaStarted.__name__ in names


async def test_180_has_no_media_unless_streams_are_given(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await arrive(client, far)
        await call.progress()
        assert (await far.expect(180)).body == b""
        assert call.has_early_media.value is False
        stream = client.streams.create_audio_stream(ToneSource())
        await call.progress(180, streams=(stream,))
        assert b"m=audio" in (await far.expect(180)).body
        assert stream in call.local_streams.value
        assert own.engine.counts()["playbacks"] == 1
        with pytest.raises(StreamAlreadySendingError):
            await call.progress(183, streams=(stream,))
        await call.progress(183)
        assert b"m=audio" in (await far.expect(183)).body
        call.reject()
        await far.expect(603)
        await call.wait_ended()
        assert own.engine.counts()["sessions"] == 0


async def test_an_offer_we_cannot_answer_is_refused_with_488(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await arrive(client, far, SDP.replace("m=audio 4000", "m=audio 0"))
        with pytest.raises(MediaNegotiationError):
            await call.progress(183)
        await far.expect(488)
        await call.wait_ended()


async def test_without_an_offer_there_is_no_early_media(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await arrive(client, far, "")
        await call.progress(183)
        assert (await far.expect(183)).body == b""
        with pytest.raises(MediaNegotiationError, match="no offer"):
            await call.progress(183, streams=(client.streams.create_audio_stream(ToneSource()),))
        call.hangup()
        await far.expect(603)
        await call.wait_ended()


async def test_early_media_goes_with_a_caller_who_gives_up(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await arrive(client, far)
        await call.progress(183)
        await far.expect(183)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_play_until_ended, call)
            await trio.sleep(1)
            lose_path(call, FLOW)
            with pytest.raises(CallReconnectingError):
                await call.progress(183)
            with pytest.raises(CallReconnectingError):
                call.audio()
            with pytest.raises(CallReconnectingError):
                await call.play(ToneSource())
            regain_path(call, FLOW)
            call.hangup()
        assert own.engine.counts()["sessions"] == 0


async def _play_until_ended(call) -> None:
    with pytest.raises(Exception, match="ended"):
        await call.play(ToneSource())
