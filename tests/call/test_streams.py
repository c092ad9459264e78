"""Several audio streams in one call: what is sent, what the far end is asked, what is refused."""

from __future__ import annotations

import gc

import pytest
import trio

from trivox.call.codec_info import CodecInfo
from trivox.call.events import MediaNegotiated, StreamEnded
from trivox.call.settings import CallSettings
from trivox.call.streams import LocalStream, StreamType
from trivox.errors import (
    AudioStreamRequiredError,
    CallEndedError,
    CallOnHoldError,
    CallReconnectingError,
    EngineError,
    InactiveStreamError,
    InvalidArgumentsError,
    StreamAlreadySendingError,
    StreamNotSendingError,
    StreamTypeMismatchError,
    StreamUpdateFailedError,
)
from trivox.media.engine import EngineEventKind
from trivox.media.sources import ToneSource
from trivox.testing.far_end import SDP

from .test_hold import attribute, connected

FAR_URI = "sip:far@10.0.0.9:5060"
OWN_URI = "sip:bot@10.0.0.1:5060"
RECEIVING = SDP.replace("sendrecv", "sendonly")


async def finish(call, far) -> None:
    call.hangup()
    far.respond(await far.expect("BYE"), 200)
    await call.wait_ended()


async def change(far, operation, *arguments, answer: str = SDP, status: int = 200):
    """Run an operation that asks the far end; returns our offer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(operation, *arguments)
        offer = await far.expect("INVITE")
        far.respond(offer, status, body=answer if status == 200 else "")
        await far.expect("ACK")
    return offer


async def test_a_second_stream_is_mixed_in_without_asking_the_far_end(
    autojump_clock, world
) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        (first,) = call.local_streams.value
        before = call.local_streams.value
        stream = client.streams.create_audio_stream(ToneSource())
        await call.add_stream(stream)
        assert call.local_streams.value == {first, stream}
        assert call.local_streams.value is not before
        assert own.engine.counts()["playbacks"] == 1
        await call.remove_stream(stream)
        assert call.local_streams.value == {first}
        assert own.engine.counts()["playbacks"] == 0
        assert stream.is_active.value is True
        assert await far.silence(5)
        await finish(call, far)


async def test_the_last_stream_that_goes_and_the_first_that_comes_are_offered(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        (own,) = call.local_streams.value
        gone = await change(far, call.remove_stream, own, answer=RECEIVING)
        assert call.local_streams.value == frozenset()
        stream = client.streams.create_audio_stream(ToneSource())
        back = await change(far, call.add_stream, stream)
        assert call.local_streams.value == {stream}
        await finish(call, far)

    assert (attribute(gone), attribute(back)) == ("recvonly", "sendrecv")


async def test_two_streams_in_one_turn_are_one_offer_and_hold_waits_for_it(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        (own,) = call.local_streams.value
        await change(far, call.remove_stream, own, answer=RECEIVING)
        streams = [client.streams.create_audio_stream(ToneSource()) for _ in range(2)]
        offers = []
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(call.add_stream, stream)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(call.hold)
            for _ in range(2):
                offer = await far.expect("INVITE")
                await trio.sleep(0.2)
                assert call.is_on_hold.value is False
                far.respond(offer, 200, body=SDP)
                offers.append(attribute(offer))
                await far.expect("ACK")
        assert await far.silence(3)
        assert (call.local_streams.value, call.is_on_hold.value) == (frozenset(streams), True)
        await finish(call, far)

    assert offers == ["sendrecv", "sendonly"]


async def test_a_refused_stream_leaves_all_as_it_was(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        (mine,) = call.local_streams.value
        await change(far, call.remove_stream, mine, answer=RECEIVING)
        stream = client.streams.create_audio_stream(ToneSource())

        async def refused() -> None:
            with pytest.raises(StreamUpdateFailedError) as caught:
                await call.add_stream(stream)
            assert caught.value.sip_code == 488

        await change(far, refused, status=488)
        assert call.local_streams.value == frozenset()
        assert own.engine.counts()["playbacks"] == 0
        await change(far, call.add_stream, stream)
        assert call.local_streams.value == {stream}
        await finish(call, far)


async def test_a_stream_is_replaced_without_asking_new_one_first(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        (mine,) = call.local_streams.value
        one, other = (client.streams.create_audio_stream(ToneSource()) for _ in range(2))
        await call.replace_stream(one, mine)
        await call.replace_stream(other, one)
        assert call.local_streams.value == {other}
        assert own.engine.counts()["playbacks"] == 1
        with pytest.raises(StreamNotSendingError):
            await call.replace_stream(one, mine)
        with pytest.raises(StreamAlreadySendingError):
            await call.replace_stream(other, other)
        assert await far.silence(5)
        await finish(call, far)


async def test_every_error_comes_before_any_effect(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        (mine,) = call.local_streams.value
        stream, closed = (client.streams.create_audio_stream(ToneSource()) for _ in range(2))
        closed.close()
        video = LocalStream("screen", type=StreamType.SCREEN_VIDEO)
        unreadable = client.streams.create_audio_stream("/nowhere.wav")
        for error, operation in (
            (InvalidArgumentsError, lambda: call.add_stream("music.wav")),
            (StreamTypeMismatchError, lambda: call.add_stream(video)),
            (StreamTypeMismatchError, lambda: call.replace_stream(video, mine)),
            (StreamAlreadySendingError, lambda: call.add_stream(mine)),
            (StreamNotSendingError, lambda: call.remove_stream(stream)),
            (StreamNotSendingError, lambda: call.replace_stream(mine, stream)),
            (InactiveStreamError, lambda: call.add_stream(closed)),
            (InactiveStreamError, lambda: call.replace_stream(closed, mine)),
            (EngineError, lambda: call.add_stream(unreadable)),
        ):
            with pytest.raises(error):
                await operation()
        await change(far, call.hold)
        for operation in (
            lambda: call.add_stream(stream),
            lambda: call.remove_stream(mine),
            lambda: call.replace_stream(stream, mine),
        ):
            with pytest.raises(CallOnHoldError):
                await operation()
        own.media.sessions._emit(1, EngineEventKind.ICE_STATE, 0.0, "disconnected")
        await trio.sleep(3)
        with pytest.raises(CallReconnectingError):
            await call.add_stream(stream)
        assert (call.local_streams.value, own.engine.counts()["playbacks"]) == ({mine}, 0)
        await finish(call, far)
        with pytest.raises(CallEndedError):
            await call.add_stream(stream)
        assert stream.is_active.value is True


async def test_streams_chosen_before_the_call_are_sent_from_its_start(
    autojump_clock, world
) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        one, other = (client.streams.create_audio_stream(ToneSource()) for _ in range(2))
        call = client.create_call(FAR_URI, CallSettings(streams=(one,)))
        await call.add_stream(other)
        assert own.engine.counts()["playbacks"] == 0
        await call.start()
        assert own.engine.counts()["playbacks"] == 2
        await call.remove_stream(other)
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await call.wait_connected()
        assert own.engine.counts()["playbacks"] == 1
        assert one in call.local_streams.value
        await finish(call, far)
    with pytest.raises(InvalidArgumentsError):
        CallSettings(streams=("music.wav",))


async def test_a_call_without_audio_does_not_start_unless_that_is_wanted(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        (mine,) = call.local_streams.value
        await call.remove_stream(mine)
        with pytest.raises(AudioStreamRequiredError):
            await call.start()
        call.hangup()

        silent = client.create_call(FAR_URI, CallSettings(allow_no_audio=True))
        await silent.remove_stream(*silent.local_streams.value)
        await silent.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 200, body=RECEIVING)
        await silent.wait_connected()
        await finish(silent, far)

    assert attribute(invite) == "recvonly"


async def test_what_changed_while_connecting_is_told_once_connected(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        await call.start()
        invite = await far.expect("INVITE")
        await call.remove_stream(*call.local_streams.value)
        far.respond(invite, 200, body=SDP)
        await far.expect("ACK")
        later = await far.expect("INVITE")
        far.respond(later, 200, body=RECEIVING)
        await far.expect("ACK")
        await finish(call, far)

    assert (attribute(invite), attribute(later)) == ("sendrecv", "recvonly")


async def test_closing_a_stream_ends_it_in_every_call_that_sends_it(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        calls = [await connected(client, far) for _ in range(2)]
        stream = client.streams.create_audio_stream(ToneSource(), name="music")
        told = []
        for call in calls:
            await call.add_stream(stream)
            call.on(StreamEnded, lambda event: told.append((event.call, event.stream.id)))
        assert client.streams.get_stream("music") is stream
        stream.close()
        stream.close()
        assert told == [(call, "music") for call in calls]
        assert all(stream not in call.local_streams.value for call in calls)
        assert own.engine.counts()["playbacks"] == 0
        assert (stream.is_active.value, client.streams.get_stream("music")) == (False, None)
        for call in calls:
            await finish(call, far)


async def test_a_stream_that_has_played_out_is_gone_and_the_far_end_told(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        (mine,) = call.local_streams.value
        stream = client.streams.create_audio_stream(ToneSource(duration=2.0))
        await call.replace_stream(stream, mine)
        ended = trio.current_time()
        offer = await far.expect("INVITE")
        assert trio.current_time() - ended == pytest.approx(2.0, abs=0.1)
        far.respond(offer, 200, body=RECEIVING)
        await far.expect("ACK")
        assert (attribute(offer), call.local_streams.value) == ("recvonly", frozenset())
        await finish(call, far)


async def test_a_stream_outlives_its_call_and_may_be_sent_again(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        stream = client.streams.create_audio_stream(ToneSource())
        for _ in range(2):
            call = await connected(client, far)
            await call.add_stream(stream)
            await finish(call, far)
            assert call.local_streams.value == frozenset()
        assert stream.is_active.value is True
        assert own.engine.counts()["playbacks"] == 0
        assert stream._senders is None


async def test_names_of_streams_are_unique(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _):
        stream = client.streams.create_audio_stream(ToneSource(), name="music")
        with pytest.raises(InvalidArgumentsError):
            client.streams.create_audio_stream(ToneSource(), name="music")
        with pytest.raises(InvalidArgumentsError):
            client.streams.create_audio_stream(5)
        assert stream.id == "music"


async def test_a_stream_handed_over_is_closed_with_the_last_call_that_sends_it(
    autojump_clock, world
) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        owned = client.streams.create_audio_stream(ToneSource(), owned=True)
        kept = client.streams.create_audio_stream(ToneSource())
        calls = [await connected(client, far) for _ in range(2)]
        for call in calls:
            await call.add_stream(owned)
            await call.add_stream(kept)
        await calls[1].remove_stream(owned)
        await calls[1].add_stream(owned)
        assert owned.is_active.value

        await finish(calls[0], far)
        assert owned.is_active.value
        await finish(calls[1], far)
        assert (owned.is_active.value, kept.is_active.value) == (False, True)


async def test_a_stream_of_the_far_end_names_its_call_and_its_codec(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        assert (await _negotiated(call, far)).codecs == ("PCMU",)
        (stream,) = call.remote_streams.value
        assert stream.call is call
        assert stream.codec.value == CodecInfo("PCMU", 8_000, 1)
        is_active = stream.is_active
        assert is_active.value
        await finish(call, far)
        assert not is_active.value
        assert not stream.is_active.value


async def test_a_stream_of_a_call_that_is_gone_says_so(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        (stream,) = call.remote_streams.value
        await finish(call, far)
        await trio.sleep(40)
        del call
        gc.collect()
        assert not stream.is_active.value
        with pytest.raises(CallEndedError, match="is gone"):
            _ = stream.call


async def _negotiated(call, far):
    with call.events(MediaNegotiated) as events:
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await far.expect("ACK")
        await call.wait_connected()
        return await anext(events)


async def test_a_stream_tells_in_which_calls_it_has_ended(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = [await connected(client, far) for _ in range(2)]
        stream = client.streams.create_audio_stream(ToneSource(), name="music")
        events = stream.events()
        for call in calls:
            await call.add_stream(stream)
        stream.close()
        told = [(event.call, event.stream, event.error) async for event in events]
        assert told == [(call, stream, None) for call in calls]
        assert [event async for event in stream.events()] == []
        assert (stream.source, stream.type) == ("local", StreamType.AUDIO)
        for call in calls:
            await finish(call, far)


async def test_a_stream_that_has_played_out_tells_so_and_may_be_sent_again(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await connected(client, far)
        stream = client.streams.create_audio_stream(ToneSource(duration=1.0))
        with stream.events(max_waiting=4) as events:
            for _ in range(2):
                await call.add_stream(stream)
                event = await anext(events)
                assert (type(event), event.call) == (StreamEnded, call)
                assert stream.is_active.value
        await finish(call, far)
        assert stream not in call.local_streams.value
