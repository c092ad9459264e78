"""What the call's signalling session tells and asks for, and what the call makes of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from trivox.call._far_changes import ACCEPTED
from trivox.call._listening import CallListening
from trivox.call._messages import take_message
from trivox.call._offers import take_change
from trivox.call._upkeep import CallUpkeep
from trivox.call._wishes import emit_hold
from trivox.call.codec_info import codecs_of
from trivox.call.events import (
    CallEnd,
    EarlyMediaStarted,
    EndReason,
    MediaNegotiated,
    Originator,
    StartRinging,
    StopRinging,
)
from trivox.call.messages import SipResponse, headers_of, reason_of
from trivox.call.origin import value_of_party
from trivox.call.sdp import is_holding
from trivox.call.states import LEAVING, Phase, Trigger
from trivox.errors import ConnectionTimeoutError, EngineError, StreamError, TransportError
from trivox.sip import events as facts
from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.outputs import Forget, SendAck, SendCancel, SendRequest, SendResponse
from trivox.sip.reason import read_causes_untrusted

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.call._describing import BranchOffers
    from trivox.call._redirecting import Redirecting
    from trivox.call._requests import InfoTones, Outcome
    from trivox.call._transfer import Transfers
    from trivox.sip.outputs import Headers

_WITHOUT_ANSWER: Final = (SendAck, SendCancel)
"""Their transaction is the INVITE's: `isinstance` takes a tuple in half the time of a union."""
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_REMOTE_ENDED: Final = EndReason.REMOTE_ENDED
_REMOTE: Final = Originator.REMOTE
_CONNECTED: Final = Phase.CONNECTED
_REMOTE_BYE: Final = Trigger.REMOTE_BYE
_ACKNOWLEDGED: Final = Trigger.ACKNOWLEDGED
_MEDIA_UP: Final = Trigger.MEDIA_UP


