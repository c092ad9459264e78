"""The opening handshake of SIP over WebSocket (RFC 6455 §4, RFC 7118 §4), without I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SUBPROTOCOL: Final = "sip"
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_VERSION: Final = "13"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to answer to a request: 101 with the accept key, or a refusal."""

    status: int
    headers: tuple[tuple[str, str], ...]


def accept_key(key: str) -> str:
    """Return Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 §4.2.2)."""
    digest = hashlib.sha1(key.encode("latin-1") + _MAGIC, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def wants_upgrade(headers: Iterable[tuple[str, str]]) -> bool:
    """Tell a WebSocket handshake from a request for a page."""
    return "websocket" in _tokens(headers, "upgrade")


def judge(
    method: str, headers: Collection[tuple[str, str]], origins: Collection[str] | None
) -> Verdict:
    """Judge a handshake at the server.

    Args:
        method: The HTTP method.
        headers: Names in lower case, values as received.
        origins: The allowed Origins, compared whole; None allows all.
    """
    key = _single(headers, "sec-websocket-key")
    if method != "GET" or "upgrade" not in _tokens(headers, "connection") or not _is_key(key):
        return Verdict(400, ())
    if _single(headers, "sec-websocket-version") != _VERSION:
        return Verdict(426, (("Sec-WebSocket-Version", _VERSION), ("Upgrade", "websocket")))
    if SUBPROTOCOL not in _tokens(headers, "sec-websocket-protocol"):
        return Verdict(400, (("Sec-WebSocket-Protocol", SUBPROTOCOL),))
    if origins is not None and _single(headers, "origin") not in origins:
        return Verdict(403, ())
    return Verdict(
        101,
        (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_key(key)),
            ("Sec-WebSocket-Protocol", SUBPROTOCOL),
        ),
    )


def handshake_headers(host: str, key: str) -> list[tuple[str, str]]:
    """Return the headers of a client's request."""
    return [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", _VERSION),
        ("Sec-WebSocket-Protocol", SUBPROTOCOL),
    ]


def is_accepted(status: int, headers: Collection[tuple[str, str]], key: str) -> bool:
    """Judge the server's answer to a client's request (RFC 6455 §4.1)."""
    return (
        status == 101
        and "websocket" in _tokens(headers, "upgrade")
        and "upgrade" in _tokens(headers, "connection")
        and _single(headers, "sec-websocket-accept") == accept_key(key)
        and _single(headers, "sec-websocket-protocol").lower() == SUBPROTOCOL
        and not _single(headers, "sec-websocket-extensions")
    )


def _tokens(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    return [
        token.strip().lower()
        for header, value in headers
        if header == name
        for token in value.split(",")
    ]


def _single(headers: Iterable[tuple[str, str]], name: str) -> str:
    values = [value.strip() for header, value in headers if header == name]
    return values[0] if len(values) == 1 else ""


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key.encode("ascii"), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
