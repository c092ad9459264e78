"""Received headers and responses as programs see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr
from trivox.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox._native import Message


@final
class Headers(Mapping[str, str]):
    """The headers of a message: names compare without case, `all` gives repeated ones.

    Those of a received message are read when first looked at: most never are.
    """

    __slots__ = ("_message", "_pairs", "_read")

    def __init__(
        self, pairs: Iterable[tuple[str, str]] = (), message: Message | None = None
    ) -> None:
        self._pairs = tuple(pairs)
        self._message = message
        self._read: dict[str, tuple[str, list[str]]] | None = None

    @property
    def _values(self) -> dict[str, tuple[str, list[str]]]:
        if self._read is None:
            pairs = self._message.items() if self._message is not None else self._pairs
            self._read = {}
            for name, value in pairs:
                self._read.setdefault(name.lower(), (name, []))[1].append(value)
            self._message, self._pairs = None, ()
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1][0]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"

    def all(self, name: str) -> list[str]:
        """Return every value of that name, in order."""
        entry = self._values.get(name.lower())
        return list(entry[1]) if entry is not None else []


_NONE: Final = Headers()


def headers_of(message: Message | None) -> Headers:
    """Return the headers of a message; none for None."""
    return Headers((), message) if message is not None else _NONE


@final
@dataclass(frozen=True, slots=True)
class SipResponse:
    """A final response to a request of ours."""

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def is_success(self) -> bool:
        """True for a 2xx."""
        return 200 <= self.status < 300

    @classmethod
    def from_message(cls, message: Message) -> SipResponse:
        """Read a received response."""
        return cls(message.status, message.reason, headers_of(message), message.body)


def party_untrusted(value: str) -> tuple[str | None, str | None]:
    """Return (display name, URI) of a From or To value; None for what cannot be read."""
    try:
        address = NameAddr.parse(value)
    except ParseError:
        return None, None
    return address.display_name or None, address.uri


# RFC 3261 §21 and the RFCs that registered the others.
REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued",
    183: "Session Progress", 199: "Early Dialog Terminated", 200: "OK", 202: "Accepted",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
    305: "Use Proxy", 380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout",
    410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
    421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    469: "Bad Info Package", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
    491: "Request Pending", 493: "Undecipherable", 500: "Server Internal Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere",
    606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}  # fmt: skip


def reason_of(status: int) -> str:
    """Return the usual phrase of a status."""
    return REASONS.get(status, "Unspecified")
