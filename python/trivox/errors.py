"""Every exception trivox raises, in one tree.

An error carries its facts as typed fields; `str()` of it is a sentence that ends with what to do
about it. All can be pickled. Misuse by the program raises at the call; what a peer does wrong
becomes an event or a SIP status and never one of these in the middle of a program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.call.events import CallEnd

_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")

Headers = Mapping[str, str]
"""The headers of the response that caused an error, as the call saw them."""


class TrivoxError(Exception):
    """The root of all errors of trivox.

    Attributes:
        message: What happened, without the advice.
        call_id: `Call.id` of the call concerned, or None.
        code: A stable name for programs and logs: `BusyError` is "busy".
    """

    code: ClassVar[str] = "trivox"
    advice: ClassVar[str] = ""
    """What to do about it; follows the message in `str()`."""

    def __init_subclass__(cls, *, advice: str = "") -> None:
        super().__init_subclass__()
        cls.advice = advice or cls.advice
        cls.code = _WORD.sub("_", cls.__name__.removesuffix("Error")).lower()

    def __init__(self, message: str = "", *, call_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.call_id = call_id

    def __str__(self) -> str:
        """Return what happened and what to do about it."""
        text = self.message or self.code.replace("_", " ")
        return f"{text}: {self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(
    kind: type[TrivoxError], args: tuple[object, ...], fields: dict[str, object]
) -> TrivoxError:
    """Make a pickled error anew without running its constructor."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class _RefusedError(TrivoxError):
    """A request of ours was refused; `sip_code` is the status, 0 when no response came."""

    def __init__(
        self,
        message: str = "",
        *,
        sip_code: int = 0,
        retry_after: float | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(message or f"refused with {sip_code}", call_id=call_id)
        self.sip_code = sip_code
        self.retry_after = retry_after


class InvalidArgumentsError(TrivoxError, ValueError):
    """An argument is wrong; raised before anything was done."""


class RequiredParameterError(InvalidArgumentsError):
    """A parameter that is needed here was left out."""


class InvalidMimeTypeError(
    InvalidArgumentsError, advice="write it as type/subtype, for example text/plain"
):
    """A content type is not of the form type/subtype (RFC 3261 §20.15)."""


class InvalidHeaderError(
    InvalidArgumentsError,
    advice="use X-… names, and values without line breaks or control characters",
):
    """A header's name or value may not be sent.

    Control characters would let a value forge further headers; names such as Via, From or
    Call-ID belong to the dialog.
    """


class InvalidDtmfError(
    InvalidArgumentsError, advice="use the characters 0-9, A-D, * and #, and a comma for a pause"
):
    """A string of tones holds a character that is no tone, or is empty."""


class InvalidUriError(
    InvalidArgumentsError, advice="write it as sip:user@host, with ;transport= where it matters"
):
    """A URI cannot be parsed, or is of no use here."""


class ParseError(TrivoxError, ValueError):
    """Bytes are not what they claim to be: a SIP message, a URI, a header value."""


class CallError(TrivoxError):
    """Something about one call."""


class CallWrongStateError(CallError):
    """The operation is not possible in the call's state; nothing was done.

    Attributes:
        state: The state the call was in.
        allowed: The states in which the operation is possible.
    """

    def __init__(
        self,
        message: str = "",
        *,
        state: str = "",
        allowed: Iterable[str] = (),
        call_id: str | None = None,
    ) -> None:
        super().__init__(message, call_id=call_id)
        self.state = state
        self.allowed = tuple(allowed)

    def __str__(self) -> str:
        text = super().__str__()
        if self.state:
            text += f" (the call is {str(self.state).upper()})"
        if self.allowed:
            names = ", ".join(str(state).upper() for state in self.allowed)
            text += f": it needs the state to be {names}"
        return text


class CallEndedError(CallWrongStateError):
    """The call has ended, so the operation or the wait can no longer succeed.

    `end`: Why and how the call ended; None when that is not known.
    """

    def __init__(
        self,
        message: str = "the call has ended",
        *,
        end: CallEnd | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(message, call_id=call_id)
        self.end = end

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.end is None else f"{text}: {self.end}"


class CallReconnectingError(CallWrongStateError, advice="wait until call.state is CONNECTED again"):
    """The call is re-establishing its media or flow; the operation has to wait."""


class CallWrongDirectionError(CallError):
    """The operation belongs to the other direction: answering is for incoming calls only."""


class CallOnHoldError(CallError, advice="take it off hold first with hold(False)"):
    """The call is on hold already, or the operation needs it not to be."""


class CallNotOnHoldError(CallError):
    """The call is not on hold, so it cannot be taken off."""


class CallJoinedError(CallError, advice="let it leave that first"):
    """The call is in a bridge or conference, and can be in one at a time."""


class CallNotFoundError(CallError):
    """No live call has that id."""


class CallInternalError(CallError, advice="please report it with the traceback"):
    """Something inside trivox went wrong; this call only is affected."""


class CallFailedError(CallError):
    """The call was not established.

    Attributes:
        sip_code: The status that ended the attempt; 0 when no response said so.
        reason: Its reason phrase, or what happened here.
        headers: The headers of that response.
    """

    def __init__(
        self,
        message: str = "",
        *,
        sip_code: int = 0,
        reason: str = "",
        headers: Headers | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(message or _failure_text(sip_code, reason), call_id=call_id)
        self.sip_code = sip_code
        self.reason = reason
        self.headers: Headers = dict(headers or {})


class BusyError(CallFailedError, advice="try again later"):
    """The callee is busy (486, 600)."""


class DeclinedError(CallFailedError, advice="do not try again by yourself"):
    """The callee declined on all devices (603)."""


class NotFoundError(CallFailedError, advice="check the destination"):
    """The number or address does not exist (404, 604)."""


class UnavailableError(CallFailedError, advice="try again later, or raise ring_timeout"):
    """The callee cannot be reached now, or did not answer in time (480, 408)."""


class CanceledError(CallFailedError):
    """The attempt was cancelled before it was answered (487)."""


class ForbiddenError(CallFailedError, advice="check the account's rights and caller identity"):
    """The server refuses this call (403)."""


class CallTransferError(CallError):
    """A transfer did not come about."""


class CallTransferFailedError(_RefusedError, CallTransferError):
    """The far end or the target refused the transfer. `sip_code` says with what."""


class CallTransferTimeoutError(CallTransferError, TimeoutError):
    """The far end never said how the transfer went."""


class StreamError(TrivoxError):
    """Something about a media stream."""


class InactiveStreamError(StreamError, advice="create a new one"):
    """The stream is closed."""


class StreamTypeMismatchError(StreamError):
    """The stream's type does not fit the operation."""


class StreamAlreadySendingError(StreamError):
    """The stream is being sent in this call already."""


class StreamNotSendingError(StreamError):
    """The stream is not being sent in this call."""


class StreamUpdateFailedError(_RefusedError, StreamError):
    """The far end refused the change of media. `sip_code` says with what."""


class AudioStreamRequiredError(
    StreamError, advice="leave the call its audio, or set allow_no_audio=True"
):
    """A call was started without any audio."""


class NotSupportedError(StreamError):
    """This build or the agreed media cannot do that."""


class MediaNegotiationError(
    StreamError, advice="compare the codecs and the media kind of both ends"
):
    """The two ends have no media in common, or a session description is wrong (RFC 3264)."""


class BufferOverflowError(StreamError, advice="send slower, or wait for the queue to drain"):
    """A media buffer is full."""


class TransportError(TrivoxError):
    """Signalling could not be sent or received."""


class TargetRefusedError(
    TransportError, advice="allow its network with allowed_networks, if it is one of yours"
):
    """The network named an address we do not send to: loopback or private, seen from outside."""


class ConnectionNetworkError(TransportError, OSError):
    """The network refused: no route, connection refused, address in use."""


class ConnectionTimeoutError(TransportError, TimeoutError):
    """No answer came in the time the protocol allows (Timers B and F, RFC 3261 §17.1)."""


class ConnectionInterruptedError(TransportError):
    """A connection broke while something waited on it."""


class ConnectionInternalError(TransportError):
    """The transport failed inside trivox."""


class AuthenticationError(TrivoxError, advice="check the user, password and realm of the account"):
    """The credentials were refused, or there are none for that realm."""


class RegistrationError(_RefusedError):
    """The registrar refused or did not answer (RFC 3261 §10); `retry_after` in seconds, or None."""


class SubscriptionError(_RefusedError):
    """A SUBSCRIBE was refused or not answered (RFC 6665 §4.1). Fields as of RegistrationError."""


class SipResponseError(TrivoxError):
    """A request got a final `.response` of 300 or more, and the caller asked for that to raise."""

    def __init__(
        self, message: str = "", *, response: object = None, call_id: str | None = None
    ) -> None:
        super().__init__(message or f"the request was refused: {response}", call_id=call_id)
        self.response = response


class EventOverflowError(
    TrivoxError, advice="read faster, raise max_waiting, or choose a dropping overflow policy"
):
    """A reader of events fell behind, its queue overflowed, and `.lost` events were dropped."""

    def __init__(self, message: str = "", *, lost: int = 0, call_id: str | None = None) -> None:
        super().__init__(message or f"{lost} events were lost", call_id=call_id)
        self.lost = lost


class EngineError(TrivoxError):
    """The media engine failed or panicked; that session is closed, the program goes on."""


class EngineExhaustedError(EngineError, advice="raise the limit of open files: ulimit -n"):
    """No file descriptor, port or memory is left for another call's media."""


_FAILURES: Final[dict[int, type[CallFailedError]]] = {
    403: ForbiddenError,
    404: NotFoundError,
    408: UnavailableError,
    480: UnavailableError,
    486: BusyError,
    487: CanceledError,
    600: BusyError,
    603: DeclinedError,
    604: NotFoundError,
}


def call_failed(
    sip_code: int, reason: str = "", *, headers: Headers | None = None, call_id: str | None = None
) -> CallFailedError:
    """Return the error of an attempt that ended with this status, or 0 where there was none."""
    kind = _FAILURES.get(sip_code, CallFailedError)
    return kind(sip_code=sip_code, reason=reason, headers=headers, call_id=call_id)


def _failure_text(sip_code: int, reason: str) -> str:
    status = " ".join(part for part in (str(sip_code or ""), reason) if part)
    return f"the call was not established ({status})" if status else "the call was not established"
