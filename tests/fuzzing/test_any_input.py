"""Anything at all into what reads the network's text in Python: the typed answer or nothing, no more."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trivox._native import Message
from trivox.errors import ParseError
from trivox.net.tracing import StreamSplitter
from trivox.sip.digest_values import read_challenge_untrusted, read_parameters_untrusted

WORDS = (
    "Digest ", "realm=", "nonce=", "qop=", "algorithm=", "stale=true", "auth", "auth-int", "MD5",
    "SHA-256", "SHA-512-256", '"', "\\", ",", "=", ";", " ", "\t", "\r\n", "\0", "é", "x", "opaque=",
)  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=4)), max_size=25).map("".join)

LINES = (
    b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n", b"Content-Length: 3\r\n", b"l: 0\r\n",
    b"Content-Length: 99999999999\r\n", b"Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\n", b"\r\n", b"abc",
    b"\r\n\r\n", b"CSeq: 1 INVITE\r\n", b"\0", b"\xff", b"From: <sip:a@b>;tag=1\r\n",
)  # fmt: skip
streams = st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=5)), max_size=30)


@given(texts)
def test_a_challenge_is_understood_or_not(text):
    parameters = read_parameters_untrusted("Digest " + text)
    challenge = read_challenge_untrusted("Digest " + text)

    if challenge is not None:
        assert parameters is not None
        assert challenge.realm == parameters["realm"]
        assert challenge.nonce == parameters["nonce"]
    assert read_parameters_untrusted(text) is None or text.strip().lower().startswith("digest")


@given(st.text(alphabet='"\\,= ax\t', max_size=400))
def test_a_long_challenge_takes_linear_time(text):
    # No assertion on time: a pattern that backtracks would never come back.
    read_parameters_untrusted("Digest a=" + 50 * text)


@given(streams, st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_a_traced_stream_is_the_same_however_it_is_cut(pieces, sizes):
    data = b"".join(pieces)
    whole = list(StreamSplitter().split(data))
    splitter, parts, rest, number = StreamSplitter(), [], data, 0
    while rest:
        size = sizes[number % len(sizes)]
        parts += splitter.split(rest[:size])
        rest, number = rest[size:], number + 1

    assert b"".join(parts) == b"".join(whole)[: len(b"".join(parts))]


@settings(max_examples=300)
@given(streams)
def test_a_message_is_read_or_refused_with_the_one_error(pieces):
    data = b"".join(pieces)
    try:
        message = Message.parse(data)
    except ParseError:
        return

    again = Message.parse(message.raw)
    assert again.items() == message.items()
    assert again.body == message.body
