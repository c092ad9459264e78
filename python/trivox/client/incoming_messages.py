"""A MESSAGE from outside as the event that a program sees (RFC 3428, RFC 3862, RFC 5438)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.client_events import DispositionReceived, IncomingMessage
from trivox.call.messages import headers_of, party_untrusted
from trivox.errors import ParseError
from trivox.sip.cpim import CPIM_TYPE, CpimMessage
from trivox.sip.imdn import IMDN_TYPE, Disposition, wishes_untrusted

if TYPE_CHECKING:
    from trivox._native import Message


def message_event_untrusted(
    request: Message, now: float, way: tuple[str | None, int, tuple[str, int]]
) -> IncomingMessage | DispositionReceived:
    """Return what a MESSAGE says; one whose envelope cannot be read is told as it stands.

    Args:
        request: The MESSAGE.
        now: When it came.
        way: Account, flow and source.
    """
    _, _, _, from_value, to_value, *_ = request.dialog()
    from_uri = party_untrusted(from_value)[1] or ""
    content_type = request.header("Content-Type") or "text/plain"
    envelope = None
    try:
        if _kind(content_type) == CPIM_TYPE:
            envelope = CpimMessage.parse_untrusted(request.body)
            if _kind(envelope.content_type) == IMDN_TYPE:
                told = Disposition.parse_untrusted(envelope.body)
                return DispositionReceived(at=now, from_uri=from_uri, disposition=told)
    except ParseError:
        envelope = None
    asked = {} if envelope is None else envelope.imdn
    message_id = asked.get("message-id", "")
    return IncomingMessage(
        at=now,
        from_uri=from_uri,
        to_uri=party_untrusted(to_value)[1] or "",
        text=(request.body if envelope is None else envelope.body).decode(errors="replace"),
        content_type=content_type if envelope is None else envelope.content_type,
        headers=headers_of(request),
        message_id=message_id,
        # Without an id there is nothing that a notification could name (RFC 5438 §7.2.1).
        wishes=wishes_untrusted(asked.get("disposition-notification", ""))
        if message_id
        else frozenset(),
        sent_at="" if envelope is None else envelope.sent_at,
        reply_to=way,
    )


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
