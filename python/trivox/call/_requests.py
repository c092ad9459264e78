"""Requests inside a call: which are allowed, tones by INFO, and how outcomes are judged."""

from __future__ import annotations

import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, final

from trivox.actor.receipt import OpenReceipt
from trivox.call.argument_rules import checked_choice
from trivox.call.settings import DtmfMethod
from trivox.call.states import Phase
from trivox.errors import (
    CallWrongStateError,
    InvalidArgumentsError,
    InvalidDtmfError,
    SipResponseError,
)
from trivox.errors.checks import checked_within
from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.actor.receipt import Receipt
    from trivox.call._core import CallCore
    from trivox.call.media_leg import MediaLeg
    from trivox.call.messages import SipResponse
    from trivox.sip.outputs import Headers

T_contra = TypeVar("T_contra", contravariant=True)

_TONES: Final = re.compile(r"[0-9A-Da-d*#,]*[0-9A-Da-d*#][0-9A-Da-d*#,]*")
_METHOD: Final = re.compile(r"[A-Z][A-Z0-9\-]*")
_OWN_METHODS: Final = frozenset({"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "PRACK", "UPDATE"})
_LEAST_DURATION: Final = 0.04
_LEAST_GAP: Final = 0.03
_MOST_SECONDS: Final = 10.0
_MOST_TONES: Final = 1024
"""Tones that may wait to be sent."""
_PAUSE: Final = 2.0
"""Seconds a comma stands for."""
RELAY: Final = "application/dtmf-relay"
_PLAIN: Final = "application/dtmf"
_SIGNAL: Final = re.compile(r"Signal\s*=\s*([0-9A-Da-d*#])", re.IGNORECASE)
_DURATION: Final = re.compile(r"Duration\s*=\s*(\d{1,5})", re.IGNORECASE)
_USUAL_DURATION: Final = 0.1


class Outcome(Protocol[T_contra]):
    """What waits for the final response to a request: a receipt, or a part of the call."""

    def resolve(self, value: T_contra, /) -> None:
        """Take the response."""
        ...

    def fail(self, error: Exception, /) -> None:
        """Take that there is none: Timer F, a lost flow, the end of the call."""
        ...


def checked_tones(tones: str) -> str:
    """Return the tones. Raises InvalidDtmfError for another character, or none at all."""
    if not isinstance(tones, str) or not _TONES.fullmatch(tones):
        raise InvalidDtmfError(f"{tones!r} is no string of keys")
    return tones


def checked_pace(duration: float, gap: float) -> None:
    """Raise InvalidArgumentsError if tones cannot be sent at this pace."""
    checked_within(duration, "the duration of a tone", _LEAST_DURATION, _MOST_SECONDS, unit=" s")
    checked_within(gap, "the gap between tones", _LEAST_GAP, _MOST_SECONDS, unit=" s")


def checked_method(method: str) -> str:
    """Return the method. Raises InvalidArgumentsError for one that trivox itself sends."""
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise InvalidArgumentsError(f"{method!r} is no method: give one in capitals, as OPTIONS")
    if method in _OWN_METHODS:
        raise InvalidArgumentsError(
            f"{method} is not sent by hand: calls and accounts have functions of their own for it"
        )
    return method


def judge_response(response: SipResponse) -> Exception | None:
    """Return the error a response of 300 or more stands for."""
    return None if response.is_success else SipResponseError(response=response)


def tone_of_info(mime_type: str, body: bytes) -> tuple[str, float] | None:
    """Return (tone, seconds) of an INFO that reports a key; None for any other body."""
    kind = mime_type.partition(";")[0].strip().lower()
    text = body.decode(errors="replace").strip()
    if kind == RELAY:
        signal = _SIGNAL.search(text)
        if signal is None:
            return None
        length = _DURATION.search(text)
        seconds = int(length[1]) / 1000 if length else _USUAL_DURATION
        return signal[1].upper(), seconds
    if kind == _PLAIN and len(text) == 1 and _TONES.fullmatch(text):
        return text.upper(), _USUAL_DURATION
    return None


def send_tones(
    call: CallCore, tones: str, method: DtmfMethod | None, duration: float, gap: float
) -> Receipt[None]:
    """Send keys in the way that is wanted or agreed: see `Call.send_dtmf`."""
    checked_tones(tones)
    checked_pace(duration, gap)
    wanted = call.settings.dtmf_method if method is None else method
    wanted = checked_choice(wanted, DtmfMethod, "method")
    call._refuse_unconnected("send_dtmf()")
    if wanted is DtmfMethod.AUTO:
        agreed = call._leg.has_telephone_events
        wanted = DtmfMethod.RFC4733 if agreed else DtmfMethod.INFO
    if wanted is DtmfMethod.INFO:
        return _info_tones(call).send(tones, duration, gap)
    as_sound = wanted is DtmfMethod.INBAND
    ended = call._ended_error
    return _send_by_engine(call._leg, tones, duration, gap, ended, as_sound=as_sound)


def _send_by_engine(
    leg: MediaLeg,
    tones: str,
    duration: float,
    gap: float,
    ended: Callable[[], Exception],
    *,
    as_sound: bool,
) -> Receipt[None]:
    """Queue tones in the engine: as RFC 4733 events, or as sound in the audio itself."""
    send = leg.sessions.send_inband if as_sound else leg.sessions.send_dtmf
    number = send(leg.session, tones.upper(), duration, gap)
    pending = leg.expect(EngineEventKind.DTMF_SENT, number)

    def cancel() -> None:
        if leg.is_open and not pending.is_done:
            leg.sessions.cancel_dtmf(leg.session, number)

    receipt: OpenReceipt[None] = OpenReceipt(cancel=cancel)

    def settle() -> None:
        if pending.text is None:
            receipt.fail(ended())
        else:
            receipt.resolve(None)

    pending.on_done = settle
    return receipt


@final
class InfoTones:
    """Tones sent as INFO requests, one after the other, at the pace of keys."""

    __slots__ = ("_after", "_ended", "_is_busy", "_queue", "_send")

    def __init__(
        self,
        send: Callable[[bytes], object],
        after: Callable[[str, float, Callable[[], None]], None],
        ended: Callable[[], Exception],
    ) -> None:
        self._send = send
        self._after = after
        self._ended = ended
        self._queue: deque[tuple[str, float, float, OpenReceipt[None] | None]] = deque()
        self._is_busy = False

    def send(self, tones: str, duration: float, gap: float) -> Receipt[None]:
        """Queue tones; the receipt is done when the last was sent.

        Raises:
            InvalidArgumentsError: More than 1024 tones would wait.
        """
        if len(self._queue) + len(tones) > _MOST_TONES:
            raise InvalidArgumentsError(
                f"more than {_MOST_TONES} DTMF digits wait to be sent: wait until some are"
            )
        receipt: OpenReceipt[None] = OpenReceipt(cancel=lambda: self._cancel(receipt))
        last = len(tones) - 1
        for index, tone in enumerate(tones.upper()):
            self._queue.append((tone, duration, gap, receipt if index == last else None))
        if not self._is_busy:
            self._next()
        return receipt

    def close(self) -> None:
        """Fail what is still queued: the call has ended."""
        while self._queue:
            receipt = self._queue.popleft()[3]
            if receipt is not None:
                receipt.fail(self._ended())

    def _next(self) -> None:
        self._is_busy = bool(self._queue)
        if not self._queue:
            return
        tone, duration, gap, receipt = self._queue.popleft()
        pause = _PAUSE if tone == "," else duration + gap
        if tone != ",":
            self._send(f"Signal={tone}\r\nDuration={round(duration * 1000)}\r\n".encode())
        if receipt is not None:
            receipt.resolve(None)
        self._after("tones", pause, self._next)

    def _cancel(self, receipt: OpenReceipt[None]) -> None:
        ahead: list[tuple[str, float, float, OpenReceipt[None] | None]] = []
        for entry in self._queue:
            ahead.append(entry)
            if entry[3] is receipt:
                while ahead and (ahead[-1][3] is receipt or ahead[-1][3] is None):
                    ahead.pop()
        self._queue = deque(ahead)
        receipt.resolve(None)


def send_in_dialog(
    call: CallCore,
    method: str,
    headers: Headers,
    body: bytes,
    content_type: str,
    receipt: OpenReceipt[SipResponse] | None = None,
) -> Receipt[SipResponse]:
    """Send a request within the dialog of a connected call."""
    assert call._session is not None, "a connected call has its session"
    receipt = receipt or OpenReceipt(judge=judge_response)
    (transaction,) = call._carry_out((call._session.request(method, headers, body, content_type),))
    call._receipts[transaction] = receipt
    return receipt


def try_in_dialog(
    call: CallCore,
    method: str,
    headers: Headers,
    body: bytes,
    content_type: str,
    outcome: Outcome[SipResponse],
) -> bool:
    """Send a request in the dialog; False when there is none any more."""
    assert call._session is not None, "a call that is connected or was has its session"
    try:
        request = call._session.request(method, headers, body, content_type)
    except CallWrongStateError:
        return False
    (transaction,) = call._carry_out((request,))
    call._receipts[transaction] = outcome
    return True


def send_relay(call: CallCore, body: bytes) -> None:
    """Send one key by INFO, if the call is connected still."""
    if call._phase is Phase.CONNECTED:
        send_in_dialog(call, "INFO", (), body, RELAY)


def _info_tones(call: CallCore) -> InfoTones:
    if call._tones is None:
        call._tones = InfoTones(partial(send_relay, call), call._after, call._ended_error)
    return call._tones
