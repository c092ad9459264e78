"""A MESSAGE from outside as the event that a program sees (RFC 3428, RFC 3862, RFC 5438)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.client_events import DispositionReceived, IncomingMessage
from trivox.call.dispositions import read_message_untrusted
from trivox.call.messages import headers_of, party_untrusted

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
    read = read_message_untrusted(request)
    if read.told is not None:
        return DispositionReceived(at=now, from_uri=from_uri, disposition=read.told)
    return IncomingMessage(
        at=now,
        from_uri=from_uri,
        to_uri=party_untrusted(to_value)[1] or "",
        text=read.body.decode(errors="replace"),
        content_type=read.content_type,
        headers=headers_of(request),
        message_id=read.message_id,
        wishes=read.wishes,
        sent_at=read.sent_at,
        reply_to=way,
    )
