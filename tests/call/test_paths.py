"""ICE begun anew in a call: asked for, and when its path is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import assert_checkpoints

from trivox.call import _offers
from trivox.call.states import CallState
from trivox.errors import CallWrongStateError, NotSupportedError, StreamUpdateFailedError
from trivox.media.engine import EngineEventKind

WEBRTC = {"media": "webrtc"}


def generation(sdp: str) -> str:
    (line,) = [line for line in sdp.splitlines() if line.startswith("a=ice-ufrag:")]
    return line.rpartition("-")[2]


def lose_path(pair, *calls) -> None:
    for call in calls:
        engine = pair.world.media.sessions
        engine._emit(call._leg.session, EngineEventKind.ICE_STATE, 0.0, "disconnected")


async def test_a_restart_offers_new_credentials_and_returns_when_they_are_agreed(
    autojump_clock, pair
) -> None:
    """RFC 8839 §4.4.1.1.1."""

    async def body(call, far) -> None:
        first = generation(call._leg.local_sdp)
        with assert_checkpoints():
            await call.restart_ice()

        assert (first, generation(far._leg.remote_sdp)) == ("0", "1")
        assert not call._renegotiation().is_running
        await call.hold()
        assert generation(far._leg.remote_sdp) == "1"

    await pair.run(body, **WEBRTC)


async def test_a_restart_the_far_end_refuses_leaves_all_as_it_was(
    autojump_clock, pair, monkeypatch
) -> None:
    async def body(call, far) -> None:
        def refuse(_, tx, *__) -> None:
            far._respond(tx, 488)

        monkeypatch.setattr(_offers, "take_reinvite", refuse)
        with pytest.raises(StreamUpdateFailedError, match="488"):
            await call.restart_ice()

        assert call.state.value is CallState.CONNECTED

    await pair.run(body, **WEBRTC)


async def test_there_is_nothing_to_restart_without_ice(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with pytest.raises(NotSupportedError, match="no ICE"):
            await call.restart_ice()

    await pair.run(body)


async def test_there_is_nothing_to_restart_before_the_call(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _):
        with pytest.raises(CallWrongStateError):
            await client.create_call("sip:far@10.0.0.9:5060").restart_ice()


async def test_the_caller_looks_for_a_new_path_when_the_old_one_is_lost(
    autojump_clock, pair
) -> None:
    async def body(call, far) -> None:
        lose_path(pair, call, far)
        await trio.sleep(2.5)
        assert call.state.value is CallState.RECONNECTING
        assert generation(far._leg.remote_sdp) == "1"
        engine = pair.world.media.sessions
        for side in (call, far):
            engine._emit(side._leg.session, EngineEventKind.ICE_STATE, 0.0, "connected")
        await trio.sleep(10)

        assert call.state.value is CallState.CONNECTED
        assert generation(far._leg.remote_sdp) == "1"
        assert generation(call._leg.remote_sdp) == "0"

    await pair.run(body, **WEBRTC)


async def test_the_called_side_waits_for_the_caller_and_then_looks_itself(
    autojump_clock, pair
) -> None:
    async def body(call, far) -> None:
        lose_path(pair, far)
        await trio.sleep(5.9)
        before = generation(call._leg.remote_sdp)
        await trio.sleep(0.5)

        assert (before, generation(call._leg.remote_sdp)) == ("0", "1")

    await pair.run(body, **WEBRTC)


@pytest.mark.parametrize(("is_callers", "first"), [(True, 2.0), (False, 6.0)])
async def test_a_lost_path_is_looked_for_four_times_ever_more_seldom(
    autojump_clock, pair, is_callers, first, monkeypatch
) -> None:
    offers: list[float] = []

    async def body(call, far) -> None:
        side, other = (call, far) if is_callers else (far, call)
        began = trio.current_time()

        def refused(asked, tx, *_) -> None:
            assert asked is other
            offers.append(trio.current_time() - began)
            other._respond(tx, 488)

        monkeypatch.setattr(_offers, "take_reinvite", refused)
        lose_path(pair, side)
        await trio.sleep(600)
        assert side.state.value is CallState.RECONNECTING

    await pair.run(body, **WEBRTC)
    pauses = [later - earlier for earlier, later in pairwise(offers)]
    assert offers[0] == pytest.approx(first, abs=0.2)
    assert pauses == pytest.approx([4.0, 8.0, 16.0], abs=0.2)
