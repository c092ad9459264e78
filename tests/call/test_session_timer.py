"""Session timers between a client and a scripted far end, and between two clients (RFC 4028)."""

from __future__ import annotations

import trio

from trivox.call.events import EndReason, Originator
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.testing.far_end import SDP

from .conftest import answered

OWN_URI = "sip:bot@10.0.0.1:5060"
QUIET = CallSettings(media_timeout=None, session_expires=120)


async def _called(client, far, *more: tuple[str, str]):
    """Call the far end, which answers with these headers; return the call."""
    call = client.create_call(far.uri, QUIET)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.start)
        invite = await far.expect("INVITE")
    far.respond(invite, 200, body=SDP, headers=list(more))
    await far.expect("ACK")
    await call.wait_connected()
    return call, invite


async def test_two_clients_keep_a_long_call_alive(autojump_clock, world) -> None:
    ended = []

    async def answer(call) -> None:
        await call.answer()
        ended.append(await call.wait_ended())

    settings = {"call_settings": QUIET}
    async with world().with_server(answer, **settings) as (caller, uri):
        async with caller.dial(uri, QUIET) as call:
            await trio.sleep(1_000)

            assert call.state.value is CallState.CONNECTED
        await trio.testing.wait_all_tasks_blocked()
        assert [end.reason for end in ended] == [EndReason.REMOTE_ENDED]


async def test_our_refresh_goes_out_while_the_program_does_nothing(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, invite = await _called(
            client, far, ("Session-Expires", "120;refresher=uac"), ("Allow", "UPDATE")
        )
        began = trio.current_time()

        update = await far.expect("UPDATE")
        far.respond(update, 200, headers=[("Session-Expires", "120;refresher=uac")])

        assert invite.header("Session-Expires") == "120"
        assert round(trio.current_time() - began) == 60
        assert update.body == b""
        await far.expect("UPDATE")
        assert round(trio.current_time() - began) == 120
        call.hangup()


async def test_refresh_without_update_repeats_the_same_description(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, invite = await _called(client, far, ("Session-Expires", "120;refresher=uac"))

        again = await far.expect("INVITE")
        far.respond(again, 200, body=SDP, headers=[("Session-Expires", "120;refresher=uac")])
        await far.expect("ACK")

        # RFC 4028 §7.4: the same session version.
        assert again.body == invite.body
        assert again.key()[7] == invite.key()[7] + 1
        call.hangup()


async def test_session_they_do_not_refresh_is_hung_up(autojump_clock, world, recorder) -> None:
    """State table: CONNECTED, session-timer expiry."""
    async with world().with_far_end() as (client, far):
        call, _ = await _called(client, far, ("Session-Expires", "120;refresher=uas"))
        names = recorder(call)
        began = trio.current_time()

        bye = await far.expect("BYE")
        assert round(trio.current_time() - began) == 120 - 32
        assert call.state.value is CallState.DISCONNECTING
        far.respond(bye, 200)
        end = await call.wait_ended()

        assert (end.reason, end.originator) == (EndReason.CONNECTION_LOST, Originator.SYSTEM)
        assert call.state.value is CallState.DISCONNECTED
        assert names[-1] == "Disconnected"


async def test_interval_below_ours_is_refused_at_the_door(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        headers = [("Supported", "timer"), ("Session-Expires", "60")]
        far.request("INVITE", OWN_URI, body=SDP, headers=headers)

        refusal = await far.expect(422)

        assert refusal.header("Min-SE") == "90"
        assert not client.calls
        calls.close()


async def test_422_to_our_call_is_met(autojump_clock, world) -> None:
    """State table: CONNECTING (out), 422 that policy answers with another try."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri, QUIET)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 422, headers=[("Min-SE", "300")])
        await far.expect("ACK")

        again = await far.expect("INVITE")

        assert again.header("Session-Expires") == "300"
        assert call.state.value is CallState.CONNECTING
        call.hangup()


async def test_update_of_theirs_is_answered(autojump_clock, world) -> None:
    """RFC 3311 §5.2: with an offer an answer, without one none."""
    async with world().with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN_URI)
        tag = ok.key()[4]
        held = SDP.replace("sendrecv", "sendonly")

        far.request("UPDATE", OWN_URI, to_tag=tag, cseq=2)
        plain = await far.expect(200)
        far.request("UPDATE", OWN_URI, to_tag=tag, cseq=3, body=held)
        answer = await far.expect(200)

        assert plain.body == b""
        assert b"m=audio" in answer.body
        assert call.is_remotely_held.value is True
        call.hangup()
