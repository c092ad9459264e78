"""A MESSAGE read, and what is told of it: the same within calls and outside (RFC 3862, RFC 5438)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox.actor.receipt import OpenReceipt, Receipt
from trivox.call.header_rules import checked_text
from trivox.call.messages import SipResponse
from trivox.errors import InvalidArgumentsError, ParseError
from trivox.errors.checks import checked_iterable
from trivox.sip.cpim import CPIM_TYPE, CpimMessage
from trivox.sip.header_values import without_parameters
from trivox.sip.imdn import IMDN_TYPE, KINDS, WISHES, Disposition, is_asked_for, wishes_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox._native import Message

_PLAIN: Final = "text/plain"


class MessageReceipt(Receipt[SipResponse]):
    """The outcome of a message within a call; `message_id` is how notifications name it."""

    __slots__ = ("message_id",)
    message_id: str
    """Empty where no notification was asked for."""


@final
class OpenMessageReceipt(MessageReceipt, OpenReceipt[SipResponse]):
    """The side that settles it."""

    __slots__ = ()


@final
@dataclass(frozen=True, slots=True)
class ReadMessage:
    """What a MESSAGE says, taken out of its envelope if it has one that can be read."""

    body: bytes
    content_type: str
    message_id: str = ""
    wishes: frozenset[str] = frozenset()
    """What its sender asks to be told; nothing without an id that a notification could name."""
    sent_at: str = ""
    told: Disposition | None = None
    """What became of a message of ours, if it says nothing else."""


def read_message_untrusted(message: Message) -> ReadMessage:
    """Read a MESSAGE; one whose envelope cannot be read is taken as it stands."""
    content_type = message.header("Content-Type") or _PLAIN
    if without_parameters(content_type) != CPIM_TYPE:
        return ReadMessage(message.body, content_type)
    try:
        envelope = CpimMessage.parse_untrusted(message.body)
        is_told = without_parameters(envelope.content_type) == IMDN_TYPE
        told = Disposition.parse_untrusted(envelope.body) if is_told else None
    except ParseError:
        return ReadMessage(message.body, content_type)
    message_id = envelope.imdn.get("message-id", "")
    asked = envelope.imdn.get("disposition-notification", "") if message_id else ""
    return ReadMessage(
        envelope.body,
        envelope.content_type,
        message_id,
        wishes_untrusted(asked),  # none without an id that could be named (RFC 5438 §7.2.1)
        envelope.sent_at,
        told,
    )


def checked_wishes(notify: Iterable[str]) -> frozenset[str]:
    """Return what is to be told. Raises InvalidArgumentsError for a word that is none."""
    wishes = frozenset((notify,) if isinstance(notify, str) else checked_iterable(notify, "notify"))
    if not wishes <= WISHES:
        raise InvalidArgumentsError(
            f"notify names {', '.join(sorted(map(str, wishes - WISHES)))}; there are "
            f"{', '.join(sorted(WISHES))}"
        )
    return wishes


def checked_status(status: str, wishes: frozenset[str]) -> str:
    """Return a status that may be told. Raises InvalidArgumentsError."""
    if checked_text(status, "status") not in KINDS:
        raise InvalidArgumentsError(
            f"{status!r} is no status: use one of {', '.join(sorted(KINDS))}"
        )
    if not is_asked_for(status, wishes):
        raise InvalidArgumentsError(f"its sender did not ask to be told of {status!r}")
    return status


def asking_envelope(
    body: bytes,
    content_type: str,
    *,
    wishes: frozenset[str],
    message_id: str,
    parties: tuple[str, str],
    sent_at: str,
) -> bytes:
    """Return a message in the envelope that asks for notifications (RFC 5438 §7.1.1).

    Args:
        body: The message.
        content_type: Its type.
        wishes: What is to be told.
        message_id: The id that notifications name.
        parties: URIs of the sender and of the recipient.
        sent_at: When, as RFC 3339 writes it.
    """
    return CpimMessage(
        from_uri=parties[0],
        to_uri=parties[1],
        sent_at=sent_at,
        imdn={"message-id": message_id, "disposition-notification": ", ".join(sorted(wishes))},
        content_type=content_type,
        body=body,
    ).to_body()


def telling_envelope(
    status: str, *, about: tuple[str, str], parties: tuple[str, str], message_id: str
) -> bytes:
    """Return the notification of what became of a message (RFC 5438 §7.2.1).

    Args:
        status: What became of it.
        about: Its id, and when it was sent.
        parties: URIs of who tells and of who is told.
        message_id: Of the notification itself.
    """
    told = Disposition(
        message_id=about[0],
        kind=KINDS[status],
        status=status,
        sent_at=about[1],
        recipient_uri=parties[0],
    )
    return CpimMessage(
        from_uri=parties[0],
        to_uri=parties[1],
        imdn={"message-id": message_id},
        content_type=IMDN_TYPE,
        disposition="notification",
        body=told.to_body(),
    ).to_body()
