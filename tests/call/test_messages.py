"""Messages within calls, and what became of them (RFC 3428, RFC 3862, RFC 5438)."""

from __future__ import annotations

import datetime
from functools import partial

import pytest

from trivox import (
    AccountConfig,
    InvalidArgumentsError,
    MessageDispositionReceived,
    MessageReceipt,
    MessageReceived,
)
from trivox._native import Message
from trivox.errors import CallWrongStateError
from trivox.sip.cpim import CPIM_TYPE, CpimMessage
from trivox.sip.party import ANONYMOUS_URI
from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"
TRUNK = AccountConfig("sip:login@carrier.example", registrar="", proxy="sip:10.0.0.9", trusted=True)
ENVELOPE = (
    "From: <sip:far@10.0.0.9>\r\nTo: <sip:bot@10.0.0.1>\r\nDateTime: 2008-04-04T12:16:49-05:00\r\n"
    "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1\r\n"
    "imdn.Disposition-Notification: display\r\n\r\nContent-type: text/plain\r\n\r\nhello"
)


def _seen(call) -> list:
    events: list = []
    call.on(MessageReceived, events.append)
    call.on(MessageDispositionReceived, events.append)
    return events


async def test_a_far_end_is_told_of_delivery_and_display(autojump_clock, pair) -> None:
    """RFC 5438 §7."""

    async def body(call, far) -> None:
        here, there = _seen(call), _seen(far)
        sent = call.send_message("grüß dich", notify=["positive-delivery", "display"])
        assert isinstance(sent, MessageReceipt)
        assert not {"resolve", "fail"} & set(dir(MessageReceipt)), "no business of a program"
        assert (await sent.check()).status == 200

        (message,) = there
        assert (message.text, message.content_type) == ("grüß dich", "text/plain;charset=utf-8")
        assert message.wishes == {"positive-delivery", "display"}
        assert message.message_id == sent.message_id != ""
        assert datetime.datetime.fromisoformat(message.sent_at).tzinfo is not None

        for status in ("delivered", "displayed"):
            assert (await far.send_disposition(message, status).check()).status == 200
        told = [event.disposition for event in here]
        assert [(one.kind, one.status) for one in told] == [
            ("delivery", "delivered"),
            ("display", "displayed"),
        ]
        assert {one.message_id for one in told} == {sent.message_id}
        assert {one.sent_at for one in told} == {message.sent_at}
        assert there == [message]

    await pair.run(body)


async def test_nothing_is_told_that_was_not_asked_for(autojump_clock, pair) -> None:
    """RFC 5438 §7.2.1.1."""

    async def body(call, far) -> None:
        there = _seen(far)
        plain = call.send_message("hello")
        await plain.check()
        await call.send_message("hello", notify="display").check()
        without, asking = there

        assert (plain.message_id, without.message_id, without.wishes) == ("", "", frozenset())
        for message, status in ((without, "displayed"), (asking, "delivered"), (asking, "failed")):
            with pytest.raises(InvalidArgumentsError, match="did not ask"):
                far.send_disposition(message, status)
        with pytest.raises(InvalidArgumentsError, match="no status"):
            far.send_disposition(asking, "read")
        with pytest.raises(InvalidArgumentsError):
            far.send_disposition("hello", "displayed")
        with pytest.raises(InvalidArgumentsError, match="positive-delivery"):
            call.send_message("hello", notify=["reading"])

    await pair.run(body)


