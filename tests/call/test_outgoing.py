"""An outgoing call, row by row of the state table, against a scripted far end."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EndReason, Originator
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.errors import (
    BusyError,
    CallEndedError,
    CallFailedError,
    CallWrongDirectionError,
    CallWrongStateError,
    UnavailableError,
)
from trivox.testing.far_end import SDP

FAR_URI = "sip:far@10.0.0.9:5060"


async def test_start_returns_when_the_invite_is_out_and_not_when_connected(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        await call.start()

        assert call.state.value is CallState.CONNECTING
        assert (await far.receive()).method == "INVITE"
        call.hangup()


async def test_second_start_is_refused_without_effect(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        await call.start()

        with pytest.raises(CallWrongStateError):
            await call.start()

        await far.expect("INVITE")
        assert call.state.value is CallState.CONNECTING
        call.hangup()


async def test_ringing_then_2xx_connects_and_tells_it_in_order(
    autojump_clock, world, recorder
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        names = recorder(call)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        far.respond(invite, 180)
        await trio.sleep(0.1)

        assert call.is_ringing.value is True
        assert call.remote_sip_uri.value is None

        far.respond(invite, 200, body=SDP)
        await call.wait_connected()
        await far.expect("ACK")

        assert call.is_ringing.value is False
        assert call.remote_sip_uri.value == FAR_URI
        assert len(call.remote_streams.value) == 1
        assert names == [
            "StartRinging",
            "StopRinging",
            "MediaNegotiated",
            "RemoteMediaAdded",
            "Connected",
            "FirstRtpReceived",
        ] or names == [
            "StartRinging",
            "StopRinging",
            "MediaNegotiated",
            "RemoteMediaAdded",
            "Connected",
        ]


async def test_early_media_takes_the_place_of_ringing(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        names = recorder(call)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        far.respond(invite, 183, body=SDP)
        await trio.sleep(0.1)

        assert call.has_early_media.value is True
        assert call.is_ringing.value is False
        assert names[:4] == [
            "StartRinging",
            "StopRinging",
            "RemoteMediaAdded",
            "EarlyMediaStarted",
        ]
        call.hangup()


@pytest.mark.parametrize(
    ("status", "error"), [(486, BusyError), (480, UnavailableError), (500, CallFailedError)]
)
async def test_a_refusal_fails_the_call_with_its_error(
    autojump_clock, world, recorder, status, error
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        names = recorder(call)
        await call.start()
        far.respond(await far.expect("INVITE"), status, headers=[("X-Why", "tired")])

        with pytest.raises(error) as raised:
            await call.wait_connected()

        assert raised.value.sip_code == status
        assert raised.value.headers["X-Why"] == "tired"
        assert call.state.value is CallState.FAILED
        assert names == ["Failed"]
        await far.expect("ACK")


async def test_timer_b_fails_the_call_as_408(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _far):
        call = client.create_call(FAR_URI, CallSettings(ring_timeout=None))
        await call.start()
        began = trio.current_time()

        end = await call.wait_ended()

        assert (end.reason, end.sip_code) == (EndReason.FAILED, 408)
        assert trio.current_time() - began == pytest.approx(32.0, abs=0.1)


async def test_ring_timeout_cancels_and_fails_as_408(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(ring_timeout=5.0))
        names = recorder(call)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        cancel = await far.expect("CANCEL")
        assert call.state.value is CallState.DISCONNECTING
        far.respond(cancel, 200)
        far.respond(invite, 487)

        end = await call.wait_ended()

        assert (end.sip_code, end.originator) == (408, Originator.SYSTEM)
        assert call.state.value is CallState.FAILED
        assert names == ["StartRinging", "StopRinging", "Failed"]


async def test_hangup_before_a_provisional_waits_for_it_with_the_cancel(
    autojump_clock, world, recorder
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        names = recorder(call)
        await call.start()
        invite = await far.expect("INVITE")
        call.hangup()

        assert call.state.value is CallState.DISCONNECTING
        assert (await far.receive()).method == "INVITE", "a retransmission, and no CANCEL yet"

        far.respond(invite, 180)
        far.respond(await far.expect("CANCEL"), 200)
        far.respond(invite, 487)
        end = await call.wait_ended()

        assert end.reason is EndReason.LOCAL_ENDED
        assert names == ["Disconnected"]


async def test_a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended(
    autojump_clock, world, recorder
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        names = recorder(call)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        await trio.sleep(0.1)
        call.hangup()
        far.respond(invite, 200, body=SDP)

        end = await call.wait_ended()
        await far.expect("ACK")
        far.respond(await far.expect("BYE"), 200)

        assert end.reason is EndReason.LOCAL_ENDED
        assert names == ["Disconnected" if name == "Disconnected" else name for name in names]
        assert "Connected" not in names


async def test_hangup_of_a_call_never_started_sends_nothing(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        call.hangup()

        assert call.state.value is CallState.DISCONNECTED
        assert await far.silence(5)
        with pytest.raises(CallEndedError):
            await call.start()


async def test_hangup_is_idempotent_and_everything_else_says_ended(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _far):
        call = client.create_call(FAR_URI)
        call.hangup()
        call.hangup()

        with pytest.raises(CallEndedError):
            call.mute_microphone()
        with pytest.raises(CallEndedError):
            call.send_dtmf("1")
        with pytest.raises(CallEndedError):
            await call.play("x.wav")


async def test_incoming_operations_on_an_outgoing_call_are_refused(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _far):
        call = client.create_call(FAR_URI)

        with pytest.raises(CallWrongDirectionError):
            await call.answer()
        with pytest.raises(CallWrongDirectionError):
            call.reject()
        with pytest.raises(CallWrongDirectionError):
            await call.progress()
        call.hangup()


async def test_start_cancelled_before_the_invite_left_sends_nothing(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        with trio.CancelScope() as scope:
            scope.cancel()
            await call.start()

        assert call.state.value is CallState.DISCONNECTED
        assert call.end is not None
        assert call.end.reason is EndReason.LOCAL_ENDED
        assert await far.silence(5)
        assert not client.calls


async def test_dial_cancelled_while_ringing_cancels_the_invite(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        with trio.move_on_after(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_ring_for_ever, far)
                async with client.dial(FAR_URI):
                    pytest.fail("nobody answered")
        cancel = await far.expect("CANCEL")

        assert cancel.header("CSeq") == "1 CANCEL"


async def _ring_for_ever(far) -> None:
    far.respond(await far.expect("INVITE"), 180)
    await trio.sleep_forever()


async def test_a_destination_that_cannot_be_resolved_fails_start(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _far):
        call = client.create_call("sip:far@nowhere.invalid")

        with pytest.raises(CallFailedError) as raised:
            await call.start()

        assert raised.value.sip_code == 503
        assert call.state.value is CallState.FAILED
        assert not client.calls


async def _connected(client, far):
    call = client.create_call(FAR_URI)
    await call.start()
    invite = await far.expect("INVITE")
    far.respond(invite, 200, body=SDP)
    await call.wait_connected()
    await far.expect("ACK")
    return call, invite


async def test_bye_of_the_far_end_disconnects(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call, invite = await _connected(client, far)
        names = recorder(call)
        await trio.sleep(10)
        far.request(
            "BYE",
            invite.header("Contact").strip("<>"),
            call_id=invite.header("Call-ID"),
            to_tag=invite.key()[3],
        )
        end = await call.wait_ended()
        await far.expect(200)

        assert end.reason is EndReason.REMOTE_ENDED
        assert call.duration == pytest.approx(10, abs=0.1)
        assert names == ["RemoteMediaRemoved", "Disconnected"]
        assert not client.calls


async def test_hangup_sends_bye_and_ends_with_its_answer(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _connected(client, far)
        names = recorder(call)
        call.hangup({"X-Why": "done"}, reason="SIP;cause=200")

        assert call.state.value is CallState.DISCONNECTING
        bye = await far.expect("BYE")
        assert bye.header("X-Why") == "done"
        assert bye.header("Reason") == "SIP;cause=200"
        far.respond(bye, 200)
        end = await call.wait_ended()

        assert end.reason is EndReason.LOCAL_ENDED
        assert names == ["RemoteMediaRemoved", "Disconnected"]


async def test_a_bye_nobody_answers_ends_by_timer_f(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _connected(client, far)
        began = trio.current_time()
        call.hangup()
        end = await call.wait_ended()

        assert end.reason is EndReason.LOCAL_ENDED
        assert trio.current_time() - began == pytest.approx(32, abs=0.1)


async def test_481_to_a_request_in_the_dialog_loses_the_call(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, _ = await _connected(client, far)
        receipt = call.send_info("text/plain", "hello")
        info = await far.expect("INFO")
        far.respond(info, 481)
        bye = await far.expect("BYE")
        assert call.state.value is CallState.DISCONNECTING
        far.respond(bye, 481)
        end = await call.wait_ended()

        assert end.reason is EndReason.CONNECTION_LOST
        assert (await receipt.wait()).status == 481


async def test_a_bye_that_comes_after_the_481_it_caused_is_the_end(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, invite = await _connected(client, far)
        call.send_info("text/plain", "hello")
        far.respond(await far.expect("INFO"), 481)
        await trio.sleep(0.5)
        assert call.state.value is CallState.CONNECTED
        far.request(
            "BYE",
            invite.header("Contact").strip("<>"),
            call_id=invite.header("Call-ID"),
            to_tag=invite.key()[3],
        )
        end = await call.wait_ended()

        assert end.reason is EndReason.REMOTE_ENDED


async def test_a_call_without_an_offer_answers_theirs_in_the_ack(autojump_clock, world) -> None:
    """RFC 3264 §5, RFC 3261 §13.2.2.4."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(delayed_offer=True))
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        far.respond(invite, 200, body=SDP)
        ack = await far.expect("ACK")
        await call.wait_connected()

        assert (invite.body, invite.header("Content-Type")) == (b"", None)
        assert ack.body.startswith(b"v=0")
        assert ack.header("Content-Type") == "application/sdp"
        assert len(call.remote_streams.value) == 1


