"""Message, Uri and NameAddr by example."""

from __future__ import annotations

import pytest

from trivox._native import Message, NameAddr, SipCore, Uri
from trivox.errors import ParseError

INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKx;rport, SIP/2.0/TCP 192.0.2.3\r\n"
    b'f: "A, \\"B\\"" <sip:alice@example.com>;tag=from\r\n'
    b"To: <sip:bob@example.com>\r\n"
    b"i: call\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"m: <sip:alice@192.0.2.1;transport=udp>;q=1\r\n"
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    b"Record-Route: <sip:p3;lr>\r\n"
    b"Subject: one\r\n  two\r\n"
    b"X-Raw: \xff\r\n"
    b"l: 4\r\n\r\nbodyEXTRA"
)


def _with(line: bytes) -> bytes:
    return INVITE.replace(b"Subject: one\r\n  two", line)


def test_key_gives_what_dispatch_needs() -> None:
    key = Message.parse(INVITE).key()

    assert key == ("INVITE", 0, "call", "from", "", "z9hG4bKx", "192.0.2.1:5062", 7)


def test_dialog_gives_what_a_dialog_is_made_of() -> None:
    dialog = Message.parse(INVITE).dialog()

    assert dialog == (
        "call",
        "from",
        "",
        '"A, \\"B\\"" <sip:alice@example.com>;tag=from',
        "<sip:bob@example.com>",
        "sip:alice@192.0.2.1;transport=udp",
        ("<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"),
        7,
    )


def test_headers_read_by_any_spelling_of_their_name() -> None:
    message = Message.parse(INVITE)

    assert message.header("call-id") == message.header("I") == "call"
    assert message.header("Missing") is None
    assert message.headers("Record-Route") == ["<sip:p1;lr>, <sip:p2;lr>", "<sip:p3;lr>"]
    assert len(message.values("Via")) == 2
    assert message.items()[0][0] == "Via"


def test_folded_lines_read_as_one() -> None:
    assert Message.parse(INVITE).header("s") == "one two"


def test_octets_that_are_no_utf8_survive_the_round_trip() -> None:
    value = Message.parse(INVITE).header("X-Raw")

    assert value is not None
    assert value.encode("utf-8", "surrogateescape") == b"\xff"


def test_body_ends_at_content_length() -> None:
    message = Message.parse(INVITE)

    assert message.body == b"body"
    assert message.raw == INVITE


@pytest.mark.parametrize(
    "length",
    [b"+4", b"-1", b"1_0", b" ", b"4 4", b"\xd9\xa4", b"99999999999999999999", b"9" * 5000],
)
def test_content_length_is_ascii_digits_within_the_message(length: bytes) -> None:
    with pytest.raises(ParseError):
        Message.parse(INVITE.replace(b"l: 4", b"l: " + length))


@pytest.mark.parametrize("second", [b"Content-Length: 4", b"l: 3", b"CONTENT-LENGTH : 4"])
def test_a_second_content_length_is_refused_in_any_spelling(second: bytes) -> None:
    with pytest.raises(ParseError, match="twice"):
        Message.parse(_with(second))


@pytest.mark.parametrize(
    "line",
    [b"Call-ID: x", b"i : x", b"CSeq: 7 INVITE", b"t: <sip:x@y>", b"f\t: <sip:x@y>;tag=2"],
)
def test_a_second_singleton_is_answered_400_even_with_a_blank_before_its_colon(line: bytes) -> None:
    assert Message.parse(_with(line)).validate() == (400, "Header given twice")


@pytest.mark.parametrize(
    "line", [b"X: a\rb", b"X: a\nb", b"X: a\0b", b"X: \x0b", b"no colon", b": empty", b"a b: c"]
)
def test_control_characters_and_broken_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ParseError):
        Message.parse(_with(line))


@pytest.mark.parametrize(
    "line", ["X: a\u0085b", "X: a\u2028Via: b"], ids=["next line", "line separator"]
)
def test_unicode_line_breaks_do_not_split_a_header(line: str) -> None:
    message = Message.parse(_with(line.encode()))

    # As a blank, so that what was read can be sent (`test_echo`).
    assert message.header("X") == line[3:].replace("\u0085", " ").replace("\u2028", " ")
    assert len(message.values("Via")) == 2


