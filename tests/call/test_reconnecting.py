"""RECONNECTING, from every state that can lose its path, back to it, and to the end."""

from __future__ import annotations

import pytest
import trio

from trivox.call._paths import FLOW, lose_path
from trivox.call.events import EndReason, Event
from trivox.call.states import CallState
from trivox.errors import CallReconnectingError
from trivox.media.engine import EngineEventKind
from trivox.media.sources import ToneSource
from trivox.testing.far_end import SDP

from .test_hold import FAR_URI, connected

OWN_URI = "sip:bot@10.0.0.1:5060"


def ice(own, state: str) -> None:
    """Let the engine say how the path of its first session is."""
    own.media.sessions._emit(1, EngineEventKind.ICE_STATE, 0.0, state)


def broken(own) -> None:
    own.media.sessions._emit(1, EngineEventKind.FAILED, 0.0, "the path is gone")


def record(call) -> list[str]:
    names: list[str] = []
    call.on(Event, lambda event: names.append(type(event).__name__))
    return names


async def calling(client, far):
    call = client.create_call(FAR_URI)
    await call.start()
    await far.expect("INVITE")
    return call


async def arriving(client, far):
    calls = client.incoming_calls()
    far.invite(OWN_URI)
    call = await calls.__anext__()
    calls.close()
    await call.progress(183)
    return call


async def answering(client, far):
    call = await arriving(client, far)
    await call.answer()
    return call


WAYS = {
    "out connecting": (calling, CallState.CONNECTING),
    "in created": (arriving, CallState.CREATED),
    "in connecting": (answering, CallState.CONNECTING),
    "connected": (connected, CallState.CONNECTED),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_path_away_for_over_2_s_is_told_and_back_is_the_state_before(
    autojump_clock, world, way
) -> None:
    own = world()
    make, state = WAYS[way]
    async with own.with_far_end() as (client, far):
        call = await make(client, far)
        names = record(call)
        ice(own, "disconnected")
        await trio.sleep(1.9)
        assert call.state.value is state
        await trio.sleep(0.2)
        assert call.state.value is CallState.RECONNECTING
        ice(own, "connected")
        await trio.sleep(0.1)
        assert call.state.value is state
        assert [name for name in names if name.startswith("Reconn")] == [
            "Reconnecting",
            "Reconnected",
        ]
        call.hangup()


@pytest.mark.parametrize("way", WAYS)
async def test_a_path_back_within_2_s_is_told_to_nobody(autojump_clock, world, way) -> None:
    own = world()
    make, state = WAYS[way]
    async with own.with_far_end() as (client, far):
        call = await make(client, far)
        names = record(call)
        ice(own, "disconnected")
        await trio.sleep(1.5)
        ice(own, "connected")
        await trio.sleep(5)
        assert (call.state.value, "Reconnecting" in names) == (state, False)
        call.hangup()


@pytest.mark.parametrize("way", WAYS)
async def test_a_path_given_up_ends_the_call_as_it_was(autojump_clock, world, way) -> None:
    own = world()
    make, state = WAYS[way]
    async with own.with_far_end() as (client, far):
        call = await make(client, far)
        ice(own, "disconnected")
        await trio.sleep(3)
        broken(own)
        if way == "connected":
            far.respond(await far.expect("BYE"), 200)
        elif way == "out connecting":
            # Nothing was heard of the callee yet: CANCEL may go once something is.
            await trio.sleep(40)
        end = await call.wait_ended()

        assert call.timings.connected is None or state is CallState.CONNECTED
        if state is CallState.CONNECTED:
            assert call.state.value is CallState.DISCONNECTED
            assert end.reason is EndReason.CONNECTION_LOST
        else:
            assert call.state.value is CallState.FAILED
            assert (end.reason, end.sip_code) == (EndReason.FAILED, 0)


async def test_what_comes_while_reconnecting_is_taken_as_before(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await calling(client, far)
        ice(own, "disconnected")
        await trio.sleep(3)
        assert call.state.value is CallState.RECONNECTING
        call.mute_microphone()
        call.hangup()
        assert call.state.value is CallState.DISCONNECTING

        arrived = await arriving(client, far)
        lose_path(arrived, FLOW)
        await arrived.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await arrived.wait_connected()
        assert arrived.state.value is CallState.CONNECTED  # the ACK came by a live connection
        far.hang_up(ok)
        end = await arrived.wait_ended()
        assert end.reason is EndReason.REMOTE_ENDED


async def test_media_under_way_goes_on_over_the_gap_and_nothing_new_begins(
    autojump_clock, world
) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.play, ToneSource(duration=10.0))
            await trio.sleep(1)
            ice(own, "disconnected")
            await trio.sleep(3)
            for operation in (
                lambda: call.play(ToneSource()),
                lambda: call.recording("never.wav").__aenter__(),
                lambda: call.collect_dtmf(),
                lambda: call.hold(),
                lambda: call.send_request("OPTIONS"),
            ):
                with pytest.raises(CallReconnectingError):
                    await operation()
            with pytest.raises(CallReconnectingError):
                call.audio()
            ice(own, "connected")
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()


async def test_a_change_asked_for_before_the_gap_is_made_after_it(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await connected(client, far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.hold)
            offer = await far.expect("INVITE")
            nursery.start_soon(_hold_off, call)
            await trio.sleep(0.5)
            ice(own, "disconnected")
            await trio.sleep(3)
            far.respond(offer, 200, body=SDP)
            await far.expect("ACK")
            assert await far.silence(3)
            ice(own, "connected")
            far.respond(await far.expect("INVITE"), 200, body=SDP)
        assert call.is_on_hold.value is False
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()


async def _hold_off(call) -> None:
    await call.is_on_hold.wait_value(True)
    while call.is_on_hold.value:
        try:
            await call.hold(False)
        except CallReconnectingError:
            await call.state.wait_value(CallState.CONNECTED)
