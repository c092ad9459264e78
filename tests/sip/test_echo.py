"""What a peer makes us repeat can be sent: no header of theirs makes a later request of ours fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox._native import EVENT_REQUEST, EVENT_RESPONSE, Message, SipCore
from trivox.sip.conference_info import ConferenceInfo, ConferenceUser
from trivox.sip.dialog import Dialog
from trivox.sip.digest import DigestClient
from trivox.sip.imdn import Disposition
from trivox.sip.refer import sipfrag

NEAR, FAR = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
ODD = ["\t", "\u2028", "\u2029", "\u0085", "\u009f", "\x01", "\\\x01", "\\\x7f", "\\\t", "\x0b"]
PLACES = ["from", "to", "call_id", "route", "contact"]


def core() -> SipCore:
    made = SipCore(b"seed")
    made.open_flow(1, "udp", NEAR)
    return made


def invite(place: str, odd: str) -> bytes:
    text = dict.fromkeys(PLACES, "") | {place: odd}
    return (
        "INVITE sip:us@192.0.2.1 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKy\r\nMax-Forwards: 70\r\n"
        f'From: "B{text["from"]}b" <sip:bob@b>;tag=them\r\nTo: "U{text["to"]}s" <sip:us@a>\r\n'
        f"Call-ID: a{text['call_id']}b\r\nCSeq: 1 INVITE\r\n"
        f'Record-Route: <sip:192.0.2.9;lr>;x="a{text["route"]}b"\r\n'
        f"Contact: <sip:b{text['contact']}b@192.0.2.2>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def repeat(place: str, odd: str) -> bytes:
    """Answer the INVITE, or send a BYE in its dialog if it was taken; return what is sent."""
    near = core()
    for event in near.receive_batch(1, [(invite(place, odd), FAR)], 0.0):
        assert event[0] == EVENT_REQUEST
        assert event[5] is not None
        near.respond(event[2], 200, "OK", [("Contact", "<sip:us@a>")], b"", "us", 1, 0.0)
        dialog = Dialog.from_request(event[5], local_tag="us", contact="<sip:us@192.0.2.1>")
        bye = dialog.request("BYE")
        near.request(bye.method, bye.uri, 1, FAR, "192.0.2.1", bye.headers, b"", 1, 0.0)
    return near.take_output()[-1][2]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", PLACES)
def test_an_odd_character_is_refused_or_can_be_repeated(place: str, odd: str) -> None:
    sent = Message.parse(repeat(place, odd))

    assert sent.method == "BYE" or sent.status == 400


@given(st.sampled_from(PLACES), st.text(max_size=4))
def test_any_text_is_refused_or_can_be_repeated(place: str, odd: str) -> None:
    if "\r\n" in odd or any(0xD800 <= ord(letter) < 0xE000 for letter in odd):
        return
    sent = Message.parse(repeat(place, odd))

    assert sent.method == "BYE" or sent.status == 400


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_character_in_a_challenge_makes_no_request_that_cannot_be_sent(odd: str) -> None:
    near = core()
    headers = [("From", "<sip:a>;tag=us"), ("To", "<sip:b>"), ("Call-ID", "c")]
    headers += [("CSeq", "1 OPTIONS"), ("Max-Forwards", "70")]
    near.request("OPTIONS", "sip:b", 1, FAR, "192.0.2.1", headers, b"", 1, 0.0)
    ((_, _, sent),) = near.take_output()
    via = Message.parse(sent).values("Via")[0]
    answer = (
        f"SIP/2.0 401 Who\r\nVia: {via}\r\nFrom: <sip:a>;tag=us\r\nTo: <sip:b>;tag=x\r\n"
        f"Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n"
        f'WWW-Authenticate: Digest realm="r", nonce="n{odd}", opaque="o{odd}", qop="auth"\r\n\r\n'
    ).encode()
    client = DigestClient("alice", "pw", realms=["r"])

    for event in near.receive_batch(1, [(answer, FAR)], 0.0):
        assert event[0] == EVENT_RESPONSE
        assert event[5] is not None
        challenges = event[5].headers("WWW-Authenticate")
        credentials = client.answer(challenges, "OPTIONS", "sip:b", b"", "cnonce")
        again = [*headers, *([("Authorization", credentials)] if credentials else [])]
        near.request("OPTIONS", "sip:b", 1, FAR, "192.0.2.1", again, b"", 1, 0.0)


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_character_in_any_header_can_be_repeated_as_it_was_read(odd: str) -> None:
    """A 420 repeats what was required: one datagram would have ended the program (RFC 3261 §8.2.2.3)."""
    near = core()
    given = invite("from", "").replace(b"Contact:", f"Require: a{odd}b\r\nContact:".encode())

    for event in near.receive_batch(1, [(given, FAR)], 0.0):
        assert event[5] is not None
        (required,) = event[5].values("Require")
        assert required == event[5].header("Require")
        near.respond(event[2], 420, "Bad", [("Unsupported", required)], b"", "us", 0, 0.0)
    sent = Message.parse(near.take_output()[-1][2])

    assert sent.status in (400, 420)


def test_a_phrase_with_a_tab_goes_up_through_a_proxy() -> None:
    near = core()
    near.receive_batch(1, [(invite("from", ""), FAR)], 0.0)
    answer = Message.parse(
        b"SIP/2.0 486 Busy\tHere\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKy\r\nFrom: <sip:bob@b>;tag=them\r\n"
        b"To: <sip:us@a>;tag=x\r\nCall-ID: ab\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
    server = 1

    assert near.forward_response(server, answer, 0.0)


def test_what_is_no_utf_8_can_be_told_in_a_notification() -> None:
    """Names and phrases of peers are read by surrogateescape; our documents are UTF-8."""
    odd = "B\udcffsy"
    user = ConferenceUser(entity=f"sip:{odd}@a", display_name=odd)
    documents = [
        sipfrag(486, odd),
        ConferenceInfo(entity=odd, version=1, users=(user,)).to_body(),
        Disposition(message_id=odd, kind="delivery", status="failed").to_body(),
    ]

    assert all(document.decode().count("B?sy") for document in documents)
