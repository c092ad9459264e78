"""Transfers between clients: blind by REFER, attended by Replaces (RFC 3515, 3891, 5589)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.call.conftest import connected_to_far

import trivox
from trivox.call.client_events import IncomingCall
from trivox.call.events import (
    EndReason,
    Replaced,
    TransferCompleted,
    TransferFailed,
    TransferProgress,
    TransferRequested,
)
from trivox.call.states import CallState
from trivox.errors import (
    CallEndedError,
    CallTransferFailedError,
    CallTransferTimeoutError,
    CallWrongStateError,
    InvalidArgumentsError,
    InvalidUriError,
)
from trivox.testing.far_end import SDP

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def uri(host: str) -> str:
    return f"sip:bot@{host}:5060;transport=udp"


async def answer(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()


async def accept_transfers(call: trivox.Call) -> None:
    call.on(TransferRequested, lambda event: event.accept())
    await answer(call)


@asynccontextmanager
async def three(world, *, b=accept_transfers, c=answer):
    """Three clients; B and C serve."""
    stage = world()
    async with stage.client(A) as one, stage.client(B) as two, stage.client(C) as three:
        async with trio.open_nursery() as nursery:
            await nursery.start(two.serve, b)
            await nursery.start(three.serve, c)
            yield one, two, three
            nursery.cancel_scope.cancel()


def kinds(call, *types) -> list[object]:
    seen: list[object] = []
    for kind in types:
        call.on(kind, seen.append)
    return seen


async def test_a_blind_transfer_moves_the_far_end_and_ends_our_call(autojump_clock, world) -> None:
    """RFC 3515 §2.4."""
    async with three(world) as (one, two, third):
        async with one.dial(uri(B)) as call:
            seen = kinds(call, TransferProgress, TransferCompleted)
            result = await call.transfer(uri(C))
            end = call.end
            await trio.sleep(1)

            assert result == trivox.TransferResult(200, "OK", is_confirmed=True)
            assert end is not None
            assert end.reason is EndReason.TRANSFERRED
            assert [type(event) for event in seen] == [TransferProgress, TransferCompleted]
            assert seen[0].code == 100
            assert [c.state.value for c in two.calls.values()] == [CallState.CONNECTED]
            assert [c.state.value for c in third.calls.values()] == [CallState.CONNECTED]


async def test_the_referred_call_says_who_asked_for_it(autojump_clock, world) -> None:
    """RFC 3892 §3."""
    headers = []

    async def note(call: trivox.Call) -> None:
        headers.append(call.remote_headers)
        await answer(call)

    async with three(world, c=note) as (one, _, _):
        async with one.dial(uri(B)) as call:
            await call.transfer(uri(C))

    assert headers[0]["Referred-By"] == "<sip:trivox@10.0.0.1>"
    assert "Replaces" not in headers[0]


async def test_a_refused_target_fails_the_transfer_and_the_call_goes_on(
    autojump_clock, world
) -> None:
    async def busy(call: trivox.Call) -> None:
        call.reject(486)
        await call.wait_ended()

    async with three(world, c=busy) as (one, _, _):
        async with one.dial(uri(B)) as call:
            seen = kinds(call, TransferFailed)
            with pytest.raises(CallTransferFailedError) as caught:
                await call.transfer(uri(C))

            assert caught.value.sip_code == 486
            assert seen[0].code == 486
            assert call.state.value is CallState.CONNECTED


async def test_ringing_of_the_target_is_reported(autojump_clock, world) -> None:
    async def slowly(call: trivox.Call) -> None:
        await call.progress(180)
        await trio.sleep(3)
        await answer(call)

    async with three(world, c=slowly) as (one, _, _):
        async with one.dial(uri(B)) as call:
            seen = kinds(call, TransferProgress)
            await call.transfer(uri(C))

            assert [(event.code, event.reason) for event in seen] == [
                (100, "Trying"),
                (180, "Ringing"),
            ]


async def test_a_refer_without_a_listener_is_declined_at_once(autojump_clock, world) -> None:
    async with three(world, b=answer) as (one, two, _):
        async with one.dial(uri(B)) as call:
            began = trio.current_time()
            with pytest.raises(CallTransferFailedError) as caught:
                await call.transfer(uri(C))

            assert caught.value.sip_code == 603
            assert trio.current_time() - began < 0.1
            assert len(two.calls) == 1


async def test_a_refer_nobody_decides_is_declined_after_8_seconds(autojump_clock, world) -> None:
    requests = []

    async def hesitate(call: trivox.Call) -> None:
        call.on(TransferRequested, requests.append)
        await answer(call)

    async with three(world, b=hesitate) as (one, two, _):
        async with one.dial(uri(B)) as call:
            began = trio.current_time()
            with pytest.raises(CallTransferFailedError) as caught:
                await call.transfer(uri(C))

            assert caught.value.sip_code == 603
            assert trio.current_time() - began == pytest.approx(8.02, abs=0.01)
            with pytest.raises(CallWrongStateError, match="before"):
                requests[0].accept()
            assert len(two.calls) == 1


async def test_reject_answers_the_refer_with_its_status(autojump_clock, world) -> None:
    seen = []

    async def refuse(call: trivox.Call) -> None:
        @call.on(TransferRequested)
        def no(event: TransferRequested) -> None:
            seen.append((event.target, event.replaces, event.referred_by))
            with pytest.raises(InvalidArgumentsError):
                event.reject(200)
            event.reject(403)

        await answer(call)

    async with three(world, b=refuse) as (one, _, _):
        async with one.dial(uri(B)) as call:
            with pytest.raises(CallTransferFailedError) as caught:
                await call.transfer(uri(C))

    assert caught.value.sip_code == 403
    assert seen == [(uri(C), None, "sip:trivox@10.0.0.1")]


async def test_an_attended_transfer_joins_the_two_far_ends(autojump_clock, world) -> None:
    """RFC 3891 §3."""
    replaced = []

    async def replaceable(call: trivox.Call) -> None:
        call.on(Replaced, replaced.append)
        await answer(call)

    async with three(world, c=replaceable) as (one, two, third):
        async with one.dial(uri(B)) as call, one.dial(uri(C)) as consultation:
            (old,) = third.calls.values()
            result = await call.transfer(consultation)
            ends = [await call.wait_ended(), await consultation.wait_ended()]
            await trio.sleep(1)

            assert result.code == 200
            assert [end.reason for end in ends] == [EndReason.TRANSFERRED] * 2
            (new,) = third.calls.values()
            assert new is not old
            assert [event.new_call for event in replaced] == [new]
            assert (await old.wait_ended()).reason is EndReason.TRANSFERRED
            assert [c.state.value for c in two.calls.values()] == [CallState.CONNECTED]
            assert new.state.value is CallState.CONNECTED


async def test_the_taker_of_a_replacing_call_sees_what_it_replaces(autojump_clock, world) -> None:
    seen = []

    async with three(world) as (one, _, third):
        third.on(IncomingCall, lambda event: seen.append(event.call.replaces))
        async with one.dial(uri(B)) as call, one.dial(uri(C)) as consultation:
            (old,) = third.calls.values()
            await call.transfer(consultation)

    assert seen == [None, old]


async def test_a_far_end_that_leaves_after_accepting_counts_as_transferred(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 200, body=SDP)
        await far.expect("ACK")
        await call.wait_connected()
        async with trio.open_nursery() as nursery:
            results = []

            async def transfer() -> None:
                results.append(await call.transfer("sip:carol@10.0.0.3"))

            nursery.start_soon(transfer)
            refer = await far.expect("REFER")
            far.respond(refer, 202)
            await trio.sleep(0.1)
            far.request(
                "BYE",
                invite.dialog()[5],
                call_id=call.sip_call_id,
                to_tag=invite.key()[3],
                cseq=5,
            )
        assert refer.header("Refer-To") == "<sip:carol@10.0.0.3>"
        assert refer.header("Contact") == invite.header("Contact")
        assert results == [trivox.TransferResult(202, "the far end left", is_confirmed=False)]
        assert call.end is not None
        assert call.end.reason is EndReason.TRANSFERRED


async def test_silence_after_the_202_times_out_and_the_call_goes_on(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, _):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def refer_and_wait() -> None:
                with pytest.raises(CallTransferTimeoutError):
                    await call.transfer("sip:carol@10.0.0.3")

            nursery.start_soon(refer_and_wait)
            far.respond(await far.expect("REFER"), 202)

        assert trio.current_time() - began == pytest.approx(32.02, abs=0.01)
        assert call.state.value is CallState.CONNECTED


async def test_refer_sub_false_ends_the_call_with_the_202(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, _):
        async with trio.open_nursery() as nursery:

            async def transfer() -> None:
                result = await call.transfer("sip:c@10.0.0.3", headers={"Refer-Sub": "false"})
                assert result == trivox.TransferResult(202, "Reason", is_confirmed=False)

            nursery.start_soon(transfer)
            refer = await far.expect("REFER")
            far.respond(refer, 202, headers=[("Refer-Sub", "false")])
            far.respond(await far.expect("BYE"), 200)

        assert refer.header("Refer-Sub") == "false"
        assert (await call.wait_ended()).reason is EndReason.TRANSFERRED


async def test_a_hangup_ends_the_wait_for_a_transfer(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, _):
        async with trio.open_nursery() as nursery:

            async def transfer() -> None:
                with pytest.raises(CallEndedError):
                    await call.transfer("sip:carol@10.0.0.3")

            nursery.start_soon(transfer)
            far.respond(await far.expect("REFER"), 202)
            await trio.sleep(1)
            call.hangup()
            far.respond(await far.expect("BYE"), 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 400),
        ([("Refer-To", "<sip:a@10.0.0.3>"), ("Refer-To", "<sip:b@10.0.0.3>")], 400),
        ([("Refer-To", "<tel:+1>")], 400),
        ([("Refer-To", "<sip:a@10.0.0.3;method=BYE>")], 403),
        ([("Refer-To", "<sip:a@10.0.0.3?Replaces=x>")], 400),
        ([("Refer-To", "<sip:a@10.0.0.3>")], 603),
    ],
)
async def test_a_refer_that_cannot_be_followed_is_refused(
    autojump_clock, world, headers, status
) -> None:
    async with connected_to_far(world) as (_, far, say):
        say("REFER", *headers)

        assert await far.expect(status)


async def test_a_second_refer_waits_for_the_first(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, say):
        call.on(TransferRequested, lambda event: None)
        say("REFER", ("Refer-To", "<sip:a@10.0.0.3>"))
        say("REFER", ("Refer-To", "<sip:b@10.0.0.3>"))

        assert await far.expect(491)


async def test_nosub_ends_the_call_with_the_200(autojump_clock, world) -> None:
    """RFC 7614 §5.2: a far end that takes it will tell nothing."""
    async with connected_to_far(world) as (call, far, _):
        async with trio.open_nursery() as nursery:
            told = []

            async def refer() -> None:
                told.append(await call.transfer(far.uri, headers={"Require": "timer, nosub"}))

            nursery.start_soon(refer)
            far.respond(await far.expect("REFER"), 200)
            far.respond(await far.expect("BYE"), 200)

        assert (told[0].code, told[0].is_confirmed) == (200, False)
        assert call.end.reason is EndReason.TRANSFERRED


async def _answered_without_ack(client, far):
    """Let the far end call and answer it, but keep its ACK back."""
    calls = client.incoming_calls()
    far.invite("sip:bot@10.0.0.1:5060")
    call = await calls.__anext__()
    calls.close()
    await call.answer()
    return call, await far.expect(200)


def _refer(far, ok, *, cseq: int = 2) -> None:
    to_tag, target = ok.key()[4], [("Refer-To", "<sip:carol@10.0.0.9:5060>")]
    far.request("REFER", "sip:bot@10.0.0.1:5060", to_tag=to_tag, cseq=cseq, headers=target)


async def test_a_refer_that_overtakes_a_lost_ack_waits_for_it(autojump_clock, world) -> None:
    """RFC 3261 §13.3.1.4: the far end has confirmed the dialog, whatever became of its ACK."""
    async with world().with_far_end() as (client, far):
        call, ok = await _answered_without_ack(client, far)
        seen = kinds(call, TransferRequested)
        _refer(far, ok)
        _refer(far, ok, cseq=3)
        assert (await far.expect(491)).key()[7] == 3  # one at a time

        far.acknowledge(await far.expect(200))
        await trio.sleep(0.1)
        assert call.state.value is CallState.CONNECTED
        assert [event.target for event in seen] == ["sip:carol@10.0.0.9:5060"]
        seen[0].reject(603)

        assert (await far.expect(603)).method == "REFER"
        call.hangup()


async def test_a_refer_whose_ack_never_comes_is_answered_at_the_end(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, ok = await _answered_without_ack(client, far)
        _refer(far, ok)

        assert (await far.expect(481)).method == "REFER"

        assert call.state.value is CallState.FAILED


@pytest.mark.parametrize(("event", "status"), [("refer", 481), ("presence", 489)])
async def test_a_notify_about_nothing_of_ours_is_refused(
    autojump_clock, world, event, status
) -> None:
    async with connected_to_far(world) as (_, far, say):
        say("NOTIFY", ("Event", event), ("Subscription-State", "active"))
        answer = await far.expect(status)

        assert (answer.header("Allow-Events") == "refer") is (status == 489)


async def test_a_referred_target_must_be_reachable_by_the_flow_that_named_it(
    autojump_clock, world
) -> None:
    async with connected_to_far(world) as (call, far, say):
        call.on(TransferRequested, lambda event: event.accept())
        say("REFER", ("Refer-To", "<sip:a@127.0.0.1>"))
        await far.expect(200)
        bodies = []
        for _ in range(2):
            notify = await far.expect("NOTIFY")
            far.respond(notify, 200)
            bodies.append((notify.header("Subscription-State"), notify.body))

        assert bodies[0] == ("active;expires=180", b"SIP/2.0 100 Trying\r\n")
        state, body = bodies[1]
        assert state == "terminated;reason=noresource"
        assert body.startswith(b"SIP/2.0 503 ")


async def test_wrong_targets_raise_before_anything_is_sent(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, _):
        other = call._host.owner.create_call("sip:x@10.0.0.3")
        with pytest.raises(InvalidUriError):
            await call.transfer("nobody")
        with pytest.raises(InvalidArgumentsError):
            await call.transfer(call)
        with pytest.raises(InvalidArgumentsError):
            await call.transfer(5)  # type: ignore[arg-type]
        with pytest.raises(CallWrongStateError):
            await call.transfer(other)
        with pytest.raises(CallWrongStateError):
            await other.transfer("sip:x@10.0.0.3")

        assert await far.silence(1)


async def test_a_transfer_is_a_checkpoint_and_can_be_cancelled(autojump_clock, world) -> None:
    async with connected_to_far(world) as (call, far, _):
        with trio.move_on_after(1) as scope:
            await call.transfer("sip:carol@10.0.0.3")
        assert scope.cancelled_caught
        with pytest.raises(CallWrongStateError, match="under way"):
            await call.transfer("sip:dave@10.0.0.3")
        seen = kinds(call, TransferFailed)
        far.respond(await far.expect("REFER"), 603)
        await trio.sleep(1)

        assert [event.code for event in seen] == [603]
        assert call.state.value is CallState.CONNECTED
