"""Messages outside of calls, and the news of what became of them (RFC 3428, RFC 5438)."""

from __future__ import annotations

import datetime
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import assert_checkpoints

import trivox
from trivox import DispositionReceived, IncomingMessage
from trivox.errors import InvalidArgumentsError

SERVER = "10.0.0.2"
BOX = f"sip:bob@{SERVER}:5060;transport=udp"
THEN = datetime.datetime(2008, 4, 4, 12, 16, 49, tzinfo=datetime.UTC)


@asynccontextmanager
async def both(world, **settings):
    """A client that sends and one that gets; the messages that came are kept in a list."""
    stage = world()
    me = trivox.AccountConfig("sip:alice@10.0.0.1", registrar="")
    async with (
        stage.client(accounts=[me]) as one,
        stage.client(
            SERVER, accounts=[trivox.AccountConfig(f"sip:bob@{SERVER}", registrar="")], **settings
        ) as two,
    ):
        messages: list[IncomingMessage] = []
        two.on(IncomingMessage, messages.append)
        yield one, two, messages


async def test_a_message_without_a_wish_goes_as_it_is(autojump_clock, world) -> None:
    async with both(world) as (one, two, messages):
        sent = await one.send_message(BOX, "hello")

        assert (sent.response.status, sent.message_id) == (200, "")
        (message,) = messages
        assert (message.text, message.content_type) == ("hello", "text/plain;charset=UTF-8")
        assert (message.message_id, message.wishes) == ("", frozenset())
        with pytest.raises(InvalidArgumentsError, match="did not ask"):
            await two.send_disposition(message, "delivered")


async def test_a_sender_is_told_of_delivery_and_display(autojump_clock, world) -> None:
    """RFC 5438 §7.1, §7.2: asked for in the envelope, told in messages that name the first.

    RFC 5438 §7.2.
    """
    async with both(world) as (one, two, messages):
        told: list[DispositionReceived] = []
        one.on(DispositionReceived, told.append)
        sent = await one.send_message(
            BOX, "hello", notify=["positive-delivery", "display"], sent_at=THEN
        )
        (message,) = messages
        responses = [
            await two.send_disposition(message, status) for status in ("delivered", "displayed")
        ]

        assert message.text == "hello"
        assert message.content_type == "text/plain;charset=UTF-8"
        assert message.message_id == sent.message_id != ""
        assert message.wishes == {"positive-delivery", "display"}
        assert message.sent_at == "2008-04-04T12:16:49+00:00"
        assert [response.status for response in responses] == [200, 200]
        assert [event.disposition for event in told] == [
            trivox.Disposition(
                message_id=sent.message_id,
                kind=kind,
                status=status,
                sent_at=message.sent_at,
                recipient_uri=message.to_uri,
            )
            for kind, status in (("delivery", "delivered"), ("display", "displayed"))
        ]
        assert told[0].from_uri == f"sip:bob@{SERVER}"
        with pytest.raises(InvalidArgumentsError, match="did not ask"):
            await two.send_disposition(message, "failed")
        with pytest.raises(InvalidArgumentsError, match="no status"):
            await two.send_disposition(message, "eaten")


async def test_news_of_a_message_asks_for_no_news(autojump_clock, world) -> None:
    """RFC 5438 §7.2: no notification of a notification, or two agents would never stop."""
    async with both(world) as (one, two, messages):
        seen: list[object] = []
        one.on(DispositionReceived, seen.append)
        one.on(IncomingMessage, seen.append)
        await one.send_message(BOX, "hello", notify=["display"])
        await two.send_disposition(messages[0], "displayed")
        await trio.sleep(1)

    assert len(seen) == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("message/cpim", "no envelope"),
        (
            "message/cpim",
            "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-type: message/imdn+xml\r\n\r\n<x/>",
        ),
    ],
)
async def test_what_cannot_be_read_is_told_as_it_stands(autojump_clock, world, kind, body) -> None:
    async with both(world) as (one, _, messages):
        response = await one.request("MESSAGE", BOX, body=body, content_type=kind)

        assert response.status == 200
        assert [(message.text, message.content_type) for message in messages] == [(body, kind)]


async def test_a_wish_without_an_id_cannot_be_met(autojump_clock, world) -> None:
    body = (
        "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
        "imdn.Disposition-Notification: display\r\n\r\nContent-type: text/plain\r\n\r\nhi"
    )
    async with both(world) as (one, _, messages):
        await one.request("MESSAGE", BOX, body=body, content_type="message/cpim")

        assert (messages[0].text, messages[0].wishes) == ("hi", frozenset())


async def test_wrong_arguments_raise_before_anything_is_sent(autojump_clock, world) -> None:
    async with both(world) as (one, _, messages):
        with pytest.raises(InvalidArgumentsError, match="display"):
            await one.send_message(BOX, "hello", notify=["read"])
        with pytest.raises(trivox.errors.InvalidUriError):
            await one.send_message("<", "hello")

        assert messages == []


async def test_sending_is_a_checkpoint(autojump_clock, world) -> None:
    async with both(world) as (one, two, messages):
        with assert_checkpoints():
            await one.send_message(BOX, "hello", notify=["display"])
        with assert_checkpoints():
            await two.send_disposition(messages[0], "displayed")


async def test_news_do_not_lead_where_a_stranger_points(autojump_clock, world) -> None:
    """A public client is asked to tell a private address: the filter of targets says no."""
    stage = world()
    settings = {"call_settings": trivox.CallSettings()}
    async with stage.client("198.51.100.1", **settings) as own:
        messages: list[IncomingMessage] = []
        own.on(IncomingMessage, messages.append)
        body = trivox.sip.cpim.CpimMessage(
            from_uri="sip:a@192.168.0.1",
            to_uri="sip:bot@198.51.100.1",
            imdn={"message-id": "1", "disposition-notification": "display"},
            body=b"hi",
        ).to_body()
        lines = [
            "MESSAGE sip:bot@198.51.100.1 SIP/2.0",
            "Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKm",
            "Max-Forwards: 70",
            "From: <sip:a@192.168.0.1>;tag=1",
            "To: <sip:bot@198.51.100.1>",
            "Call-ID: m",
            "CSeq: 1 MESSAGE",
            "Content-Type: message/cpim",
            f"Content-Length: {len(body)}",
        ]
        socket = stage.link.host("203.0.113.9").bind_datagram(("203.0.113.9", 5060))
        socket.send("\r\n".join([*lines, "", ""]).encode() + body, ("198.51.100.1", 5060))
        await trio.sleep(1)
        with pytest.raises(trivox.errors.TargetRefusedError):
            await own.send_disposition(messages[0], "displayed")
        socket.close()
