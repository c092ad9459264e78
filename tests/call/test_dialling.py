"""What entering `dial` gives when the call is over before its media is set up."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EndReason
from trivox.call.states import CallState
from trivox.errors import CallEndedError
from trivox.testing.far_end import SDP

FAR_URI = "sip:far@10.0.0.9:5060"


async def test_a_callee_that_leaves_before_media_is_up_was_reached(
    autojump_clock, world, recorder
) -> None:
    async with world(set_up=1.0).with_far_end() as (client, far):
        dialled = client.dial(FAR_URI)
        names = recorder(dialled._call)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_and_leave, far)
            async with dialled as call:
                assert call.state.value is CallState.DISCONNECTED
                assert call.end.reason is EndReason.REMOTE_ENDED
                assert call.timings.answered is not None
                assert call.timings.connected is None
                with pytest.raises(CallEndedError):
                    await call.hold()
                with pytest.raises(CallEndedError):
                    await call.wait_connected()
        assert "Connected" not in names
        assert names[-1] == "Disconnected"


async def answer_and_leave(far):
    invite = await far.expect("INVITE")
    far.respond(invite, 200, body=SDP)
    await far.expect("ACK")
    own = invite.header("Contact").strip("<>")
    call_id, tag = invite.header("Call-ID"), invite.key()[3]
    far.request("BYE", own, call_id=call_id, to_tag=tag)
    await far.expect(200)


async def test_a_dialled_call_that_is_hung_up_here_before_media_is_up_raises(
    autojump_clock, world
) -> None:
    async with world(set_up=1.0).with_far_end() as (client, far):
        dialled = client.dial(FAR_URI)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear_the_end, far, dialled._call)
            with pytest.raises(CallEndedError):
                async with dialled:
                    raise AssertionError("it was not connected")


async def hear_the_end(far, call):
    far.respond(await far.expect("INVITE"), 200, body=SDP)
    await far.expect("ACK")
    call.hangup()
    far.respond(await far.expect("BYE"), 200)