async def test_an_ended_call_tells_nothing(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        there = _seen(far)
        await call.send_message("hello", notify="display").check()
        far.hangup()
        await far.wait_ended()

        with pytest.raises(CallWrongStateError):
            far.send_disposition(there[0], "displayed")

    await pair.run(body)


async def _answered(client, far, **invite):
    calls = client.incoming_calls()
    far.request("INVITE", OWN_URI, body=SDP, **invite)
    call = await calls.__anext__()
    calls.close()
    await call.answer()
    answer = await far.expect(200)
    far.acknowledge(answer)
    await call.wait_connected()
    return call, answer


def _say(far, answer, cseq: int, body: str, content_type: str = CPIM_TYPE) -> None:
    far.request(
        "MESSAGE", OWN_URI, to_tag=answer.to_tag, cseq=cseq, body=body, content_type=content_type
    )


async def test_an_envelope_of_others_is_read_and_answered_in_the_dialog(
    autojump_clock, world
) -> None:
    """RFC 3862 §2."""
    async with world().with_far_end() as (client, far):
        call, answer = await _answered(client, far)
        seen = _seen(call)
        _say(far, answer, 2, ENVELOPE)
        await far.expect(200)

        (message,) = seen
        assert (message.text, message.message_id) == ("hello", "m1")
        assert (message.wishes, message.sent_at) == ({"display"}, "2008-04-04T12:16:49-05:00")

        receipt = call.send_disposition(message, "displayed")
        told = await far.expect("MESSAGE")
        assert (told.header("Content-Type"), told.to_tag) == (CPIM_TYPE, "far-tag")
        assert b"<message-id>m1</message-id>" in told.body
        assert b"<datetime>2008-04-04T12:16:49-05:00</datetime>" in told.body
        assert b"<displayed/>" in told.body
        assert b"Disposition-Notification" not in told.body  # RFC 5438 §7.2.1: never of itself
        far.respond(told, 200)
        assert (await receipt.check()).status == 200
        call.hangup()


@pytest.mark.parametrize(
    "body",
    [
        "nothing",
        ENVELOPE.replace("To: ", "X: "),
        ENVELOPE.replace("text/plain", "message/imdn+xml"),
        ENVELOPE.partition("\r\n\r\n")[0],
        ENVELOPE.replace("text/plain", "message/imdn+xml").replace("hello", "<imdn>" * 5000),
    ],
)
async def test_an_envelope_that_cannot_be_read_is_shown_as_it_stands(
    autojump_clock, world, body
) -> None:
    async with world().with_far_end() as (client, far):
        call, answer = await _answered(client, far)
        seen = _seen(call)
        _say(far, answer, 2, body)
        await far.expect(200)

        (message,) = seen
        assert (message.text, message.content_type, message.wishes) == (body, CPIM_TYPE, set())
        call.hangup()


async def test_a_message_of_another_call_is_not_told_of(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, answer = await _answered(client, far)
        other, _ = await _answered(client, far, call_id="two")
        seen = _seen(call)
        _say(far, answer, 2, ENVELOPE)
        await far.expect(200)

        with pytest.raises(InvalidArgumentsError, match=call.id):
            other.send_disposition(seen[0], "displayed")
        assert await far.silence(1)
        call.hangup()
        other.hangup()


def _named(message) -> tuple[str, str]:
    """Return From and To of the envelope in a request as it was on the wire."""
    assert message.header("Content-Type") == CPIM_TYPE
    envelope = CpimMessage.parse_untrusted(message.body)
    return envelope.from_uri, envelope.to_uri


async def test_who_hides_is_not_named_in_the_envelope(autojump_clock, pair) -> None:
    """RFC 3323 §4.1: neither by itself nor by whom it talks to."""
    own = pair.make_world()
    messages: list[Message] = []

    def trace(at, direction, flow, local, remote, data) -> None:
        if direction == "out" and data.startswith(b"MESSAGE "):
            messages.append(Message.parse(bytes(data)))

    own.client = partial(own.client, trace=trace)
    pair.make_world = lambda: own

    async def body(call, far) -> None:
        here, there = _seen(call), _seen(far)
        await call.send_message("hello", notify="display").check()
        await far.send_disposition(there[0], "displayed").check()
        await far.send_message("hello", notify="display").check()
        await call.send_disposition(here[-1], "displayed").check()

        bob = call.destination
        assert [_named(message) for message in messages] == [
            (ANONYMOUS_URI, bob),
            (bob, ANONYMOUS_URI),
            (bob, ANONYMOUS_URI),
            (ANONYMOUS_URI, bob),
        ]
        assert all(b"trivox" not in message.body for message in messages)

    await pair.run(body, privacy=("id",))


async def test_the_envelope_names_who_was_called_and_not_the_account_of_the_trunk(
    autojump_clock, world
) -> None:
    """Nor whom the trunk asserts to us alone (RFC 3325 §7)."""
    asserted = [("P-Asserted-Identity", "<sip:ann@carrier.example>")]
    async with world().with_far_end(accounts=[TRUNK]) as (client, far):
        call, answer = await _answered(client, far, headers=asserted)
        assert (call.account.uri, call.remote_sip_uri.value) == (
            TRUNK.uri,
            "sip:ann@carrier.example",
        )
        seen = _seen(call)
        call.send_message("hello", notify="display")
        asking = await far.expect("MESSAGE")
        far.respond(asking, 200)
        _say(far, answer, 2, ENVELOPE)
        await far.expect(200)
        call.send_disposition(seen[0], "displayed")
        telling = await far.expect("MESSAGE")
        far.respond(telling, 200)

        for message in (asking, telling):
            assert _named(message) == (OWN_URI, far.uri)
            assert b"carrier.example" not in message.body
        assert f"<recipient-uri>{OWN_URI}</recipient-uri>".encode() in telling.body
        call.hangup()
