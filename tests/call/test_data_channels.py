"""Data channels of calls over the real engine in virtual time."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import assert_checkpoints

from trivox.call.data_events import DataChannelOpened
from trivox.call.media_leg import MediaLeg
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.errors import CallEndedError, EngineError, InvalidArgumentsError
from trivox.media.native_engine import driven_media

from .conftest import World

pytestmark = pytest.mark.native

URI = "sip:bob@10.0.0.2:5060"
TAKING = CallSettings(media="webrtc", receive_data_channels=True)


class DataWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.media = driven_media(seed=b"data", now=trio.current_time())


@asynccontextmanager
async def two(theirs: CallSettings = TAKING, created: str | None = "chat", media: str = "webrtc"):
    """Two connected calls; yields (our call, our channel, their call, their opened channels)."""
    world, arrived, calls = DataWorld(), trio.Event(), []
    send, opened = trio.open_memory_channel(100)

    async def handler(call) -> None:
        calls.append(call)
        if theirs.receive_data_channels:
            call.on(DataChannelOpened, lambda event: send.send_nowait(event.channel))
        await call.answer(theirs)
        await call.wait_connected()
        arrived.set()
        await call.wait_ended()

    async with world.client() as near, world.client("10.0.0.2") as far:
        async with trio.open_nursery() as nursery:
            await nursery.start(far.serve, handler)
            async with near.create_call(URI, CallSettings(media=media)) as call:
                channel = call.create_data_channel(created) if created else None
                await call.start()
                await call.wait_connected()
                await arrived.wait()
                with trio.fail_after(600):
                    yield call, channel, calls[0], opened
            nursery.cancel_scope.cancel()
    world.media.close()


async def test_messages_go_both_ways(autojump_clock) -> None:
    async with two() as (_, channel, _, opened):
        async with channel:
            far = await opened.receive()
            assert (far.label, far.state, channel.state) == ("chat", "open", "open")
            await channel.send("héllo")
            await channel.send(b"\x00\xff")
            assert [await far.receive(), await far.receive()] == ["héllo", b"\x00\xff"]
            await far.send("")
            await far.send(bytes(256 * 1024))
            assert await channel.receive() == ""
            assert await channel.receive() == bytes(256 * 1024)


async def test_a_channel_of_a_connected_call_is_offered_anew(autojump_clock) -> None:
    async with two(created=None) as (call, _, far_call, opened):
        assert "m=application" not in call._leg.local_sdp
        first = call.create_data_channel("first")
        second = call.create_data_channel("second", ordered=False, max_retransmits=3, protocol="p")
        await second.wait_open()
        far = [await opened.receive(), await opened.receive()]
        assert call._leg.local_sdp.count("m=application") == 1

        third = call.create_data_channel("third")
        async with third:
            far.append(await opened.receive())

        assert [one.label for one in far] == ["first", "second", "third"]
        assert (far[1].is_ordered, far[1].max_retransmits, far[1].protocol) == (False, 3, "p")
        assert call.data_channels == (first, second)
        assert set(far_call.data_channels) >= set(far[:2])


async def test_the_callee_opens_one_too(autojump_clock) -> None:
    async with two(created=None) as (call, _, far_call, _):
        call.on(DataChannelOpened, lambda _: None)
        async with (
            call.events(DataChannelOpened) as events,
            far_call.create_data_channel("theirs") as theirs,
        ):
            event = await anext(events)
            await theirs.send("first word")
            assert await event.channel.receive() == "first word"


async def test_who_closes_lets_the_far_end_read_what_was_sent(autojump_clock) -> None:
    async with two() as (call, channel, far_call, opened):
        async with channel:
            far = await opened.receive()
            for number in range(50):
                await channel.send(f"{number}")
        heard = [message async for message in far]

        assert heard == [f"{number}" for number in range(50)]
        assert far.state == channel.state == "closed"
        with pytest.raises(trio.BrokenResourceError):
            await far.send("too late")
        with pytest.raises(trio.ClosedResourceError):
            await channel.send("too late")
        with pytest.raises(trio.ClosedResourceError):
            await channel.receive()
        await trio.sleep(5.0)
        assert call.data_channels == far_call.data_channels == ()


async def test_a_sender_waits_for_a_slow_reader(autojump_clock) -> None:
    async with two() as (_, channel, _, opened):
        await channel.wait_open()
        far = await opened.receive()
        sent = 0

        async def send() -> None:
            nonlocal sent
            for number in range(100):
                await channel.send(bytes([number]) * 50_000)
                sent += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await trio.sleep(60.0)
            assert sent < 50
            assert channel.buffered_bytes > 0
            for number in range(100):
                assert await far.receive() == bytes([number]) * 50_000
        assert sent == 100


async def test_messages_that_are_none_or_too_long_are_refused(autojump_clock) -> None:
    async with two() as (call, channel, _, _):
        await channel.wait_open()
        with pytest.raises(InvalidArgumentsError):
            await channel.send(7)
        with pytest.raises(InvalidArgumentsError):
            await channel.send(bytes(256 * 1024 + 1))
        with pytest.raises(InvalidArgumentsError):
            call.create_data_channel("two limits", max_retransmits=1, max_packet_lifetime=1.0)
        with pytest.raises(InvalidArgumentsError):
            call.create_data_channel("no such id", id=1024)
        with pytest.raises(InvalidArgumentsError):
            call.create_data_channel("x" * 1025)


async def test_a_far_end_that_takes_none_ends_the_channel(autojump_clock) -> None:
    async with two(CallSettings(media="webrtc")) as (call, channel, _, _):
        with pytest.raises(trio.BrokenResourceError, match="takes no data channels"):
            await channel.wait_open()
        later = call.create_data_channel("again")
        with pytest.raises(trio.BrokenResourceError, match="takes no data channels"):
            await later.wait_open()


def without_bundle(monkeypatch, method: str) -> None:
    """Let one side describe each line by itself, as who knows no BUNDLE does."""
    described = getattr(MediaLeg, method)

    def apart(self, *args, **options) -> bytes:
        return re.sub(rb"a=group:BUNDLE[^\r]*\r\n", b"", described(self, *args, **options))

    monkeypatch.setattr(MediaLeg, method, apart)


async def test_an_answer_that_does_not_bundle_ends_the_channel(autojump_clock, monkeypatch) -> None:
    """RFC 9143 §7.3.3: a line that was offered in the bundle alone has no way outside of it."""
    without_bundle(monkeypatch, "answer")
    async with two() as (call, channel, _, _):
        with pytest.raises(trio.BrokenResourceError, match="takes no data channels"):
            await channel.wait_open()
        assert call.state.value is CallState.CONNECTED


async def test_an_offer_that_does_not_bundle_has_its_channels_refused(
    autojump_clock, monkeypatch, caplog
) -> None:
    """The program that would take them is told why it gets none."""
    without_bundle(monkeypatch, "offer")
    async with two() as (_, channel, theirs, _):
        with pytest.raises(trio.BrokenResourceError, match="takes no data channels"):
            await channel.wait_open()
        refused = theirs._leg.local_sdp

    assert "m=application 0 " in refused
    assert "data channels are refused: they are taken over ICE, in the bundle" in caplog.text


async def test_a_call_without_ice_has_no_way_for_data(autojump_clock) -> None:
    async with two(CallSettings(), media="rtp") as (call, channel, _, _):
        with pytest.raises(trio.BrokenResourceError, match="ICE"):
            await channel.wait_open()
        with pytest.raises(EngineError, match="ICE"):
            call.create_data_channel("later")


async def test_the_end_of_the_call_ends_its_channels(autojump_clock) -> None:
    async with two() as (call, channel, far_call, opened):
        await channel.wait_open()
        far = await opened.receive()
        await channel.send("the last word")
        await trio.sleep(1.0)
        await call.aclose()
        await far_call.wait_ended()

        assert await far.receive() == "the last word"
        with pytest.raises(trio.BrokenResourceError):
            await far.receive()
        with pytest.raises(trio.BrokenResourceError):
            await channel.receive()
        with pytest.raises(CallEndedError):
            call.create_data_channel("too late")


async def test_a_cancelled_receive_loses_no_message(autojump_clock) -> None:
    async with two() as (_, channel, _, opened):
        await channel.wait_open()
        far = await opened.receive()
        with trio.move_on_after(1.0):
            await far.receive()
        await channel.send("one")
        assert await far.receive() == "one"


async def test_both_ends_may_agree_on_an_id_instead(autojump_clock) -> None:
    async with two(created="first") as (call, _, far_call, _):
        async with (
            call.create_data_channel("", id=9) as ours,
            far_call.create_data_channel("", id=9) as theirs,
        ):
            await ours.send("known")
            assert await theirs.receive() == "known"


async def test_the_coroutines_of_a_channel_are_checkpoints(autojump_clock) -> None:
    async with two() as (call, channel, _, opened):
        with assert_checkpoints():
            await channel.wait_open()
        far = await opened.receive()
        for text in ("one", "two"):
            with assert_checkpoints():
                await channel.send(text)
        await trio.sleep(1)
        with assert_checkpoints():
            assert await far.receive() == "one"
        with assert_checkpoints():
            assert await anext(far) == "two"
        with assert_checkpoints():
            await channel.aclose()
        with assert_checkpoints():
            async with call.create_data_channel("again"):
                pass


async def test_channels_that_are_not_taken_are_counted(autojump_clock) -> None:
    async with two() as (call, _, far, _):
        assert call.statistics().connection.refused_data == 0
        far.create_data_channel("unwanted")
        await trio.sleep(2)

        assert call.statistics().connection.refused_data == 1