async def test_a_reliable_response_may_bring_the_offer(autojump_clock, world) -> None:
    """RFC 3262 §5: the PRACK answers it."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(delayed_offer=True))
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 183, headers=[("Require", "100rel"), ("RSeq", "1")], body=SDP)
        prack = await far.expect("PRACK")
        far.respond(prack, 200)
        assert call.has_early_media.value is True
        far.respond(invite, 200)
        ack = await far.expect("ACK")
        await call.wait_connected()

        assert prack.body.startswith(b"v=0")
        assert ack.body == b""


async def test_the_branch_that_wins_is_sent_to_whatever_another_offered(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(delayed_offer=True))
        await call.start()
        invite = await far.expect("INVITE")
        offers = {"a": SDP, "b": SDP.replace("10.0.0.9", "10.0.0.7")}
        for tag, offer in offers.items():
            reliable = [("Require", "100rel"), ("RSeq", "1")]
            far.respond(invite, 183, to_tag=tag, headers=reliable, body=offer)
            far.respond(await far.expect("PRACK"), 200)
        far.respond(invite, 200, to_tag="a")
        ack = await far.expect("ACK")
        await call.wait_connected()

        assert ack.body == b""
        assert call._leg.remote_sdp == offers["a"]


async def test_the_offer_of_the_branch_that_wins_is_answered(autojump_clock, world) -> None:
    """RFC 3261 §13.2.2.4: the ACK answers its own 2xx, whatever a PRACK has answered."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(delayed_offer=True))
        await call.start()
        invite = await far.expect("INVITE")
        reliable = [("Require", "100rel"), ("RSeq", "1")]
        far.respond(invite, 183, to_tag="a", headers=reliable, body=SDP)
        far.respond(await far.expect("PRACK"), 200)
        offer = SDP.replace("10.0.0.9", "10.0.0.7")
        far.respond(invite, 200, to_tag="b", body=offer)
        ack = await far.expect("ACK")
        await call.wait_connected()

        assert ack.body.startswith(b"v=0")
        assert call._leg.remote_sdp == offer


