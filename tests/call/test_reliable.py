"""Provisional responses with PRACK, between a client and a scripted far end (RFC 3262)."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EarlyMediaStarted, EndReason
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.errors import NotSupportedError
from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"
SUPPORTS = ("Supported", "100rel")


async def _arrive(client, far, *headers):
    calls = client.incoming_calls()
    far.request("INVITE", OWN_URI, body=SDP, headers=list(headers))
    return await calls.__anext__()


def _prack(far, response, *, cseq: int = 2, serial: str = "") -> None:
    rack = f"{serial or response.header('RSeq')} 1 INVITE"
    far.request("PRACK", OWN_URI, to_tag=response.key()[4], cseq=cseq, headers=[("RAck", rack)])


async def test_reliable_ringing_is_repeated_until_its_prack(autojump_clock, world) -> None:
    """RFC 3262 §3."""
    async with world().with_far_end() as (client, far):
        call = await _arrive(client, far, SUPPORTS)
        began = trio.current_time()
        await call.progress(180, reliable=True)

        first = await far.expect(180)
        again = await far.expect(180)
        assert trio.current_time() - began == pytest.approx(0.51)
        assert first.header("RSeq") == again.header("RSeq")
        _prack(far, first)
        assert (await far.expect(200)).method == "PRACK"
        assert await far.silence(20)

        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        call.hangup()


async def test_call_without_prack_is_refused_with_504(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call = await _arrive(client, far, SUPPORTS)
        names = recorder(call)
        began = trio.current_time()
        await call.progress(180, reliable=True)

        await far.expect(504)

        assert trio.current_time() - began == pytest.approx(32.01)
        assert call.state.value is CallState.FAILED
        assert call.end.reason is EndReason.FAILED
        assert names == ["Failed"]


async def test_caller_that_knows_no_prack_is_told_once(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await _arrive(client, far)
        with pytest.raises(NotSupportedError):
            await call.progress(180, reliable=True)
        await call.progress(180)

        ringing = await far.expect(180)

        assert ringing.header("RSeq") is None
        assert await far.silence(3)
        call.reject()


async def test_client_that_requires_it_says_so(autojump_clock, world) -> None:
    settings = CallSettings(reliable_provisional="required")
    async with world().with_far_end(call_settings=settings) as (client, far):
        calls = client.incoming_calls()
        far.request("INVITE", OWN_URI, body=SDP)
        refusal = await far.expect(421)
        call = client.create_call(far.uri, settings)
        await call.start()
        invite = await far.expect("INVITE")

        assert refusal.header("Require") == "100rel"
        assert invite.header("Require") == "100rel"
        call.hangup()
        calls.close()


async def test_early_media_of_a_reliable_183_is_acknowledged_and_heard(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        heard = call.events(EarlyMediaStarted)
        await call.start()
        invite = await far.expect("INVITE")
        headers = [("Require", "100rel"), ("RSeq", "42")]
        far.respond(invite, 183, headers=headers, body=SDP)
        prack = await far.expect("PRACK")
        far.respond(prack, 200)
        await heard.__anext__()

        far.respond(invite, 200)
        ack = await far.expect("ACK")
        await call.wait_connected()

        assert prack.header("RAck") == f"42 {invite.key()[7]} INVITE"
        assert ack.key()[7] == invite.key()[7]
        call.hangup()


async def test_prack_is_repeated_over_udp_until_it_is_answered(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180, headers=[("Require", "100rel"), ("RSeq", "1")])

        first = await far.expect("PRACK")
        again = await far.expect("PRACK")

        assert first.raw == again.raw
        far.respond(again, 200)
        call.hangup()


async def test_two_clients_agree_on_early_media_by_prack(autojump_clock, world) -> None:
    """RFC 3262 §5: the answer goes with the 183, the 200 that follows at once waits for its PRACK."""
    seen = []

    async def answer(call) -> None:
        await call.progress(183)
        await call.answer()
        await call.wait_connected()
        seen.append(call.state.value)
        await call.wait_ended()

    async with world().with_server(answer) as (caller, uri):
        call = caller.create_call(uri)
        names = call.events()
        async with call:
            await call.start()
            await call.wait_connected()
            await trio.sleep(1)

            assert seen == [CallState.CONNECTED]
        told = [type(event).__name__ async for event in names]
        assert told.index("EarlyMediaStarted") < told.index("Connected")


async def test_200_goes_out_when_the_prack_is_here(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await _arrive(client, far, SUPPORTS)
        await call.progress(183)
        early = await far.expect(183)
        await call.answer()
        assert early.body
        assert early.header("Require") == "100rel"
        again = await far.expect(183)
        assert call.state.value is CallState.CONNECTING

        _prack(far, again)
        ok = await far.expect(200)
        while ok.method != "INVITE":
            ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()

        assert ok.body == b""
        call.hangup()


async def test_cancel_while_the_200_waits_ends_the_call(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        branch = far.request("INVITE", OWN_URI, body=SDP, headers=[SUPPORTS])
        call = await calls.__anext__()
        await call.progress(183)
        await call.answer()
        far.request("CANCEL", OWN_URI, branch=branch)
        end = await call.wait_ended()

        assert (end.reason, end.sip_code) == (EndReason.REMOTE_ENDED, 487)


async def test_hangup_while_the_200_waits_refuses_the_call(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await _arrive(client, far, SUPPORTS)
        await call.progress(183)
        await call.answer()
        call.hangup()
        await far.expect(603)
        end = await call.wait_ended()

        assert (end.reason, end.sip_code) == (EndReason.LOCAL_ENDED, 603)


async def test_early_media_is_changed_by_an_update(autojump_clock, world) -> None:
    """RFC 3311 §1: before the call is answered."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 183, headers=[("Require", "100rel"), ("RSeq", "1")], body=SDP)
        far.respond(await far.expect("PRACK"), 200)
        far.request(
            "UPDATE",
            OWN_URI,
            call_id=call.sip_call_id,
            to_tag=invite.key()[3],
            headers=[],
            body=SDP.replace("4000", "4002"),
        )
        ok = await far.expect(200)
        far.respond(invite, 200)
        await far.expect("ACK")
        await call.wait_connected()

        assert ok.method == "UPDATE"
        assert b"m=audio" in ok.body
        assert "4002" in call._leg.remote_sdp
        call.hangup()
