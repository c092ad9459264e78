"""What programs may give as numbers, choices, addresses and bodies: refused at once, by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from trivox._native import Uri
from trivox.call.header_rules import checked_text
from trivox.errors import InvalidArgumentsError, InvalidUriError, ParseError
from trivox.errors.checks import checked_iterable
from trivox.sip.party import PRIVACY_KINDS
from trivox.sip.target_filter import TargetFilter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum

    C = TypeVar("C", bound=StrEnum)

MOST_BODY_BYTES: Final = 60_000
"""A message has at most 64 KiB, over UDP in one datagram: this leaves room for its headers."""

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?|[0-9A-Fa-f:.]+"
)


def checked_choice(value: str, kind: type[C], what: str) -> C:
    """Return the member of an enum that a value names. Raises InvalidArgumentsError."""
    try:
        return kind(value)
    except (ValueError, TypeError):
        names = ", ".join(kind)
        raise InvalidArgumentsError(f"{what} is {value!r}; it must be one of {names}") from None


def checked_names(values: Iterable[str], what: str) -> tuple[str, ...]:
    """Return texts as a tuple; one text alone is taken for a mistake, not for its letters."""
    if isinstance(values, str):
        raise InvalidArgumentsError(f"{what} is one str; give a list: [{values!r}]")
    return tuple(checked_text(value, what) for value in checked_iterable(values, what))


def checked_privacy(values: Iterable[str]) -> tuple[str, ...]:
    """Return kinds of privacy (RFC 3323 §4.2). Raises InvalidArgumentsError."""
    names = checked_names(values, "privacy") if values else ()
    unknown = set(names) - PRIVACY_KINDS
    if unknown:
        raise InvalidArgumentsError(
            f"privacy names {', '.join(sorted(unknown))}; there are "
            f"{', '.join(sorted(PRIVACY_KINDS))}"
        )
    return names


def checked_networks(values: Iterable[str], what: str) -> tuple[str, ...]:
    """Return networks as texts. Raises InvalidArgumentsError."""
    names = checked_names(values, what)
    try:
        TargetFilter(allowed=names)
    except ValueError as error:
        raise InvalidArgumentsError(f"{what}: {error}") from None
    return names


def checked_uri(text: str, what: str) -> str:
    """Return a SIP URI that may stand in angle brackets.

    Raises:
        InvalidUriError: It cannot be parsed.
        InvalidHeaderError: It holds a control character.
    """
    checked_text(text, what)
    try:
        scheme = Uri.parse(text).scheme
    except ParseError as error:
        raise InvalidUriError(f"{text!r} is no SIP URI for {what}") from error
    if scheme not in ("sip", "sips") or set(text) & set('<>" '):
        raise InvalidUriError(f"{text!r} is no SIP URI for {what}")
    return text


def checked_host(text: str, what: str) -> str:
    """Return a host or host:port, a name, an IPv4 or a bracketed IPv6 address.

    Raises:
        InvalidHeaderError: It holds a control character.
        InvalidArgumentsError: It is neither.
    """
    found = _HOST.fullmatch(checked_text(text, what))
    if found is None or not 0 < int(found["port"] or 1) < 65_536:
        raise InvalidArgumentsError(f"{what} is {text!r}; it must be a host or host:port")
    return text


def checked_body(body: str | bytes | None) -> bytes:
    """Return what is sent as a body.

    Raises:
        InvalidArgumentsError: It is no text and no bytes, or more than 60 000 bytes.
    """
    if isinstance(body, str):
        try:
            data = body.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentsError(f"the body is no text: {error.reason}") from None
    elif body is None or isinstance(body, bytes | bytearray | memoryview):
        data = bytes(body or b"")
    else:
        raise InvalidArgumentsError(f"a body is str or bytes, not {type(body).__name__}")
    if len(data) > MOST_BODY_BYTES:
        raise InvalidArgumentsError(
            f"a body of {len(data)} bytes is too long: at most {MOST_BODY_BYTES} fit a message"
        )
    return data