@pytest.mark.parametrize("body", ["", "v=0\r\nnothing of use\r\n"])
async def test_a_2xx_without_a_fit_offer_ends_the_call(autojump_clock, world, body) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(delayed_offer=True))
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=body)
        await far.expect("ACK")
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()

        assert call.state.value is CallState.FAILED


async def test_what_makes_a_dialog_tells_which_events_there_are(autojump_clock, world) -> None:
    """RFC 6665 §8.2.2."""
    packages = ("message-summary",)
    async with world().with_far_end(event_packages=packages) as (client, far):
        call = client.create_call(FAR_URI)
        await call.start()
        invite = await far.expect("INVITE")
        call.hangup()

        assert invite.header("Allow-Events") == "message-summary, refer"


async def test_max_duration_hangs_up(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI, CallSettings(max_duration=60))
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        bye = await far.expect("BYE")
        far.respond(bye, 200)
        end = await call.wait_ended()

        assert (end.reason, end.originator) == (EndReason.LOCAL_ENDED, Originator.SYSTEM)
        assert call.duration == pytest.approx(60, abs=0.1)


async def test_media_that_fails_after_the_2xx_fails_the_call_with_bye(
    autojump_clock, world
) -> None:
    own = world(set_up=1.0)
    async with own.with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await far.expect("ACK")
        own.media.sessions.fail(1, "ICE failed")
        await trio.sleep(0.5)

        assert call.state.value is CallState.FAILED
        far.respond(await far.expect("BYE"), 200)


async def test_an_answer_without_usable_media_is_acknowledged_and_ended(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP.replace("4000", "0"))

        with pytest.raises(CallFailedError):
            await call.wait_connected()

        await far.expect("ACK")
        far.respond(await far.expect("BYE"), 200)


async def test_media_failing_in_a_connected_call_is_a_lost_connection(
    autojump_clock, world
) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call, _ = await _connected(client, far)
        own.media.sessions.fail(1, "gone")
        far.respond(await far.expect("BYE"), 200)
        end = await call.wait_ended()

        assert end.reason is EndReason.CONNECTION_LOST


async def test_everything_is_back_at_base_after_many_endings(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        call, _ = await _connected(client, far)
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
        await trio.sleep(70)
        figures = client.statistics()

        assert (figures.calls, figures.timers, figures.tokens) == (0, 0, 0)
        assert figures.sip.core["transactions"] == figures.sip.core["timers"] == 0
        assert figures.sip.core["dialogs"] == 0
        assert own.engine.counts()["sessions"] == 0