@pytest.mark.parametrize(
    "cseq", [b"x INVITE", b"2147483648 INVITE", b"7", b"7 INVITE x", b"+7 INVITE"]
)
def test_bad_cseq_is_answered_400(cseq: bytes) -> None:
    verdict = Message.parse(INVITE.replace(b"7 INVITE", cseq)).validate()

    assert verdict == (400, "Bad CSeq")


def test_too_many_uri_parameters_raise_a_typed_error() -> None:
    with pytest.raises(ParseError, match="Too many URI parameters"):
        Uri.parse("sip:a" + ";p" * 65)


def test_bounds_are_enforced_by_a_typed_error() -> None:
    with pytest.raises(ParseError, match="Too many headers"):
        Message.parse(_with(b"\r\n".join([b"X: 1"] * 257)))
    with pytest.raises(ParseError, match="Too many Via"):
        Message.parse(_with(b"Via: " + b",".join([b"SIP/2.0/UDP a"] * 65)))
    with pytest.raises(ParseError, match="Too Large"):
        Message.parse(INVITE + b"x" * 65_536)


def test_repr_shows_no_user() -> None:
    assert repr(Message.parse(INVITE)) == "<Message INVITE>"
    assert "alice" not in repr(Uri.parse("sip:alice:secret@example.com"))


def test_uri_is_taken_apart() -> None:
    """RFC 5954 §4.1."""
    uri = Uri.parse("SIPS:a%40b:pw@[2001:DB8::1]:5061;Transport=tcp;lr?Subject=x")

    assert (uri.scheme, uri.user, uri.password) == ("sips", "a@b", "pw")
    assert (uri.host, uri.port) == ("2001:db8::1", 5061)
    assert uri.parameters == {"transport": "tcp", "lr": None}
    assert uri.headers == "Subject=x"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "bob",
            "sip:",
            "sip:@host",
            "sip:a b@c",
            "sip:a@b@c",
            "sip:2001:db8::1",
            "sip:a@[::1",
        ),
        *(
            "sip:a:70000",
            "sip:a:+5",
            "sip:%zz@a",
            "sip:a@b\r\nX: y",
            "<sip:a@b>",
            ":x",
            "sip:a:\u0661",
        ),
    ],
)
def test_what_is_no_uri_raises_a_typed_error(text: str) -> None:
    with pytest.raises(ParseError):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        ("sip:a@b?x=1&y=2", "sip:a@b?y=2&x=1"),
    ],
)
def test_equal_uris_of_rfc_3261_section_19_1_4(one: str, other: str) -> None:
    assert Uri.parse(one) == Uri.parse(other)
    assert hash(Uri.parse(one)) == hash(Uri.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:ALICE@atlanta.com", "sip:alice@atlanta.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next"),
        ("sip:c@c;security=on", "sip:c@c;security=off"),
    ],
)
def test_different_uris_of_rfc_3261_section_19_1_4(one: str, other: str) -> None:
    assert Uri.parse(one) != Uri.parse(other)


def test_uri_differs_from_what_is_no_uri() -> None:
    assert Uri.parse("sip:a@b") != "sip:a@b"


def test_name_addr_is_taken_apart() -> None:
    address = NameAddr.parse('"A \\"q\\" <x>" <sip:a@b;lr>;tag=1;Flag;q="x;y"')

    assert address.display_name == 'A "q" <x>'
    assert address.uri == "sip:a@b;lr"
    assert address.parameters == {"tag": "1", "flag": None, "q": "x;y"}


def test_parameters_behind_a_bare_uri_belong_to_the_header() -> None:
    """RFC 8217 §3."""
    address = NameAddr.parse("sip:a@b;tag=1")

    assert (address.uri, address.parameters) == ("sip:a@b", {"tag": "1"})


@pytest.mark.parametrize(
    "text",
    ['"open <sip:a@b>', "<sip:a@b", "a,b <sip:a@b>", "sip:a@b?x=y", "<sip:a@b>;;", "<sip:a@b> x"],
)
def test_what_is_no_name_addr_raises_a_typed_error(text: str) -> None:
    with pytest.raises(ParseError):
        NameAddr.parse(text)


def test_core_counts_nothing_when_new() -> None:
    assert set(SipCore(b"").statistics().values()) == {0}
