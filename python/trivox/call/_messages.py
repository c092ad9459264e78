"""Texts within a call (MESSAGE, RFC 3428), and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.call._requests import judge_response, send_in_dialog
from trivox.call.argument_rules import checked_body
from trivox.call.dispositions import (
    OpenMessageReceipt,
    asking_envelope,
    checked_status,
    checked_wishes,
    read_message_untrusted,
    telling_envelope,
)
from trivox.call.events import MessageDispositionReceived, MessageReceived, Originator
from trivox.call.messages import party_untrusted
from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_kind
from trivox.sip.cpim import CPIM_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox._native import Message
    from trivox.actor.receipt import Receipt
    from trivox.call._core import CallCore
    from trivox.call.dispositions import MessageReceipt
    from trivox.call.messages import SipResponse

_TEXT: Final = "text/plain;charset=utf-8"


def send_message(call: CallCore, message: str, notify: Iterable[str]) -> MessageReceipt:
    """Send a text, in an envelope if it is asked about: see `Call.send_message`."""
    body = checked_body(checked_kind(message, str, "message"))
    wishes = checked_wishes(notify)
    call._refuse_unconnected("send_message()")
    receipt = OpenMessageReceipt(judge=judge_response)
    receipt.message_id = call._host.new_id() if wishes else ""
    if wishes:
        body = asking_envelope(
            body,
            _TEXT,
            wishes=wishes,
            message_id=receipt.message_id,
            parties=_both_parties(call),
            sent_at=call._host.written_at(),
        )
    send_in_dialog(call, "MESSAGE", (), body, CPIM_TYPE if wishes else _TEXT, receipt)
    return receipt


def send_disposition(call: CallCore, message: MessageReceived, status: str) -> Receipt[SipResponse]:
    """Tell what became of a text: see `Call.send_disposition`."""
    checked_kind(message, MessageReceived, "message")
    if message.call is not call:
        raise InvalidArgumentsError(
            f"the message is of call {message.call_id}: tell it there", call_id=call.id
        )
    checked_status(status, message.wishes)
    call._refuse_unconnected("send_disposition()")
    body = telling_envelope(
        status,
        about=(message.message_id, message.sent_at),
        parties=_both_parties(call),
        message_id=call._host.new_id(),
    )
    return send_in_dialog(call, "MESSAGE", (), body, CPIM_TYPE)


def take_message(call: CallCore, tx: int, message: Message) -> None:
    """Take a text of the far end, or what it tells of one of ours."""
    call._respond(tx, 200)
    read = read_message_untrusted(message)
    if read.told is not None:
        call._emit(MessageDispositionReceived, Originator.REMOTE, message, disposition=read.told)
        return
    call._emit(
        MessageReceived,
        Originator.REMOTE,
        message,
        text=read.body.decode(errors="replace"),
        content_type=read.content_type,
        message_id=read.message_id,
        wishes=read.wishes,
        sent_at=read.sent_at,
    )


def _both_parties(call: CallCore) -> tuple[str, str]:
    """Return our URI and the far end's, as the dialog has them.

    Never the account's, nor what a trusted peer asserts: the far end need not know them.
    """
    dialog = call._session.dialog if call._session is not None else None
    assert dialog is not None, "a connected call has its dialog"
    own, far = (party_untrusted(one)[1] for one in (dialog.local_party, dialog.remote_party))
    return own or "", far or ""
