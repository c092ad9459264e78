"""What became of a message: delivered, shown (IMDN, RFC 5438)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, final
from xml.sax.saxutils import escape

from trivox.errors import ParseError
from trivox.sip.header_values import without_parameters
from trivox.sip.xml_body import parse_xml_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

IMDN_TYPE: Final = "message/imdn+xml"
_NAMESPACE: Final = "urn:ietf:params:xml:ns:imdn"
WISHES: Final = frozenset({"positive-delivery", "negative-delivery", "processing", "display"})
"""What a sender may ask to be told (RFC 5438 §6.2)."""
KINDS: Final[Mapping[str, str]] = {
    "delivered": "delivery",
    "failed": "delivery",
    "displayed": "display",
    "processed": "processing",
    "stored": "processing",
}
"""What is told, and which notification tells it (§7.2.1)."""
_ASKED_BY: Final[Mapping[str, str]] = {
    "delivered": "positive-delivery",
    "failed": "negative-delivery",
    "displayed": "display",
    "processed": "processing",
    "stored": "processing",
}
_STATUSES: Final = frozenset({*KINDS, "forbidden", "error"})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """One notification (RFC 5438 §11).

    Attributes:
        message_id: Of the message it is about.
        kind: "delivery", "display" or "processing".
        status: "delivered", "failed", "displayed", "processed", "stored", or "forbidden" and
            "error", where nothing is told.
        sent_at: When the message was sent, as its envelope said.
        recipient_uri: Who tells.
    """

    message_id: str
    kind: str
    status: str
    sent_at: str = ""
    recipient_uri: str = ""

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type message/imdn+xml. Raises ParseError."""
        root = parse_xml_untrusted(body, "imdn")
        message_id = root.text_of("message-id")
        for kind in ("delivery", "display", "processing"):
            told = root.child(f"{kind}-notification")
            status = told.child("status") if told is not None else None
            found = [one.name for one in status.children] if status is not None else []
            if message_id and found and found[0] in _STATUSES:
                return cls(
                    message_id=message_id,
                    kind=kind,
                    status=found[0],
                    sent_at=root.text_of("datetime"),
                    recipient_uri=root.text_of("recipient-uri"),
                )
        raise ParseError("a notification names its message and what became of it")

    def to_body(self) -> bytes:
        """Return the content of the message that tells this."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="{_NAMESPACE}">'
            f"<message-id>{escape(self.message_id)}</message-id>"
            f"<datetime>{escape(self.sent_at)}</datetime>"
            f"<recipient-uri>{escape(self.recipient_uri)}</recipient-uri>"
            f"<{self.kind}-notification><status><{self.status}/></status></{self.kind}-notification>"
            "</imdn>\n"
        ).encode("utf-8", "replace")


def wishes_untrusted(text: str) -> frozenset[str]:
    """Return what a Disposition-Notification asks for; words we do not know are passed over."""
    words = (without_parameters(word) for word in text.split(","))
    return frozenset(word for word in words if word in WISHES)


def is_asked_for(status: str, wishes: frozenset[str]) -> bool:
    """Whether a sender with these wishes is to be told this (§7.2.1.1)."""
    return _ASKED_BY.get(status) in wishes
