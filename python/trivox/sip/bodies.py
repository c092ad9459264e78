"""Finding the session description in a message's body, alone or among other parts (RFC 5621)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trivox.sip.header_values import without_parameters

if TYPE_CHECKING:
    from trivox._native import Message

SDP: Final = "application/sdp"
MULTIPART: Final = "multipart/mixed"
_MAX_DEPTH: Final = 8
_MAX_PARTS: Final = 32
"""Parts looked at in one body, whatever their depth."""
_BOUNDARY: Final = re.compile(
    r';\s*boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE
)
_FOLD: Final = re.compile(rb"\r\n[ \t]+")
_PLAIN: Final = frozenset({"", "binary", "8bit", "7bit"})


def is_description(body: bytes, content_type: str) -> bool:
    """Whether a body is a session description: SDP, or of no stated type (RFC 3261 §7.4.1)."""
    if not body:
        return False
    return content_type == SDP or without_parameters(content_type) in ("", SDP)


def description_of(message: Message) -> bytes:
    """Return the session description a received message carries; empty for none."""
    body = message.body
    if not body:
        return b""
    content_type = message.header("Content-Type") or SDP
    return body if content_type == SDP else description_untrusted(body, content_type)


def description_untrusted(body: bytes, content_type: str) -> bytes:
    """Return the first session description of a body; empty for none. Never raises.

    Looks into multipart bodies, eight deep, at most 32 parts. Parts of another type, for another
    purpose than the session (RFC 3959) or in a transfer encoding are passed over.
    """
    if is_description(body, content_type):
        return body
    waiting = [(part, 1) for part in _parts(body, content_type)]
    for _ in range(_MAX_PARTS):
        if not waiting:
            break
        (kind, content), depth = waiting.pop(0)
        if is_description(content, kind):
            # The line break before the boundary is the boundary's (RFC 2046 §5.1.1).
            return content if content.endswith(b"\n") else content + b"\r\n"
        if depth < _MAX_DEPTH:
            waiting[:0] = [(part, depth + 1) for part in _parts(content, kind)]
    return b""


def _parts(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """Return type and content of each part that may be of use; none of what is no multipart."""
    found = _BOUNDARY.search(content_type)
    if found is None or not without_parameters(content_type).startswith("multipart/"):
        return []
    boundary = (found[1] or found[2]).encode("utf-8", "surrogateescape")
    parts = []
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary, _MAX_PARTS + 1)[1:]:
        if piece.startswith(b"--"):
            break
        rest_of_line, _, rest = piece.partition(b"\r\n")
        head, _, content = (b"\r\n" + rest).partition(b"\r\n\r\n")
        fields = _fields(head)
        is_of_session = without_parameters(fields.get("content-disposition", "")) in ("", "session")
        is_plain = fields.get("content-transfer-encoding", "").lower() in _PLAIN
        if not rest_of_line.strip(b" \t") and is_of_session and is_plain:
            parts.append((fields.get("content-type") or "text/plain", content))
    return parts


def _fields(head: bytes) -> dict[str, str]:
    """Return the headers of a part by their names in lower case."""
    fields = {}
    for line in _FOLD.sub(b" ", head).split(b"\r\n"):
        name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields
