"""Calls that only speak: `CallSettings.receive_audio` off, by who calls and by who answers."""

from __future__ import annotations

import pytest
import trio

from trivox.call.settings import CallSettings
from trivox.media.sources import ToneSource

from .test_data_channels import URI, DataWorld

pytestmark = pytest.mark.native
ALONE = CallSettings(receive_audio=False)


def directions(call) -> tuple[str, str]:
    """Return what we and the far end say of the audio."""
    found = []
    for text in (call._leg.local_sdp, call._leg.remote_sdp):
        lines = text.split("\r\n")
        said = {"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"} & set(lines)
        found.append(said.pop()[2:] if said else "sendrecv")
    return found[0], found[1]


async def _talk(ours: CallSettings, theirs: CallSettings, body) -> None:
    world, calls = DataWorld(), []
    world.transport = "udp"

    async def handler(call) -> None:
        calls.append(call)
        await call.answer(theirs)
        await call.wait_ended()

    async with world.client() as near, world.client("10.0.0.2") as far:
        async with trio.open_nursery() as nursery:
            await nursery.start(far.serve, handler)
            async with near.dial(URI, ours) as call:
                await calls[0].wait_connected()
                await body(call, calls[0])
            nursery.cancel_scope.cancel()
    world.media.close()


@pytest.mark.parametrize("media", ["rtp", "webrtc"])
async def test_who_calls_may_take_no_audio(autojump_clock, media) -> None:
    async def body(call, far) -> None:
        await far.play(ToneSource(duration=0.5))
        await call.play(ToneSource(duration=0.5))
        await trio.sleep(0.5)

        assert directions(call) == ("sendonly", "recvonly")
        assert call.statistics().packets_received == 0
        assert far.statistics().packets_received > 20
        assert not call.is_remotely_held.value

    await _talk(CallSettings(media=media, receive_audio=False), CallSettings(), body)


async def test_who_answers_may_take_no_audio_and_holding_changes_nothing_of_it(
    autojump_clock,
) -> None:
    async def body(call, far) -> None:
        assert directions(far) == ("sendonly", "sendrecv")
        await far.hold()
        await far.hold(False)
        await trio.sleep(0.1)

        assert directions(far)[0] == "sendonly"
        assert not far.is_on_hold.value
        assert far.statistics().packets_received == 0

    await _talk(CallSettings(), ALONE, body)


async def test_what_answer_is_given_decides_and_not_what_the_account_says(autojump_clock) -> None:
    world, calls = DataWorld(), []

    async def handler(call) -> None:
        calls.append(call)
        await call.answer(CallSettings())
        await call.wait_ended()

    async with world.client() as near, world.client("10.0.0.2", call_settings=ALONE) as far:
        async with trio.open_nursery() as nursery:
            await nursery.start(far.serve, handler)
            async with near.dial(URI):
                assert directions(calls[0])[0] == "sendrecv"
            nursery.cancel_scope.cancel()
    world.media.close()
