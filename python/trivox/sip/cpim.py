"""Messages with headers of their own: message/cpim (RFC 3862)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, final

from trivox.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping

CPIM_TYPE: Final = "message/cpim"
IMDN_NAMESPACE: Final = "urn:ietf:params:imdn"
_MAX_LINES: Final = 64
"""Headers of a message and of its content, together."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CpimMessage:
    """A message in its envelope (RFC 3862 §2).

    Attributes:
        from_uri: Who wrote it, as the envelope says.
        to_uri: To whom.
        sent_at: When, as RFC 3339 writes it; empty when it is not told.
        imdn: Its headers of RFC 5438, by their names in lower case: "message-id", ….
        content_type: Of the content.
        disposition: Content-Disposition of the content; empty for none.
        body: The content.
    """

    from_uri: str = ""
    to_uri: str = ""
    sent_at: str = ""
    imdn: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/plain"
    disposition: str = ""
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type message/cpim. Raises ParseError."""
        head, _, rest = body.replace(b"\r\n", b"\n").partition(b"\n\n")
        content_head, mark, _ = rest.partition(b"\n\n")
        if not mark:
            raise ParseError(
                "a message in an envelope has headers, headers of content, and content"
            )
        envelope, content = _fields_untrusted(head), _fields_untrusted(content_head)
        if "from" not in envelope or "to" not in envelope:
            raise ParseError("an envelope says from whom and to whom")
        # The content is taken as it came: only the two heads may be written with bare LF.
        start = _end_of_heads(body)
        return cls(
            from_uri=_uri_of(envelope["from"]),
            to_uri=_uri_of(envelope["to"]),
            sent_at=envelope.get("datetime", ""),
            imdn=_of_imdn(envelope),
            content_type=content.get("content-type", "text/plain"),
            disposition=content.get("content-disposition", ""),
            body=body[start:],
        )

    def to_body(self) -> bytes:
        """Return the body of a MESSAGE that carries this."""
        lines = [f"From: <{self.from_uri}>", f"To: <{self.to_uri}>"]
        if self.sent_at:
            lines.append(f"DateTime: {self.sent_at}")
        if self.imdn:
            lines.append(f"NS: imdn <{IMDN_NAMESPACE}>")
            lines += [f"imdn.{name.title()}: {value}" for name, value in self.imdn.items()]
        lines += ["", f"Content-type: {self.content_type}"]
        if self.disposition:
            lines.append(f"Content-Disposition: {self.disposition}")
        lines += [f"Content-length: {len(self.body)}", "", ""]
        return (
            "\r\n".join(lines)
            .replace("imdn.Message-Id:", "imdn.Message-ID:")
            .encode("utf-8", "replace")
            + self.body
        )


def _fields_untrusted(head: bytes) -> dict[str, str]:
    """Return headers by their names in lower case; those of NS by their prefix. Raises ParseError."""
    lines = head.decode(errors="replace").split("\n")
    if len(lines) > _MAX_LINES:
        raise ParseError(f"an envelope of more than {_MAX_LINES} lines")
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ParseError("a header of an envelope has a name and a value")
        key, text = name.strip().lower(), value.strip()
        if key == "ns":
            key, text = f"ns {text.partition('<')[0].strip().lower()}", _uri_of(text)
        fields.setdefault(key, text)
    return fields


def _of_imdn(envelope: Mapping[str, str]) -> dict[str, str]:
    """Return the headers in the namespace of IMDN, whatever prefix it was given (RFC 3862 §3.4)."""
    found = {}
    for name, value in envelope.items():
        prefix, dot, own = name.partition(".")
        if dot and envelope.get(f"ns {prefix}") == IMDN_NAMESPACE:
            found[own] = value
    return found


def _uri_of(text: str) -> str:
    inner = text.partition("<")[2].partition(">")[0]
    return inner.strip()


def _end_of_heads(body: bytes) -> int:
    """Return where the content begins: behind the second blank line."""
    at = blank = 0
    while blank < 2:
        end = body.index(b"\n", at)
        blank += body[at:end] in (b"", b"\r")
        at = end + 1
    return at
