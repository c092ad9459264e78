"""Which headers and other texts a program may put into our messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from trivox.errors import InvalidArgumentsError, InvalidHeaderError, InvalidMimeTypeError

if TYPE_CHECKING:
    from trivox.sip.outputs import Headers

HeaderArguments = Mapping[str, str] | Iterable[tuple[str, str]] | None
"""What methods accept as headers: a mapping, or pairs where a name is repeated."""

# RFC 3261 §25.1 token and §7.3.1; a control character would let a value forge further headers.
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
# C1 controls and the Unicode separators too: some readers end a line there. Of the surrogates only
# those that stand for an octet received.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udc7f\udd00-\udfff]")
_MIME_TYPE: Final = re.compile(
    r"[A-Za-z0-9\-.!%*_+`'~]+/[A-Za-z0-9\-.!%*_+`'~]+"
    r"(?: *;[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udc7f\udd00-\udfff]+)?"
)

_DIALOG_CRITICAL: Final = frozenset(
    {
        "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "route",
        "record-route", "max-forwards", "content-length", "l", "content-type", "c",
        "authorization", "proxy-authorization",
    }
)  # fmt: skip


def checked_text(text: str, what: str) -> str:
    """Return `text`, which may go into a message as it is.

    Raises:
        InvalidHeaderError: It holds CR, LF, NUL or another control character, or half a surrogate
            pair.
        InvalidArgumentsError: It is no str.
    """
    if not isinstance(text, str):
        raise InvalidArgumentsError(f"the {what} must be a str, not {type(text).__name__}")
    if _CONTROL.search(text):
        raise InvalidHeaderError(f"the {what} holds a control character")
    return text


def is_token(text: object) -> bool:
    """Whether a text is a token: a header's name, an event package (RFC 3261 §25.1)."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def checked_headers(headers: HeaderArguments) -> Headers:
    """Return the headers as pairs.

    Raises:
        InvalidHeaderError: A name is no token or belongs to the dialog, or a value holds a control
            character (RFC 3261 §7.3.1).
    """
    if not headers:
        return ()
    try:
        pairs = tuple(
            (name, value)
            for name, value in (headers.items() if isinstance(headers, Mapping) else headers)
        )
    except (TypeError, ValueError):
        raise InvalidHeaderError("headers are a mapping of names to values, or pairs") from None
    for name, value in pairs:
        if not is_token(name):
            raise InvalidHeaderError(f"{name!r} is no header name")
        if name.lower() in _DIALOG_CRITICAL:
            raise InvalidHeaderError(f"the header {name} belongs to the dialog")
        checked_text(value, f"value of the header {name}")
    return pairs


def checked_mime_type(mime_type: str) -> str:
    """Return the content type.

    Raises:
        InvalidMimeTypeError: It is not of the form type/subtype (RFC 3261 §20.15).
    """
    if not isinstance(mime_type, str) or not _MIME_TYPE.fullmatch(mime_type):
        raise InvalidMimeTypeError(f"{mime_type!r} is no content type")
    return mime_type