class CallFacts(CallUpkeep):
    """The link between a call and its `InviteSession`."""

    _remote_offer: bytes
    _receipts: dict[int, Outcome[SipResponse]]
    _tones: InfoTones | None
    _branches: BranchOffers | None
    _redirections: Redirecting | None
    _transfers: Transfers | None

    @property
    def _signalling_is_over(self) -> bool:
        """True when no message of this call is owed or expected any more."""
        return self._session is None or self._session.is_over

    def abandon(self) -> None:
        """End, in whatever state: the client is closed, and no message will come."""
        self._lose("the client was closed", Trigger.LOST)

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take one event that carries this call's token; the client's drain calls it."""
        assert self._session is not None, "a call without session has no token at the core"
        self._carry_out(self._session.handle(event, now))
        if self._leg.trickling is not None:
            self._leg.trickling.go_on()  # what it waited for may have been this

    def _carry_out(self, outputs: tuple[facts.SessionOutput, ...]) -> list[int]:
        """Do what the session asks, then take what it tells; returns the transactions begun."""
        begun = []
        told: list[facts.SessionFact] = []
        for output in outputs:
            if isinstance(output, SendResponse):
                self._host.respond(output, token=self.token)
            elif isinstance(output, Forget):
                self._host.forget(output)
            elif isinstance(output, SendRequest):
                transaction = self._host.send(self._face, output)
                assert self._session is not None, "its own session asked for it"
                self._session.sent(transaction)
                begun.append(transaction)
            elif isinstance(output, _WITHOUT_ANSWER):
                self._host.send(self._face, output)
            else:
                told.append(output)
        for fact in told:
            self._take_fact(fact)
        self._keep_deadline()
        return begun

    def _take_fact(self, fact: facts.SessionFact) -> None:
        match fact:
            # First what every call has.
            case facts.Acknowledged(tx, _, body):
                self._take_acknowledged(tx, body)
            case facts.RemoteEnded(message):
                self._end_remotely(_REMOTE_ENDED, 0, message, _REMOTE_BYE)
            case facts.Answered():
                self._take_answered(fact)
            case facts.Progress():
                self._take_progress(fact)
            case facts.LocalEnded() | facts.CrossedAnswer():
                self._step(Trigger.FINISHED)
            case facts.Rejected(status, reason, message):
                self._redirecting().take_refusal(status, reason, message)
            case facts.TimedOut():
                self._fail(408, "no response", None, Originator.SYSTEM, Trigger.REFUSED)
            case facts.TransportFailed():
                self._fail_connection()
            case _:
                self._take_other_fact(fact)

    def _take_other_fact(self, fact: facts.SessionFact) -> None:
        match fact:
            case facts.AcknowledgementTimedOut() if self._phase is Phase.IN_ANSWERED:
                self._fail(408, "no ACK", None, Originator.SYSTEM, Trigger.ACK_TIMEOUT)
            case facts.AcknowledgementTimedOut():  # of a change to the session (RFC 3261 §14.2)
                self._lose("no ACK", Trigger.LOST)
            case facts.RemoteCancelled(message):
                self._take_cancel(message)
            case facts.DialogLost(status):
                self._lose(f"the far end lost the call ({status})", Trigger.LOST)
            case facts.RequestReceived(method, tx, message):
                self._take_other(method, tx, message)
            case facts.ResponseReceived(tx, _, status, message):
                self._take_response(tx, status, message)
            case _:
                take_change(self._face, fact)

    def _take_progress(self, fact: facts.Progress) -> None:
        if self.timings.progressed is None:
            self.timings.progressed = self._now()
        if self._phase is not Phase.OUT_INVITING:
            return
        self._step(Trigger.PROGRESS)
        self._remember_headers(fact.message)
        self._note_branch(fact)
        if fact.body and self._take_preview(fact):
            self._stop_ringing()
            if not CallListening.has_early_media.of(self):
                CallListening.has_early_media.set(self, to=True)
                self._add_remote_stream()
                self._emit(
                    EarlyMediaStarted, Originator.REMOTE, fact.message, stream=self._remote_stream
                )
        elif fact.status == 180 and not self._was_ringing:
            self._was_ringing = True
            CallListening.is_ringing.set(self, to=True)
            self._emit(StartRinging, Originator.REMOTE, fact.message)

    def _take_preview(self, fact: facts.Progress) -> bool:
        """Let the media of a provisional answer be heard; a bad one is passed over."""
        try:
            if fact.is_offer:
                answer = self._branching().answer_to(fact.body, fact.to_tag)
                assert self._session is not None, "its own session told it"
                self._carry_out(self._session.acknowledge_progress(fact.to_tag, answer))
                self._leg.begin_flow()
                return True
            if not self._leg.is_open:
                return False  # an unreliable preview of an offer that is to come
            self._leg.take_answer(fact.body, fact.to_tag, is_provisional=True)
        except (StreamError, EngineError):
            return False
        self._leg.begin_flow()
        return True

    def _answer_offer(self, fact: facts.Answered) -> bool:
        """Answer the offer of a 2xx in its ACK (RFC 3261 §13.2.2.4)."""
        assert self._session is not None, "its own session told it"
        try:
            answer = self._branching().answer_to(fact.body, fact.to_tag)
        except (StreamError, EngineError) as error:
            self._fail_media(str(error))
            return False
        self._carry_out(self._session.acknowledge(answer))
        return True

    @abstractmethod
    def _branching(self) -> BranchOffers: ...
    @abstractmethod
    def _note_branch(self, fact: facts.Progress) -> None: ...

    def _stop_ringing(self) -> None:
        if CallListening.is_ringing.of(self):
            CallListening.is_ringing.set(self, to=False)
            self._emit(StopRinging, Originator.REMOTE)

    def _take_answered(self, fact: facts.Answered) -> None:
        self.timings.answered = self._now()
        self._withdraw("ring")
        self._remember_headers(fact.message)
        self._learn_party(fact.message, fact.message.dialog()[4])
        self._step(Trigger.ANSWERED)
        if self._phase is not Phase.ESTABLISHING:
            return
        if fact.is_offer:
            if not self._answer_offer(fact):
                return
        elif not fact.body:
            if not self._leg.remote_sdp:
                self._fail_media("the 2xx brought no answer")
                return
        else:
            try:
                self._leg.take_answer(fact.body, fact.to_tag)
            except (StreamError, EngineError) as error:
                self._fail_media(str(error))
                return
        if self._branches is not None:
            self._branches.go_by(fact.to_tag)
        self._note_negotiated()
        if self._leg.is_up:
            self._step(Trigger.MEDIA_UP)

    def _take_acknowledged(self, tx: int, body: bytes) -> None:
        assert self._session is not None, "its own session told it"
        if tx != self._session.tx:
            if body:
                self._take_late_answer(body)
            self._go_on()
            return
        if not self._leg.remote_sdp and not self._take_late_answer(body):
            self._fail_media("the ACK brought no answer to our offer")
            return
        self._note_negotiated()
        self._step(_ACKNOWLEDGED)
        if self._leg.is_up:
            self._step(_MEDIA_UP)

    def _take_late_answer(self, body: bytes) -> bool:
        try:
            self._leg.take_answer(body, "")
        except (StreamError, EngineError):
            return False
        self._note_hold(body)
        return True

    def _note_negotiated(self) -> None:
        self._note_hold(self._leg.remote_sdp.encode())
        if self._watchables:
            self._tell("_audio_codec")
        if self._hears(MediaNegotiated):
            self._hand_out(
                MediaNegotiated,
                Originator.REMOTE,
                local_sdp=self._leg.local_sdp,
                remote_sdp=self._leg.remote_sdp,
                codecs=tuple(codec.name for codec in codecs_of(self._leg)),
            )

    def _note_hold(self, sdp: bytes) -> None:
        is_held = is_holding(sdp)
        if is_held != CallListening.is_remotely_held.of(self):
            self._tell(is_remotely_held=is_held)
            emit_hold(self._face, Originator.REMOTE)

    def _take_cancel(self, message: Message | None) -> None:
        causes = read_causes_untrusted(message.headers("Reason")) if message is not None else ()
        was_elsewhere = any((c.protocol.upper(), c.cause) == ("SIP", 200) for c in causes)
        why = EndReason.ANSWERED_ELSEWHERE if was_elsewhere else EndReason.REMOTE_ENDED
        self._end_remotely(why, 487, message, Trigger.CANCELLED)

    def _take_other(self, method: str, tx: int, message: Message) -> None:
        match method:
            case "INFO":
                self._take_info(tx, message)
            case "MESSAGE":
                take_message(self._face, tx, message)
            case "REFER" | "NOTIFY":
                self._transferring().take_request(method, tx, message)
            case "OPTIONS":
                self._respond(tx, 200, headers=(ALLOW, SUPPORTED, ("Accept", ACCEPTED)))
            case _:
                self._respond(tx, 405, headers=(ALLOW,))

    @abstractmethod
    def _take_info(self, tx: int, message: Message) -> None: ...
    @abstractmethod
    def _redirecting(self) -> Redirecting: ...
    @abstractmethod
    def _transferring(self) -> Transfers: ...

    def _respond(
        self,
        tx: int,
        status: int,
        *,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> None:
        assert self._session is not None, "its own session told of the request"
        response = self._session.respond(
            tx, status, reason_of(status), headers=headers, body=body, content_type=content_type
        )
        self._carry_out((response,))

    def _take_response(self, tx: int, status: int, message: Message | None) -> None:
        receipt = self._receipts.pop(tx, None)
        if receipt is None:
            return
        if message is not None:
            receipt.resolve(SipResponse.from_message(message))
        elif status == 503:
            receipt.fail(TransportError("the connection failed"))
        else:
            receipt.fail(ConnectionTimeoutError("no response came"))

    def _fail(
        self,
        status: int,
        reason: str,
        message: Message | None,
        originator: Originator,
        trigger: Trigger,
    ) -> None:
        if self._phase not in LEAVING:
            self._cause = CallEnd(
                reason=EndReason.FAILED,
                originator=originator,
                sip_code=status,
                sip_reason=reason,
                headers=headers_of(message),
            )
        self._step(trigger)

    def _end_remotely(
        self, why: EndReason, status: int, message: Message | None, trigger: Trigger
    ) -> None:
        if why is _REMOTE_ENDED and self._phase is _CONNECTED and self._transfers is not None:
            why = self._transfers.take_left()
        if self._phase not in LEAVING:
            status, text = _told(message, status)
            self._cause = CallEnd(
                reason=why,
                originator=_REMOTE,
                sip_code=status,
                sip_reason=text,
                headers=headers_of(message),
                at=self._now(),
            )
        self._step(trigger)

    def _fail_media(self, text: str) -> None:
        """End the call because its media cannot be."""
        if self._phase is Phase.CONNECTED:
            self._lose(text, Trigger.MEDIA_FAILED)
            return
        self._farewell.status = 500  # for an early dialog, which is refused
        self._fail(0, text, None, Originator.SYSTEM, Trigger.MEDIA_FAILED)

    def _learn_party(self, message: Message, value: str) -> None:
        if self._redirections is not None:
            value = self._redirections.party_of(message, value)
        is_trusted = self._route is not None and self._route.identity.is_trusted
        self._party_untrusted = value_of_party(message, value) if is_trusted else value

    def _end_signalling(self) -> None:
        """Send CANCEL, BYE or the rejection, or leave it with the session until it may go."""
        session = self._session
        if session is None:
            return
        farewell = self._farewell
        headers = farewell.headers
        if farewell.reason:
            headers = (("Reason", farewell.reason), *headers)
        if session.is_over:  # nobody will tell that it ended
            self._step(Trigger.FINISHED)
        self._carry_out(
            session.end(headers, status=farewell.status, reason=reason_of(farewell.status))
        )


def _told(message: Message | None, status: int) -> tuple[int, str]:
    """Return the status and the words of a Reason; the status that is known otherwise goes first."""
    if message is None or message.header("Reason") is None:
        return status, ""
    causes = read_causes_untrusted(message.headers("Reason"))
    numbers = (cause.cause for cause in causes if cause.protocol.upper() == "SIP")
    return status or next(numbers, 0), next((each.text for each in causes if each.text), "")
