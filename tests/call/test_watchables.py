"""What the watchables say is true at all times, and reconnecting is told and survived."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EndReason, Originator, Reconnected, Reconnecting
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.errors import CallEndedError, CallReconnectingError
from trivox.media.engine import EngineEventKind
from trivox.testing.far_end import SDP

FAR_URI = "sip:far@10.0.0.9:5060"
NAMES = [
    "state", "is_on_hold", "is_microphone_muted", "is_video_enabled", "has_screen_sharing",
    "local_streams", "remote_streams", "remote_display_name", "remote_sip_uri",
    "is_remotely_held", "is_ringing", "has_early_media", "ice_state", "media_state",
]  # fmt: skip


def values(call) -> dict[str, object]:
    return {name: getattr(call, name).value for name in NAMES}


async def _connected(client, far, **settings):
    call = client.create_call(FAR_URI, CallSettings(**settings))
    await call.start()
    far.respond(await far.expect("INVITE"), 200, body=SDP)
    await call.wait_connected()
    await far.expect("ACK")
    return call


def _tell(own, kind: EngineEventKind, number: float = 0.0, text: str = "") -> None:
    """Let the engine report something about its first session."""
    own.media.sessions._emit(1, kind, number, text)


async def test_every_watchable_of_the_reference_before_within_and_after(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(mute_audio=True))
        before = values(call)
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await call.wait_connected()
        within = values(call)
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
        after = values(call)

    assert before["state"] is CallState.CREATED
    assert before["is_microphone_muted"] is True
    assert len(before["local_streams"]) == 1
    assert before["remote_streams"] == frozenset()
    assert before["remote_sip_uri"] is None
    assert within["state"] is CallState.CONNECTED
    assert within["remote_sip_uri"] == FAR_URI
    assert len(within["remote_streams"]) == 1
    assert within["media_state"] == "connected"
    assert after["state"] is CallState.DISCONNECTED
    assert after["remote_streams"] == after["local_streams"] == frozenset()
    assert after["media_state"] == "closed"
    assert not any(
        moment[name]
        for moment in (before, within, after)
        for name in ("is_on_hold", "is_video_enabled", "has_screen_sharing")
    )


async def test_watch_callbacks_see_every_state_in_order_before_the_events(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        seen = []
        call.state.watch(lambda new, old: seen.append(new))
        await call.start()
        far.respond(await far.expect("INVITE"), 486)
        await call.wait_ended()

    assert seen == [CallState.CONNECTING, CallState.FAILED]


async def test_waiting_for_what_can_no_longer_be_says_that_the_call_ended(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = await _connected(client, far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_after, call, far, 1.0)
            with pytest.raises(CallEndedError):
                await call.is_ringing.wait_value(True)


async def _end_after(call, far, seconds: float) -> None:
    await trio.sleep(seconds)
    call.hangup()
    far.respond(await far.expect("BYE"), 200)


async def test_a_lost_path_is_reconnecting_after_two_seconds_and_comes_back(
    autojump_clock, world
) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await _connected(client, far)
        events = call.events(Reconnecting, Reconnected)
        _tell(own, EngineEventKind.ICE_STATE, text="disconnected")
        await trio.sleep(1.9)
        assert call.state.value is CallState.CONNECTED
        assert call.ice_state.value == "disconnected"
        await trio.sleep(0.2)

        assert call.state.value is CallState.RECONNECTING
        call.mute_microphone()
        with pytest.raises(CallReconnectingError):
            call.send_info("text/plain", "x")

        _tell(own, EngineEventKind.ICE_STATE, text="connected")
        assert await call.state.wait_value(CallState.CONNECTED) is CallState.CONNECTED
        assert isinstance(await events.__anext__(), Reconnecting)
        assert isinstance(await events.__anext__(), Reconnected)
        _tell(own, EngineEventKind.ICE_STATE, text="disconnected")
        await trio.sleep(3)
        _tell(own, EngineEventKind.FAILED, text="consent lost")
        far.respond(await far.expect("BYE"), 200)

        assert (await call.wait_ended()).reason is EndReason.CONNECTION_LOST


async def test_hangup_while_reconnecting_is_as_from_the_state_before(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await _connected(client, far)
        _tell(own, EngineEventKind.ICE_STATE, text="disconnected")
        await trio.sleep(3)
        call.hangup()

        assert call.state.value is CallState.DISCONNECTING
        far.respond(await far.expect("BYE"), 200)
        assert (await call.wait_ended()).reason is EndReason.LOCAL_ENDED


async def test_missing_media_ends_the_call_after_its_time_and_not_before(
    autojump_clock, world
) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call = await _connected(client, far, media_timeout=10)
        _tell(own, EngineEventKind.MEDIA_TIMEOUT, 9.0)
        await trio.sleep(0.1)
        assert call.state.value is CallState.CONNECTED
        _tell(own, EngineEventKind.MEDIA_TIMEOUT, 10.0)
        far.respond(await far.expect("BYE"), 200)
        end = await call.wait_ended()

        assert (end.reason, end.originator) == (EndReason.CONNECTION_LOST, Originator.SYSTEM)
