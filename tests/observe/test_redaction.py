"""What is secret in a message is overwritten; its length and all else stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.observe.redaction import redacted

KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4", KEY),
        (f"a=crypto:1 AEAD_AES_256_GCM inline:AAAA;inline:{KEY}|1:4 UNENCRYPTED_SRTP", KEY),
        ("a=ice-pwd:asd88fgpdd777uzjYhagZg", "asd88fgpdd777uzjYhagZg"),
        (
            'Authorization: Digest username="a", realm="r", uri="sip:b",\r\n'
            ' response="6629fae49393a05397450978507c4ef1"',
            "6629fae49393a05397450978507c4ef1",
        ),
        ("Proxy-Authorization: Bearer eyJhbGciOiJI.e30.x", "eyJhbGciOiJI.e30.x"),
        ("authorization : Basic QWxhZGRpbjpvcGVu", "QWxhZGRpbjpvcGVu"),
        ('Authentication-Info: rspauth="0123456789abcdef0123456789abcdef"', "0123456789abcdef"),
        ("Contact: <sip:alice:s3cret@10.0.0.1:5060>", "s3cret"),
        ("Signal=5", "5"),
    ],
)
def test_a_secret_is_overwritten_in_its_place(line, secret):
    message = f"INFO sip:b SIP/2.0\r\n{line}\r\n\r\nv=0\r\n{line}\r\nDuration=160\r\n".encode()

    clean = redacted(message)

    assert secret.encode() not in clean.replace(b"Content-Length: 5", b"")
    assert len(clean) == len(message)
    assert clean.startswith(b"INFO sip:b SIP/2.0\r\n")
    assert clean.endswith(b"\r\nDuration=160\r\n")


def test_names_addresses_and_nonces_stay():
    message = (
        b"REGISTER sip:proxy.test:5060 SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1\r\n"
        b'Authorization: Digest username="alice", realm="r", nonce="abc", uri="sip:r"\r\n'
        b"Contact: <sip:alice@10.0.0.1:5060;transport=tcp>\r\n\r\n"
        b"a=ice-ufrag:8hhY\r\na=fingerprint:sha-256 AA:BB\r\na=ssrc:1 cname:x\r\n"
    )

    assert redacted(message) == message


@given(st.binary(max_size=2000))
def test_any_bytes_keep_their_length(message):
    assert len(redacted(message)) == len(message)
    assert redacted(redacted(message)) == redacted(message)


def test_long_lines_are_looked_through_once():
    for line in (b"a=crypto:" + b"x" * 60_000, b"sip:" * 15_000, b"response=" * 6_000):
        assert len(redacted(line)) == len(line)
