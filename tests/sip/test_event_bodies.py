"""Bodies of events and messages: MWI, dialogs, isComposing (RFC 3842, RFC 4235, RFC 3994)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.errors import ParseError
from trivox.sip.composing import IsComposing, composing_untrusted
from trivox.sip.dialog_info import DialogEntry, DialogInfo
from trivox.sip.event_packages import ReferredStatus, value_untrusted
from trivox.sip.message_summary import MessageCounts, MessageSummary
from trivox.sip.xml_body import MAX_DEPTH, MAX_ELEMENTS, parse_xml_untrusted

# RFC 3842 §5.2 and its examples.


def test_a_message_summary_is_read() -> None:
    """RFC 3842 §5.2."""
    body = (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n"
        b"Voice-Message: 2/8 (0/2)\r\nFax-Message: 1/0\r\nNonsense: many\r\n\r\nTo: x\r\n"
    )

    read = MessageSummary.parse_untrusted(body)

    assert read.has_messages
    assert read.account == "sip:alice@vmail.example.com"
    assert read.voice == MessageCounts(2, 8, 0, 2)
    assert read.counts == {"voice-message": read.voice, "fax-message": MessageCounts(1)}


def test_a_message_summary_is_written_as_it_is_read() -> None:
    counts = {"voice-message": MessageCounts(1, 2, 3, 4)}
    for summary in (
        MessageSummary(has_messages=True, account="sip:a@b", counts=counts),
        MessageSummary(has_messages=False),
    ):
        assert MessageSummary.parse_untrusted(summary.to_body()) == summary
    assert MessageSummary(has_messages=False).voice == MessageCounts()


def test_a_summary_without_the_word_is_none() -> None:
    with pytest.raises(ParseError):
        MessageSummary.parse_untrusted(b"Voice-Message: 1/1\r\n")


# RFC 4235 §4.4: an example.

DIALOG_INFO = b"""<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="partial"
             entity="sip:alice@example.com">
  <note>x</note>
  <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456"
          direction="initiator">
    <state event="rejected" code="486">terminated</state>
    <local><identity display="Alice">sip:alice@example.com</identity></local>
    <remote><identity display="Bob &amp; Co">sip:bob@example.org</identity>
      <target uri="sip:bob@x"/></remote>
  </dialog>
  <dialog id="2"><state>early</state><remote/></dialog>
</dialog-info>
"""


def test_a_dialog_info_document_is_read() -> None:
    """RFC 4235 §4.1."""
    first, second = DialogInfo.parse_untrusted(DIALOG_INFO).dialogs

    assert first == DialogEntry(
        id="as7d900as8",
        state="terminated",
        direction="initiator",
        call_id="a84b4c76e66710",
        local_tag="1928301774",
        remote_tag="456",
        local_uri="sip:alice@example.com",
        remote_uri="sip:bob@example.org",
        remote_display_name="Bob & Co",
        event="rejected",
    )
    assert second == DialogEntry(id="2", state="early")


def test_a_dialog_info_document_is_written_as_it_is_read() -> None:
    read = DialogInfo.parse_untrusted(DIALOG_INFO)

    assert (read.entity, read.version, read.is_full) == ("sip:alice@example.com", 1, False)
    assert DialogInfo.parse_untrusted(read.to_body()) == read
    full = DialogInfo(entity='sip:"<a>"@b')
    assert DialogInfo.parse_untrusted(full.to_body()) == full


ROOT = '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0">{}</dialog-info>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<dialog-info",
        b'<dialog-info version="x"/>',
        b'<other version="1"/>',
        ROOT.format('<dialog id="1"/>').encode(),
        ROOT.format('<dialog id="1"><state>odd</state></dialog>').encode(),
        ROOT.format("<dialog><state>early</state></dialog>").encode(),
        ROOT.format('<dialog id="1"><state>early</state></dialog>' * 257).encode(),
    ],
)
def test_a_bad_dialog_info_document_is_a_parse_error(body) -> None:
    with pytest.raises(ParseError):
        DialogInfo.parse_untrusted(body)


# Documents meant to do harm.


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&b;</a>",
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
        b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>",
        b"<a>" + b" " * 65_536 + b"</a>",
    ],
)
def test_entities_depth_and_size_are_refused(body) -> None:
    with pytest.raises(ParseError):
        parse_xml_untrusted(body, "a")


def test_the_deepest_and_largest_that_is_allowed_is_read() -> None:
    deep = parse_xml_untrusted(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH, "a")
    wide = parse_xml_untrusted(b"<a>" + b"<b/>" * (MAX_ELEMENTS - 1) + b"</a>", "a")

    assert deep.children[0].child("b") is None
    assert len(wide.children) == MAX_ELEMENTS - 1


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_parse_error(body) -> None:
    for parse in (
        MessageSummary.parse_untrusted,
        DialogInfo.parse_untrusted,
        IsComposing.parse_untrusted,
        ReferredStatus.parse_untrusted,
    ):
        try:
            parse(body)
        except ParseError:
            continue


# RFC 3994 §3.

COMPOSING = "application/im-iscomposing+xml; charset=utf-8"


def test_composing_is_written_as_it_is_read() -> None:
    for told in (
        IsComposing(is_active=False),
        IsComposing(
            is_active=True,
            content_type="text/plain",
            refresh=90,
            last_active="2003-01-27T10:43:00Z",
        ),
    ):
        assert composing_untrusted(COMPOSING, told.to_body()) == told


def test_a_refresh_below_a_minute_is_a_minute() -> None:
    body = IsComposing(is_active=True, refresh=3).to_body()

    assert IsComposing.parse_untrusted(body).refresh == 60


def test_what_does_not_tell_of_composing_is_none() -> None:
    assert composing_untrusted("text/plain", b"hello") is None
    assert composing_untrusted(COMPOSING, b"<isComposing><state>odd</state></isComposing>") is None


# RFC 6665 §5: the type tells how a body is read.


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("message/sipfrag;version=2.0", b"SIP/2.0 180 Ringing", ReferredStatus(180, "Ringing")),
        ("message/sipfrag", b"", None),
        ("message/sipfrag", b"x", None),
        ("text/plain", b"SIP/2.0 180 Ringing", None),
        (
            "Application/Simple-Message-Summary",
            b"Messages-Waiting: no",
            MessageSummary(has_messages=False),
        ),
    ],
)
def test_a_body_becomes_a_value_by_its_type(kind, body, value) -> None:
    assert value_untrusted(kind, body) == value
