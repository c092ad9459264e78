"""Who is writing a message now: isComposing (RFC 3994)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final
from xml.sax.saxutils import escape

from trivox.errors import ParseError
from trivox.sip.header_values import without_parameters
from trivox.sip.xml_body import parse_xml_untrusted

COMPOSING_TYPE: Final = "application/im-iscomposing+xml"
_NAMESPACE: Final = "urn:ietf:params:xml:ns:im-iscomposing"
_LEAST_REFRESH: Final = 60
_STATES: Final = frozenset({"active", "idle"})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IsComposing:
    """Whether the far end writes a message (RFC 3994 §3).

    Attributes:
        is_active: True while it writes.
        content_type: Of what it writes, such as "text/plain"; empty when it is not told.
        refresh: Seconds after which "active" is over unless it is repeated; None: 120.
        last_active: When it wrote last, as it wrote the time; empty when it is not told.
    """

    is_active: bool
    content_type: str = ""
    refresh: int | None = None
    last_active: str = ""

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type application/im-iscomposing+xml. Raises ParseError."""
        root = parse_xml_untrusted(body, "isComposing")
        state = root.text_of("state")
        refresh = root.text_of("refresh")
        is_number = refresh.isascii() and refresh.isdigit() and len(refresh) <= 9
        if state not in _STATES:
            raise ParseError("isComposing is active or idle")
        return cls(
            is_active=state == "active",
            content_type=root.text_of("contenttype"),
            refresh=max(int(refresh), _LEAST_REFRESH) if is_number else None,
            last_active=root.text_of("lastactive"),
        )

    def to_body(self) -> bytes:
        """Return the body of a MESSAGE that tells this."""
        fields = [f"<state>{'active' if self.is_active else 'idle'}</state>"]
        if self.last_active:
            fields.append(f"<lastactive>{escape(self.last_active)}</lastactive>")
        if self.content_type:
            fields.append(f"<contenttype>{escape(self.content_type)}</contenttype>")
        if self.refresh is not None:
            fields.append(f"<refresh>{self.refresh}</refresh>")
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<isComposing xmlns="{_NAMESPACE}">{"".join(fields)}</isComposing>\n'
        ).encode("utf-8", "replace")


def composing_untrusted(content_type: str, body: bytes) -> IsComposing | None:
    """Return what a message says about composing; None for any other message."""
    if without_parameters(content_type) != COMPOSING_TYPE:
        return None
    try:
        return IsComposing.parse_untrusted(body)
    except ParseError:
        return None
