"""Envelopes of messages and what is told of them (RFC 3862, RFC 5438)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.errors import ParseError
from trivox.sip.cpim import CpimMessage
from trivox.sip.imdn import Disposition, is_asked_for, wishes_untrusted

HEAD = (
    "From: Alice <im:alice@example.com>\r\n"
    "To: Bob <im:bob@example.com>\r\n"
    "NS: note <urn:ietf:params:imdn>\r\n"
    "NS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\n"
    "MyFeatures.Vital: yes\r\n"
    "note.Message-ID: 34jk324j\r\n"
    "DateTime: 2006-04-04T12:16:49-05:00\r\n"
    "note.Disposition-Notification: positive-delivery, Display;x=y, odd\r\n"
    "\r\n"
    "Content-type: text/plain; charset=utf-8\r\n"
    "Content-Disposition: render\r\n"
    "\r\n"
)
MESSAGE = CpimMessage(
    from_uri="im:alice@example.com",
    to_uri="im:bob@example.com",
    sent_at="2006-04-04T12:16:49-05:00",
    imdn={
        "message-id": "34jk324j",
        "disposition-notification": "positive-delivery, Display;x=y, odd",
    },
    content_type="text/plain; charset=utf-8",
    disposition="render",
    body=b"Hello\r\n\r\nWorld\n",
)


@pytest.mark.parametrize("line_break", ["\r\n", "\n"])
def test_an_envelope_is_read(line_break) -> None:
    """RFC 3862 §2, §3.4: headers, headers of content, content; whatever prefix IMDN was given."""
    head = HEAD.replace("\r\n", line_break).encode()

    assert CpimMessage.parse_untrusted(head + MESSAGE.body) == MESSAGE


def test_an_envelope_is_written_as_it_is_read() -> None:
    for message in (MESSAGE, CpimMessage(from_uri="sip:a@b", to_uri="sip:c@d", body=b"x")):
        assert CpimMessage.parse_untrusted(message.to_body()) == message
    assert b"\r\nimdn.Message-ID: 34jk324j\r\n" in MESSAGE.to_body()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"From: <a:b>\r\nTo: <c:d>\r\n\r\nHello",
        b"From: <a:b>\r\n\r\nContent-type: x/y\r\n\r\nHello",
        b"From: <a:b>\r\nTo <c:d>\r\n\r\nContent-type: x/y\r\n\r\nHello",
        b"From: <a:b>\r\nTo: <c:d>\r\n\r\nContent\r\n\r\nHello",
        b"From: <a:b>\r\nTo: <c:d>\r\n" + b"X: y\r\n" * 64 + b"\r\nA: b\r\n\r\n",
    ],
)
def test_a_bad_envelope_is_a_parse_error(body) -> None:
    with pytest.raises(ParseError):
        CpimMessage.parse_untrusted(body)


TOLD = b"""<?xml version="1.0" encoding="UTF-8"?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn">
  <message-id>34jk324j</message-id><datetime>2008-04-04T12:16:49-05:00</datetime>
  <recipient-uri>im:bob@example.com</recipient-uri>
  <original-recipient-uri>im:bob@example.com</original-recipient-uri>
  <{kind}-notification><status><{status}/></status></{kind}-notification>
</imdn>
"""


@pytest.mark.parametrize(
    ("kind", "status"),
    [("delivery", "failed"), ("display", "displayed"), ("processing", "stored")],
)
def test_a_notification_is_read_and_written(kind, status) -> None:
    """RFC 5438 §11: one element says which notification it is, one within what became of it."""
    text = TOLD.decode().replace("{kind}", kind).replace("{status}", status)

    read = Disposition.parse_untrusted(text.encode())

    assert read == Disposition(
        message_id="34jk324j",
        kind=kind,
        status=status,
        sent_at="2008-04-04T12:16:49-05:00",
        recipient_uri="im:bob@example.com",
    )
    assert Disposition.parse_untrusted(read.to_body()) == read


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<message-id>1</message-id>",
        "<message-id>1</message-id><delivery-notification/>",
        "<message-id>1</message-id><delivery-notification><status/></delivery-notification>",
        "<delivery-notification><status><failed/></status></delivery-notification>",
        "<message-id>1</message-id><display-notification><status><eaten/></status>"
        "</display-notification>",
    ],
)
def test_a_bad_notification_is_a_parse_error(content) -> None:
    with pytest.raises(ParseError):
        Disposition.parse_untrusted(f"<imdn>{content}</imdn>".encode())


def test_only_what_was_asked_for_is_told() -> None:
    """RFC 5438 §7.2.1.1: each status has the word that asks for it."""
    wishes = wishes_untrusted("positive-delivery, Display;x=y, odd")

    assert wishes == {"positive-delivery", "display"}
    assert is_asked_for("delivered", wishes)
    assert is_asked_for("displayed", wishes)
    assert not is_asked_for("failed", wishes)
    assert not is_asked_for("forbidden", wishes)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"From: <a>", b"To: <b>", b"x"])).map(
            b"".join
        ),
    )
)
def test_any_bytes_are_a_value_or_a_parse_error(body) -> None:
    for parse in (CpimMessage.parse_untrusted, Disposition.parse_untrusted):
        try:
            parse(body)
        except ParseError:
            continue
