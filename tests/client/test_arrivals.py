"""Requests outside of calls, each with the answer its RFC asks for."""

from __future__ import annotations

import pytest
import trio

from trivox.call.client_events import IncomingCall, IncomingMessage
from trivox.call.states import CallState
from trivox.errors import (
    ConnectionTimeoutError,
    InvalidHeaderError,
    InvalidUriError,
    RequiredParameterError,
)
from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"
FAR_URI = "sip:far@10.0.0.9:5060"


async def _answer(far, method: str, **arguments):
    far.request(method, OWN_URI, **arguments)
    while (response := await far.receive()).status < 200:
        pass
    return response


async def test_options_tell_what_a_serving_client_takes(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        response = await _answer(far, "OPTIONS")
        calls.close()

        assert response.status == 200
        assert "INVITE" in response.header("Allow")
        assert response.header("Accept") == "application/sdp, multipart/mixed"
        assert (await _answer(far, "OPTIONS", call_id="two")).status == 503


@pytest.mark.parametrize(
    ("method", "status"),
    [("PUBLISH", 405), ("REGISTER", 405), ("FROBNICATE", 501)],
)
async def test_methods_not_taken_are_405_and_unknown_ones_501(
    autojump_clock, world, method, status
) -> None:
    async with world().with_far_end() as (_client, far):
        response = await _answer(far, method)

        assert response.status == status
        assert "INVITE" in response.header("Allow")


@pytest.mark.parametrize(
    "method", ["BYE", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "REFER", "UPDATE"]
)
async def test_a_request_in_a_dialog_we_do_not_know_is_481(autojump_clock, world, method) -> None:
    async with world().with_far_end() as (_client, far):
        assert (await _answer(far, method, to_tag="gone")).status == 481


async def test_a_required_extension_is_420_and_named(autojump_clock, world) -> None:
    """RFC 3261 §8.2.2.3."""
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        response = await _answer(
            far, "INVITE", headers=[("Require", "100rel, precondition, x-y")], body=SDP
        )
        calls.close()

        assert response.status == 420
        assert response.header("Unsupported") == "precondition, x-y"


async def test_a_body_that_is_no_sdp_is_415_and_an_accept_without_it_406(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.send(
            f"INVITE {OWN_URI} SIP/2.0",
            [
                ("Via", "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx"),
                ("Max-Forwards", "70"),
                ("From", f"<{FAR_URI}>;tag=1"),
                ("To", f"<{OWN_URI}>"),
                ("Call-ID", "x"),
                ("CSeq", "1 INVITE"),
                ("Contact", f"<{FAR_URI}>"),
                ("Content-Type", "text/plain"),
            ],
            "hello",
        )
        assert (await far.expect(415)).header("Accept") == "application/sdp, multipart/mixed"
        response = await _answer(far, "INVITE", headers=[("Accept", "text/html")], call_id="y")
        calls.close()

        assert response.status == 406


async def test_a_message_is_answered_and_emitted(autojump_clock, world) -> None:
    """RFC 3428 §7."""
    async with world().with_far_end() as (client, far):
        seen = []
        client.on(IncomingMessage, seen.append)
        response = await _answer(far, "MESSAGE")

        assert response.status == 200
        assert seen[0].from_uri == far.uri
        assert seen[0].to_uri == OWN_URI


async def test_max_calls_refuses_the_next_one_with_503(autojump_clock, world) -> None:
    async with world().with_far_end(max_calls=1, retry_after=7) as (client, far):
        calls = client.incoming_calls()
        far.invite(OWN_URI)
        call = await calls.__anext__()
        far.invite(OWN_URI, call_id="second")
        assert (await far.expect(503)).header("Retry-After") == "7"
        call.hangup()
        await far.expect(603)
        calls.close()


async def test_serve_runs_no_more_handlers_than_asked_for(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        async with trio.open_nursery() as nursery:

            async def serve(*, task_status) -> None:
                await client.serve(_hang_around, max_calls=1, task_status=task_status)

            await nursery.start(serve)
            far.invite(OWN_URI)
            await far.expect(180)
            far.invite(OWN_URI, call_id="second")
            await far.expect(503)
            await trio.sleep(6)
            far.invite(OWN_URI, call_id="third")
            await far.expect(180)
            nursery.cancel_scope.cancel()


async def _hang_around(call) -> None:
    await call.progress()
    await trio.sleep(5)


async def test_request_returns_any_final_response(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_refuse, far)
            response = await client.request(
                "MESSAGE", FAR_URI, body="hi", content_type="text/plain", headers={"X-A": "b"}
            )

        assert (response.status, response.headers["x-why"]) == (404, "gone")


async def _refuse(far) -> None:
    request = await far.expect("MESSAGE")
    assert request.body == b"hi"
    assert request.header("X-A") == "b"
    far.respond(request, 100, to_tag="")
    far.respond(request, 404, headers=[("X-Why", "gone")])


async def test_request_without_answer_times_out_after_timer_f(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _far):
        began = trio.current_time()
        with pytest.raises(ConnectionTimeoutError):
            await client.request("OPTIONS", FAR_URI)

        assert trio.current_time() - began == pytest.approx(32, abs=0.1)
        assert client.statistics().tokens == 0


async def test_bad_arguments_of_request_are_refused_before_anything_is_sent(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        with pytest.raises(RequiredParameterError):
            await client.request("MESSAGE", FAR_URI, body="hi")
        with pytest.raises(InvalidHeaderError):
            await client.request("MESSAGE", FAR_URI, headers={"X-A": "\n"})
        with pytest.raises(InvalidUriError):
            await client.request("MESSAGE", "somebody")
        with pytest.raises(InvalidHeaderError):
            client.create_call("sip:a@b\r\nX-Forged: 1")

        assert await far.silence(1)


MIXED = f"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}--b--"


def _invite(far, body: str, *, number: int = 1, to: str = f"<{OWN_URI}>") -> None:
    """Call, or call again in the dialog, with a body in parts."""
    host, port = far.local
    far.send(
        f"INVITE {OWN_URI} SIP/2.0",
        [
            ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bKparts{number}"),
            ("Max-Forwards", "70"),
            ("From", f"<{far.uri}>;tag=far-tag"),
            ("To", to),
            ("Call-ID", "parts"),
            ("CSeq", f"{number} INVITE"),
            ("Contact", f"<{far.uri}>"),
            ("Content-Type", "multipart/mixed;boundary=b"),
        ],
        body,
    )


async def test_the_sdp_among_other_parts_is_answered(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        _invite(far, MIXED)
        call = await anext(calls)
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        calls.close()

        assert ok.header("Content-Type") == "application/sdp"
        assert ok.body.startswith(b"v=0")


async def test_parts_without_sdp_are_415(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        _invite(far, "--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--")
        refused = await far.expect(415)
        calls.close()

        assert refused.header("Accept") == "application/sdp, multipart/mixed"


async def test_a_re_invite_with_parts_but_without_sdp_is_415_and_changes_nothing(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        _invite(far, MIXED)
        call = await anext(calls)
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        _invite(far, "--b--", number=2, to=ok.header("To"))
        refused = await far.expect(415)
        _invite(far, MIXED, number=3, to=ok.header("To"))
        answered = await far.expect(200)
        calls.close()

        assert refused.header("Accept") == "application/sdp, multipart/mixed"
        assert answered.body.startswith(b"v=0")
        assert call.state.value is CallState.CONNECTED


async def test_a_call_that_ends_untaken_is_let_go(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        seen = []
        client.on(IncomingCall, seen.append)
        for number in range(3):
            far.invite(OWN_URI, call_id=f"call{number}")
        while len(seen) < 3 or client.calls:
            await trio.sleep(1)

        assert not client._arrivals.takers._waiting


async def test_an_ended_call_holds_no_place_in_an_iterator(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        seen = []
        client.on(IncomingCall, lambda event: seen.append(event.call))
        calls = client.incoming_calls(max_waiting=1)
        for number in range(3):
            far.invite(OWN_URI, call_id=f"call{number}")
            while len(seen) <= number:
                await trio.sleep(0.1)
        seen[0].reject()
        await far.expect(603)

        assert await anext(calls) is seen[1]
        assert await anext(calls) is seen[2]
        calls.close()
