"""The messages of a call's face: texts within the call, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.call._requests import judge_response
from trivox.call._signalling import CallSignalling
from trivox.call.argument_rules import checked_body
from trivox.call.dispositions import (
    MessageReceipt,
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
    from trivox.call.messages import SipResponse

_TEXT: Final = "text/plain;charset=utf-8"


class CallMessages(CallSignalling):
    """What a call does with texts (MESSAGE, RFC 3428)."""

    def send_message(self, message: str, *, notify: Iterable[str] = ()) -> MessageReceipt:
        """Send a text message within the call (MESSAGE, RFC 3428).

        With `notify` it goes in an envelope (RFC 3862) that asks to be told what becomes of it
        (IMDN, RFC 5438): a `MessageDispositionReceived` for each word, which names the `message_id`
        of the receipt.

        Args:
            message: The text.
            notify: Of "positive-delivery", "negative-delivery", "processing" and "display".

        Raises:
            InvalidArgumentsError: It is no str, or longer than 60 000 bytes of UTF-8; or nothing
                like that can be told.
            CallWrongStateError: The call is not connected.
        """
        body = checked_body(checked_kind(message, str, "message"))
        wishes = checked_wishes(notify)
        self._refuse_unconnected("send_message()")
        receipt = MessageReceipt(judge=judge_response)
        receipt.message_id = self._host.new_id() if wishes else ""
        if wishes:
            body = asking_envelope(
                body,
                _TEXT,
                wishes=wishes,
                message_id=receipt.message_id,
                parties=self._both_parties(),
                sent_at=self._host.written_at(),
            )
        self._request("MESSAGE", (), body, CPIM_TYPE if wishes else _TEXT, receipt)
        return receipt

    def send_disposition(self, message: MessageReceived, status: str) -> Receipt[SipResponse]:
        """Tell the far end what became of a message of its (RFC 5438 §7.2), within the call.

        Args:
            message: One of this call's that asked for it: `message.wishes`.
            status: "delivered", "failed", "displayed", "processed" or "stored".

        Raises:
            InvalidArgumentsError: No such status, the far end did not ask for it, or the message is
                of another call.
            CallWrongStateError: The call is not connected.
        """
        checked_kind(message, MessageReceived, "message")
        if message.call is not self._face:
            raise InvalidArgumentsError(
                f"the message is of call {message.call_id}: tell it there", call_id=self.id
            )
        checked_status(status, message.wishes)
        self._refuse_unconnected("send_disposition()")
        body = telling_envelope(
            status,
            about=(message.message_id, message.sent_at),
            parties=self._both_parties(),
            message_id=self._host.new_id(),
        )
        return self._request("MESSAGE", (), body, CPIM_TYPE)

    def _both_parties(self) -> tuple[str, str]:
        """Return our URI and the far end's, as the dialog has them.

        Never the account's, nor what a trusted peer asserts: the far end need not know them.
        """
        dialog = self._session.dialog if self._session is not None else None
        assert dialog is not None, "a connected call has its dialog"
        own, far = (party_untrusted(one)[1] for one in (dialog.local_party, dialog.remote_party))
        return own or "", far or ""

    def _take_message(self, tx: int, message: Message) -> None:
        self._respond(tx, 200)
        read = read_message_untrusted(message)
        if read.told is not None:
            self._emit(
                MessageDispositionReceived, Originator.REMOTE, message, disposition=read.told
            )
            return
        self._emit(
            MessageReceived,
            Originator.REMOTE,
            message,
            text=read.body.decode(errors="replace"),
            content_type=read.content_type,
            message_id=read.message_id,
            wishes=read.wishes,
            sent_at=read.sent_at,
        )
