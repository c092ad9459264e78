"""An incoming call, row by row of the state table, against a scripted far end."""

from __future__ import annotations

import pytest
import trio

from trivox.call.client_events import IncomingCall
from trivox.call.events import EndReason, Originator
from trivox.call.settings import RejectMode
from trivox.call.states import CallState
from trivox.errors import (
    CallEndedError,
    CallWrongDirectionError,
    CallWrongStateError,
    MediaNegotiationError,
)
from trivox.media.sources import SilenceSource
from trivox.sip import Uri
from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"


async def _arrive(client, far, *, body: str = SDP):
    """Let the far end call; return the call and the INVITE's branch."""
    calls = client.incoming_calls()
    branch = far.invite(OWN_URI, body=body)
    call = await calls.__anext__()
    return call, branch


async def test_an_incoming_call_knows_who_calls_and_is_listed(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)

        assert call.state.value is CallState.CREATED
        assert call.destination == OWN_URI
        assert call.remote_display_name.value == "Far End"
        assert call.remote_sip_uri.value == far.uri
        assert client.calls[call.id] is call
        assert call.remote_headers["call-id"] == call.sip_call_id == "far-call"
        call.hangup()


async def test_answer_connects_when_the_ack_is_here(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        names = recorder(call)
        await call.answer()
        ok = await far.expect(200)
        await trio.sleep(1)

        assert call.state.value is CallState.CONNECTING
        assert call.duration == 0.0

        far.acknowledge(ok)
        await call.wait_connected()

        assert names[:3] == ["MediaNegotiated", "RemoteMediaAdded", "Connected"] or (
            names[:4] == ["FirstRtpReceived", "MediaNegotiated", "RemoteMediaAdded", "Connected"]
        )
        far.hang_up(ok)
        assert (await call.wait_ended()).reason is EndReason.REMOTE_ENDED


async def test_play_right_after_answer_waits_for_an_ack_that_is_late(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_acknowledge_late, far)
            await call.answer()
            began = trio.current_time()
            played = await call.play(SilenceSource(2.0))

        assert played.seconds == pytest.approx(2.0)
        assert trio.current_time() - began == pytest.approx(5.0, abs=0.1)
        call.hangup()
        far.respond(await far.expect("BYE"), 200)


async def _acknowledge_late(far) -> None:
    ok = await far.expect(200)
    await trio.sleep(3)
    far.acknowledge(ok)


@pytest.mark.parametrize(
    ("mode", "status"), [(RejectMode.BUSY, 486), (RejectMode.DECLINE, 603), (404, 404)]
)
async def test_reject_answers_with_its_status(
    autojump_clock, world, recorder, mode, status
) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        names = recorder(call)
        call.reject(mode, {"X-Why": "no"})
        response = await far.expect(status)

        assert response.header("X-Why") == "no"
        assert call.end is not None
        assert (call.end.reason, call.end.sip_code) == (EndReason.LOCAL_ENDED, status)
        assert names == ["Disconnected"]
        with pytest.raises(CallEndedError):
            call.reject()


async def test_hangup_of_an_unanswered_call_declines(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        call.hangup()

        assert (await far.expect(603)).status == 603
        assert call.state.value is CallState.DISCONNECTED


async def test_progress_sends_180_and_does_not_change_the_state(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        await call.progress(180, headers={"X-Queue": "3"})

        assert (await far.expect(180)).header("X-Queue") == "3"
        assert call.state.value is CallState.CREATED
        call.hangup()


async def test_cancel_before_the_answer_ends_with_487(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call, branch = await _arrive(client, far)
        names = recorder(call)
        far.request("CANCEL", OWN_URI, branch=branch)
        await far.expect(200)
        await far.expect(487)

        assert call.end is not None
        assert call.end.reason is EndReason.REMOTE_ENDED
        assert names == ["Disconnected"]
        with pytest.raises(CallEndedError):
            await call.answer()


async def test_cancel_because_another_phone_answered_says_so(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, branch = await _arrive(client, far)
        far.request("CANCEL", OWN_URI, branch=branch, headers=[("Reason", "SIP;cause=200;text=x")])
        end = await call.wait_ended()

        assert end.reason is EndReason.ANSWERED_ELSEWHERE


async def test_hangup_before_the_ack_holds_the_bye_back(autojump_clock, world, recorder) -> None:
    """RFC 3261 §15.1.1."""
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        names = recorder(call)
        await call.answer()
        ok = await far.expect(200)
        call.hangup()
        await trio.sleep(1)

        assert call.state.value is CallState.DISCONNECTING

        far.acknowledge(ok)
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()

        assert "Connected" not in names
        assert names[-1] == "Disconnected"


async def test_bye_before_the_ack_ends_without_connected(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        names = recorder(call)
        await call.answer()
        far.hang_up(await far.expect(200))
        end = await call.wait_ended()

        assert end.reason is EndReason.REMOTE_ENDED
        assert "Connected" not in names


async def test_an_ack_that_never_comes_fails_the_call_with_bye(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        await call.answer()
        began = trio.current_time()
        end = await call.wait_ended()

        assert call.state.value is CallState.FAILED
        assert (end.sip_code, end.originator) == (408, Originator.SYSTEM)
        assert trio.current_time() - began == pytest.approx(32, abs=0.1)
        far.respond(await far.expect("BYE"), 200)


async def test_second_answer_and_late_reject_are_refused(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        await call.answer()

        with pytest.raises(CallWrongStateError):
            await call.answer()
        with pytest.raises(CallWrongStateError):
            call.reject()
        with pytest.raises(CallWrongDirectionError):
            await call.start()
        far.acknowledge(await far.expect(200))
        call.hangup()
        far.respond(await far.expect("BYE"), 200)


async def test_an_offer_that_cannot_be_answered_gets_488(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far, body=SDP.replace("4000", "0"))

        with pytest.raises(MediaNegotiationError):
            await call.answer()

        await far.expect(488)
        assert call.state.value is CallState.FAILED
        assert not client.calls


async def test_an_invite_without_offer_gets_ours_in_the_200(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far, body="")
        await call.answer()
        ok = await far.expect(200)
        assert b"m=audio" in ok.body
        far.acknowledge(ok, body=SDP)
        await call.wait_connected()
        far.hang_up(ok)
        await call.wait_ended()


async def test_answer_cancelled_after_the_200_ends_with_bye_after_the_ack(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        with trio.CancelScope() as scope:
            scope.cancel()
            await call.answer()

        assert scope.cancelled_caught
        assert call.state.value is CallState.DISCONNECTING
        far.acknowledge(await far.expect(200))
        far.respond(await far.expect("BYE"), 200)
        assert (await call.wait_ended()).reason is EndReason.LOCAL_ENDED


async def test_remote_hold_and_resume_keep_the_call_and_tell_the_truth(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        for cseq, direction, is_held in ((2, "sendonly", True), (3, "sendrecv", False)):
            far.request(
                "INVITE",
                ok.dialog()[5],
                to_tag=ok.key()[4],
                cseq=cseq,
                body=SDP.replace("sendrecv", direction),
            )
            answer = await far.expect(200)
            far.acknowledge(answer)
            await trio.sleep(0.1)

            assert b"m=audio" in answer.body
            assert call.is_remotely_held.value is is_held
        assert call.state.value is CallState.CONNECTED
        far.hang_up(ok, cseq=9)
        await call.wait_ended()


async def test_info_message_and_unknown_requests_inside_the_call(
    autojump_clock, world, recorder
) -> None:
    """INFO of the old kind (RFC 2976, kept by RFC 6086 §9), MESSAGE (RFC 3428 §7).

    RFC 6086 §4.2.
    """
    async with world().with_far_end() as (client, far):
        call, _ = await _arrive(client, far)
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        names = recorder(call)
        for cseq, method in ((2, "INFO"), (3, "MESSAGE"), (4, "OPTIONS")):
            far.request(method, ok.dialog()[5], to_tag=ok.key()[4], cseq=cseq)
            await far.expect(200)
        far.request("PUBLISH", ok.dialog()[5], to_tag=ok.key()[4], cseq=5)
        refusal = await far.expect(405)

        assert "INVITE" in (refusal.header("Allow") or "")
        assert names == ["InfoReceived", "MessageReceived"]
        far.hang_up(ok, cseq=9)
        await call.wait_ended()


async def test_a_listener_alone_may_hang_up_the_call(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        client.on(IncomingCall, lambda event: event.call.reject(486))
        far.invite(OWN_URI)

        assert (await far.expect(486)).status == 486
        assert not client.calls


async def test_a_call_nobody_takes_gets_480_after_thirty_seconds(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        seen = []
        client.on(IncomingCall, lambda event: seen.append(event.call))
        far.invite(OWN_URI)
        began = trio.current_time()
        await far.expect(480)

        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
        assert seen[0].end.originator is Originator.SYSTEM


async def test_a_call_with_no_consumer_gets_503_with_retry_after(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        far.invite(OWN_URI)

        assert (await far.expect(503)).header("Retry-After") == "5"
        assert not client.calls


@pytest.mark.parametrize(
    "user", ["%00", "%0d%0aX", "x%7f", "alice%40corp", "a%3eb", "x%22%3c", "%ff"]
)
async def test_the_contact_of_an_answer_escapes_the_called_user(
    autojump_clock, world, user
) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.invite(f"sip:{user}@10.0.0.1:5060")
        call = await calls.__anext__()
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()

        uri = Uri.parse(ok.header("Contact").strip("<>"))
        assert uri.user == Uri.parse(f"sip:{user}@10.0.0.1").user
        assert ok.header("Contact").isascii()
        assert not client.calls
