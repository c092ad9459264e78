"""The opening handshake, row by row."""

from __future__ import annotations

import pytest

from trivox.net.upgrade import accept_key, handshake_headers, is_accepted, judge, wants_upgrade

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = {
    "host": "10.0.0.1",
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-key": KEY,
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "chat, sip",
    "origin": "https://good.example",
}


def test_the_accept_key_is_the_one_of_rfc_6455():
    """RFC 6455 §4.2.2."""
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("method", "changes", "status"),
    [
        ("GET", {}, 101),
        ("GET", {"upgrade": "WebSocket"}, 101),
        ("GET", {"sec-websocket-protocol": "SIP"}, 101),
        ("POST", {}, 400),
        ("GET", {"connection": "keep-alive"}, 400),
        ("GET", {"connection": None}, 400),
        ("GET", {"sec-websocket-key": None}, 400),
        ("GET", {"sec-websocket-key": "dG9vIHNob3J0"}, 400),
        ("GET", {"sec-websocket-key": "nö"}, 400),
        ("GET", {"sec-websocket-version": "8"}, 426),
        ("GET", {"sec-websocket-version": None}, 426),
        ("GET", {"sec-websocket-protocol": "chat"}, 400),
        ("GET", {"sec-websocket-protocol": None}, 400),
        ("GET", {"origin": "https://evil.example"}, 403),
        ("GET", {"origin": "https://good.example.evil.example"}, 403),
        ("GET", {"origin": None}, 403),
    ],
)
def test_a_handshake_is_judged(method, changes, status):
    headers = [(name, value) for name, value in {**GOOD, **changes}.items() if value is not None]

    assert judge(method, headers, {"https://good.example"}).status == status


def test_without_an_allow_list_every_origin_may_connect():
    headers = [(name, value) for name, value in GOOD.items() if name != "origin"]

    assert judge("GET", headers, None).status == 101


def test_a_key_given_twice_is_refused():
    assert judge("GET", [*GOOD.items(), ("sec-websocket-key", KEY)], None).status == 400


def test_a_request_for_a_page_is_told_from_a_handshake():
    assert wants_upgrade(list(GOOD.items()))
    assert not wants_upgrade([("connection", "close")])


def _lower(headers):
    return [(name.lower(), value) for name, value in headers]


def test_what_the_client_asks_the_server_accepts_and_the_client_takes():
    verdict = judge("GET", _lower(handshake_headers("10.0.0.1", KEY)), None)

    assert is_accepted(verdict.status, _lower(verdict.headers), KEY)


@pytest.mark.parametrize(
    ("status", "name", "value"),
    [
        (200, "upgrade", "websocket"),
        (101, "upgrade", "h2c"),
        (101, "connection", "close"),
        (101, "sec-websocket-accept", accept_key("b3RoZXIgb3RoZXIgb3RoZQ==")),
        (101, "sec-websocket-protocol", "chat"),
        (101, "sec-websocket-extensions", "permessage-deflate"),
    ],
)
def test_a_wrong_answer_is_refused_by_the_client(status, name, value):
    verdict = judge("GET", _lower(handshake_headers("10.0.0.1", KEY)), None)
    headers = {**dict(_lower(verdict.headers)), name: value}

    assert not is_accepted(status, list(headers.items()), KEY)
