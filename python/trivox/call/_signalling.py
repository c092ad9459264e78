"""The signalling side of a call's face: start, answer, reject, hang up, and what is said inside."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from trivox.actor.receipt import OpenReceipt
from trivox.call import _requests as requests
from trivox.call._early import CallEarly
from trivox.call.argument_rules import checked_body, checked_choice
from trivox.call.events import CallEnd, EndReason, Originator
from trivox.call.farewell import Farewell
from trivox.call.header_rules import (
    HeaderArguments,
    checked_headers,
    checked_mime_type,
    checked_text,
)
from trivox.call.messages import SipResponse, reason_of
from trivox.call.settings import CallSettings, DtmfMethod, RejectMode
from trivox.call.states import LEAVING, CallDirection, Phase, Trigger
from trivox.errors import (
    EngineError,
    InvalidArgumentsError,
    RequiredParameterError,
    StreamError,
    TrivoxError,
)
from trivox.errors.attempt import call_failed
from trivox.errors.checks import checked_kind
from trivox.sip.invite_session import InviteSession
from trivox.sip.offer_answer import OfferState

if TYPE_CHECKING:
    from trivox.actor.receipt import Receipt
    from trivox.call._requests import InfoTones
    from trivox.call.host import Route
    from trivox.sip.outputs import Headers

_SDP = "application/sdp"
_REJECTIONS = range(300, 700)
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = CallDirection.INCOMING
_IN_CREATED: Final = Phase.IN_CREATED
_ANSWER: Final = Trigger.ANSWER
_ACCEPTED: Final = Trigger.ACCEPTED
_STABLE: Final = OfferState.STABLE


class CallSignalling(CallEarly):
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
        self._refuse_direction(CallDirection.OUTGOING, "start()")
        self._refuse_ended()
        self._refuse_phase("start() was called already", Phase.OUT_CREATED)
        self._refuse_no_audio()
        self._step(Trigger.START)
        self._host.enter(self._face)
        try:
            await trio.lowlevel.checkpoint()
            route = await self._host.route_to(self._face)
            self._refuse_ended()
            # An offer that is to come is answered at once: what it may ask for is gathered before.
            if not self.settings.delayed_offer or self._may_be_offered_ice:
                self._route = route
                self._open_media()
                await self._gather_addresses()
            self._invite(route)
        except (TrivoxError, OSError) as error:
            if self._phase is Phase.OUT_STARTING:
                self._fail_setup(error)
                raise call_failed(503, str(error), call_id=self.id) from error
            raise
        except BaseException:
            self._leave(EndReason.LOCAL_ENDED, Farewell())
            raise

    def _invite(self, route: Route) -> None:
        settings = self.settings
        self._route = route
        self._leg.screen = partial(self._host.screen, route)
        offer = b"" if settings.delayed_offer else self._local_description()
        self._session = InviteSession.outgoing(
            route.identity,
            self.destination,
            call_id=self.sip_call_id,
            local_tag=self._host.new_id(),
            cnonce=self._host.new_id(),
            extra_headers=(*self._packages, *settings.invite_headers),
            timer=settings.session_timer,
            reliability=settings.reliability,
        )
        self.timings.started = self._now()
        self._carry_out(self._session.invite(offer, _SDP))
        self._step(Trigger.SENT)
        if settings.ring_timeout is not None:
            self._after("ring", settings.ring_timeout, self._ring_no_longer)

    async def answer(self, settings: CallSettings | None = None) -> None:
        """Answer an incoming call; returns when the 200 is out, not when connected.

        If cancelled after the 200 has left, the call ends with BYE as soon as its ACK is here.

        Raises:
            CallWrongDirectionError: It is an outgoing call.
            CallWrongStateError: It was answered already.
            CallEndedError: The caller gave up, or the call was ended.
            MediaNegotiationError: The offer has nothing in common with ours; 488 was sent.
        """
        self._refuse_direction(_INCOMING, "answer()")
        self._refuse_ended()
        self._refuse_phase("answer() was called already", _IN_CREATED)
        if settings is not None:
            self.settings = checked_kind(settings, CallSettings, "settings")
            if settings.mute_audio:
                self.mute_microphone()
            self._take_settings()
        self._step(_ANSWER)
        await self._gather_early()
        try:
            body = self._local_description()
        except (StreamError, EngineError) as error:
            self._refuse_media(error)
            raise
        assert self._session is not None, "an incoming call is born with its session"
        self.timings.started = self.timings.answered = self._now()
        if self._session.offer_state is _STABLE:
            body = b""  # a reliable provisional response brought the answer (RFC 6337 §3.1.1)
        headers = (*self._packages, *self.settings.invite_headers)
        self._carry_out(self._session.accept(headers, body, _SDP))
        if not self._session.is_unanswered:
            self._step(_ACCEPTED)
        self._take_place()
        await self._checkpoint_or_leave()

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
        self._leave(EndReason.LOCAL_ENDED, Farewell(status, pairs))

    def hangup(self, headers: HeaderArguments = None, *, reason: str | None = None) -> None:
        """End the call, whatever its state; nothing on an ended one. Never waits.

        Sends CANCEL, BYE, or 603 for an incoming call that was not answered: now, or as soon as
        RFC 3261 allows it.

        Args:
            headers: Headers of that message.
            reason: Value of its Reason header (RFC 3326), such as `SIP;cause=200`.
        """
        pairs = checked_headers(headers)
        self._leave(
            EndReason.LOCAL_ENDED,
            Farewell(headers=pairs, reason=checked_text(reason or "", "reason")),
        )

    def _leave(
        self,
        why: EndReason,
        farewell: Farewell,
        originator: Originator = Originator.LOCAL,
        trigger: Trigger = Trigger.HANGUP,
    ) -> None:
        if self._state_now().is_terminal or self._phase in LEAVING:
            return
        is_unanswered = self._phase in (Phase.IN_CREATED, Phase.IN_ANSWERING)
        self._farewell = farewell
        self._cause = CallEnd(
            reason=why,
            originator=originator,
            sip_code=farewell.status if is_unanswered else 0,
            sip_reason=reason_of(farewell.status) if is_unanswered else "",
        )
        self._step(trigger)

    def _refuse(self, status: int, headers: Headers = (), *, is_untaken: bool = False) -> None:
        """End the call for the client: nobody took it, its handler left or failed, or it closes."""
        if self.end is not None:
            return
        self._leave(
            EndReason.LOCAL_ENDED,
            Farewell(status, headers),
            Originator.SYSTEM if is_untaken else Originator.LOCAL,
            Trigger.UNTAKEN if is_untaken else Trigger.HANGUP,
        )

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
        requests.checked_tones(tones)
        requests.checked_pace(duration, gap)
        wanted = self.settings.dtmf_method if method is None else method
        wanted = checked_choice(wanted, DtmfMethod, "method")
        self._refuse_unconnected("send_dtmf()")
        if wanted is DtmfMethod.AUTO:
            agreed = self._leg.has_telephone_events
            wanted = DtmfMethod.RFC4733 if agreed else DtmfMethod.INFO
        if wanted is DtmfMethod.INFO:
            return self._info_tones().send(tones, duration, gap)
        as_sound = wanted is DtmfMethod.INBAND
        ended = self._ended_error
        return requests.send_by_engine(self._leg, tones, duration, gap, ended, as_sound=as_sound)

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
        return self._request("INFO", pairs, data, mime_type)

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
        receipt = self._request(method, pairs, data, content_type or "")
        return await receipt.wait()

    @abstractmethod
    def _take_place(self) -> None: ...

    @abstractmethod
    def _info_tones(self) -> InfoTones: ...

    def _request(
        self,
        method: str,
        headers: Headers,
        body: bytes,
        content_type: str,
        receipt: OpenReceipt[SipResponse] | None = None,
    ) -> Receipt[SipResponse]:
        assert self._session is not None, "a connected call has its session"
        receipt = receipt or OpenReceipt(judge=requests.judge_response)
        (transaction,) = self._carry_out(
            (self._session.request(method, headers, body, content_type),)
        )
        self._receipts[transaction] = receipt
        return receipt
