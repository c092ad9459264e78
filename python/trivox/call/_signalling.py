"""The signalling side of a call's face: start, answer, reject, hang up, and what is said inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.call import _early as early
from trivox.call import _identity as identity
from trivox.call import _messages as messages
from trivox.call import _redirecting as redirecting
from trivox.call import _requests as requests
from trivox.call import _starting as starting
from trivox.call._core import CallCore
from trivox.call._endings import leave
from trivox.call._requests import send_in_dialog
from trivox.call.argument_rules import checked_body
from trivox.call.events import EndReason
from trivox.call.farewell import Farewell
from trivox.call.header_rules import (
    HeaderArguments,
    checked_headers,
    checked_mime_type,
    checked_text,
)
from trivox.call.settings import RejectMode
from trivox.call.states import CallDirection, Phase
from trivox.errors import InvalidArgumentsError, RequiredParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trivox.actor.receipt import Receipt
    from trivox.call.call import Call
    from trivox.call.dispositions import MessageReceipt
    from trivox.call.events import MessageReceived
    from trivox.call.messages import SipResponse
    from trivox.call.settings import CallSettings, DtmfMethod
    from trivox.call.streams import LocalStream
    from trivox.call.transfer import TransferResult

_REJECTIONS: Final = range(300, 700)


class CallSignalling(CallCore):
    """What a call says to the far end."""

    async def start(self) -> None:
        """Start an outgoing call; returns when the INVITE is out, not when connected.

        If cancelled, nothing was sent and the call has ended.

        Raises:
            CallWrongDirectionError: It is an incoming call.
            CallWrongStateError: It was started before.
            CallEndedError: It was hung up meanwhile.
            AudioStreamRequiredError: Its audio was removed, and `allow_no_audio` is not set.
            CallFailedError: The destination could not be resolved, or media not be opened.
        """
        await starting.start(self)

    async def progress(
        self,
        code: int = 180,
        *,
        streams: Iterable[LocalStream] = (),
        reliable: bool | None = None,
        headers: HeaderArguments = None,
    ) -> None:
        """Tell the caller how it goes, before answering: 180 rings at the far end.

        183, and any code with `streams`, opens early media: the response carries the answer to the
        caller's offer, media flows both ways before `answer()`, and `play`, `recording`, `audio`
        and `collect_dtmf` begin. An INVITE without offer has no early media: 183 goes without.

        If cancelled, the call is refused with 480.

        Args:
            code: 101 to 199.
            streams: Local streams to send from now on, beside the call's own.
            reliable: Whether the caller acknowledges it (RFC 3262); None: as `settings` say. One
                goes out after the other; a caller that stays silent for 32 s is refused with 504.
            headers: Headers of the response.

        Raises:
            InvalidArgumentsError: The code is not 101 to 199, or a stream is none.
            NotSupportedError: It is to be reliable and the caller does not know how.
            CallWrongDirectionError, CallWrongStateError, CallEndedError: As for `answer`.
            CallReconnectingError: The caller's connection is gone.
            MediaNegotiationError: The offer has nothing in common with ours; 488 was sent. Or
                there is none, and so no early media for `streams`.
            StreamTypeMismatchError, InactiveStreamError, StreamAlreadySendingError: As for
                `add_stream`.
        """
        await early.progress(self, code, streams, headers, reliable=reliable)

    async def answer(self, settings: CallSettings | None = None) -> None:
        """Answer an incoming call; returns when the 200 is out, not when connected.

        If cancelled after the 200 has left, the call ends with BYE as soon as its ACK is here.

        Raises:
            CallWrongDirectionError: It is an outgoing call.
            CallWrongStateError: It was answered already.
            CallEndedError: The caller gave up, or the call was ended.
            MediaNegotiationError: The offer has nothing in common with ours; 488 was sent.
        """
        await starting.answer(self, settings)

    def reject(
        self, mode: RejectMode | int = RejectMode.DECLINE, headers: HeaderArguments = None
    ) -> None:
        """Refuse an incoming call.

        Args:
            mode: BUSY (486, this device), DECLINE (603, all devices), or a status of 300 to 699.
            headers: Headers of the response.

        Raises:
            CallWrongDirectionError: It is an outgoing call.
            CallWrongStateError: It was answered already.
            CallEndedError: It is over.
        """
        status = int(mode) if isinstance(mode, int) else 0
        if status not in _REJECTIONS:
            raise InvalidArgumentsError(f"{mode!r} is no rejection: use a status of 300 to 699")
        pairs = checked_headers(headers)
        self._refuse_direction(CallDirection.INCOMING, "reject()")
        self._refuse_ended()
        self._refuse_phase("an answered call is hung up, not rejected", Phase.IN_CREATED)
        leave(self, EndReason.LOCAL_ENDED, Farewell(status, pairs))

    async def redirect(self, targets: Sequence[str]) -> None:
        """Send the caller of an incoming call elsewhere (302); this call is over then.

        Args:
            targets: SIP URIs, the most wanted first; at most ten.

        Raises:
            InvalidArgumentsError, InvalidUriError: There is no target, or one is no URI.
            CallWrongDirectionError, CallWrongStateError, CallEndedError: As for `reject`.
        """
        await redirecting.redirect(self, targets)

    def hangup(self, headers: HeaderArguments = None, *, reason: str | None = None) -> None:
        """End the call, whatever its state; nothing on an ended one. Never waits.

        Sends CANCEL, BYE, or 603 for an incoming call that was not answered: now, or as soon as
        RFC 3261 allows it.

        Args:
            headers: Headers of that message.
            reason: Value of its Reason header (RFC 3326), such as `SIP;cause=200`.
        """
        pairs = checked_headers(headers)
        leave(
            self,
            EndReason.LOCAL_ENDED,
            Farewell(headers=pairs, reason=checked_text(reason or "", "reason")),
        )

    @property
    def replaces(self) -> Call | None:
        """The call that this incoming one takes the place of when it is answered (RFC 3891)."""
        return self._replaces

    @property
    def joins(self) -> Call | None:
        """The call that this incoming one is mixed with when it is answered (RFC 3911)."""
        return self._joins

    async def transfer(
        self, target: str | Call, *, headers: HeaderArguments = None
    ) -> TransferResult:
        """Hand the far end over to somebody else; returns once that is done and this call has ended.

        Blind: the far end calls `target`. Attended: `target` is another connected call, and the
        far end takes its place there (Replaces, RFC 3891); that call ends too. While it waits the
        call goes on; after a refusal as well. Cancelling it does not take the request back.

        Args:
            target: A SIP URI, a user or number in the account's domain, or a connected call.
            headers: Of the REFER. `Refer-Sub: false` asks for no report (RFC 4488), `Require: nosub`
                demands it (RFC 7614); with `Require: explicitsub` we subscribe to it by ourselves.

        Raises:
            CallTransferFailedError: The far end refused, or did not reach the target.
            CallTransferTimeoutError: It never told the outcome.
            CallEndedError: This call ended first.
            CallWrongStateError: One of the calls is not connected, or a transfer is under way.
            InvalidUriError, InvalidHeaderError, InvalidArgumentsError: An argument is wrong.
        """
        return await self._transferring().transfer(target, headers)

    async def change_identity(
        self, display_name: str | None = None, *, uri: str | None = None
    ) -> None:
        """Tell the far end who it talks to now, after a transfer for instance (RFC 4916).

        Sent by UPDATE where the far end takes it, else by a re-INVITE that changes no media; before
        the call is connected by UPDATE alone. A far end that knows `from-change` is told in From, a
        trusted one in P-Asserted-Identity too. Cancelling it unsends nothing.

        Args:
            display_name: The new name; None: as before, "" for none.
            uri: The new SIP URI; None: as before.

        Raises:
            RequiredParameterError: Neither is given.
            InvalidUriError, InvalidHeaderError: One is of no use.
            NotSupportedError: The far end knows no `from-change` and is not trusted, or the call
                withholds its identity from it (`CallSettings.privacy`).
            CallWrongStateError: There is no dialog yet that takes an UPDATE.
            StreamUpdateFailedError: The far end refused; it is told nobody else.
            CallEndedError, CallReconnectingError: The call is not in a state for it.
        """
        await identity.change_identity(self, display_name, uri)

    def send_dtmf(
        self,
        tones: str,
        *,
        method: DtmfMethod | None = None,
        duration: float = 0.1,
        gap: float = 0.07,
    ) -> Receipt[None]:
        """Send keys; overlapping calls queue up. The receipt is done when all were sent.

        Args:
            tones: 0-9, A-D, * and #; a comma pauses.
            method: None: the settings' `dtmf_method`.
            duration: Seconds of each tone, 0.04 to 10.
            gap: Seconds between tones, 0.03 to 10.

        Raises:
            InvalidDtmfError: There is no tone, or a character that is none.
            InvalidArgumentsError: An unknown method, or more than 1024 tones would wait.
            CallWrongStateError: The call is not connected.
        """
        return requests.send_tones(self, tones, method, duration, gap)

    def send_info(
        self, mime_type: str, body: str | bytes = "", headers: HeaderArguments = None
    ) -> Receipt[SipResponse]:
        """Send an INFO request (RFC 6086).

        Raises:
            InvalidMimeTypeError, InvalidHeaderError: An argument is wrong.
            CallWrongStateError: The call is not connected.
        """
        checked_mime_type(mime_type)
        pairs = checked_headers(headers)
        data = checked_body(body)
        self._refuse_unconnected("send_info()")
        return send_in_dialog(self, "INFO", pairs, data, mime_type)

    async def send_request(
        self,
        method: str,
        *,
        headers: HeaderArguments = None,
        body: str | bytes | None = None,
        content_type: str | None = None,
    ) -> SipResponse:
        """Send a request within the dialog and return its final response, whatever it is.

        Cancelling it does not unsend the request.

        Raises:
            InvalidArgumentsError: The method is one the call itself sends, or the body too long.
            RequiredParameterError: There is a body and no content type.
            CallEndedError: The call ended first.
            ConnectionTimeoutError: No response came.
        """
        requests.checked_method(method)
        pairs = checked_headers(headers)
        data = checked_body(body)
        if content_type is not None:
            checked_mime_type(content_type)
        elif data:
            raise RequiredParameterError("a body needs its content_type")
        self._refuse_unconnected("send_request()")
        receipt = send_in_dialog(self, method, pairs, data, content_type or "")
        return await receipt.wait()

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
        return messages.send_message(self, message, notify)

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
        return messages.send_disposition(self, message, status)
