"""What the signalling session of a call tells, and what the call makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.call._endings import end_remotely, fail, fail_connection, fail_media, lose
from trivox.call._far_changes import ACCEPTED
from trivox.call._info import take_info
from trivox.call._messages import take_message
from trivox.call._negotiated import note_negotiated, take_late_answer
from trivox.call._offers import take_change
from trivox.call._party import learn_party, remember_headers
from trivox.call._publishing import add_remote_stream
from trivox.call._trickle import note_branch
from trivox.call._values import CallValues
from trivox.call.events import (
    EarlyMediaStarted,
    EndReason,
    Originator,
    StartRinging,
    StopRinging,
)
from trivox.call.messages import SipResponse
from trivox.call.states import Phase, Trigger
from trivox.errors import ConnectionTimeoutError, EngineError, StreamError, TransportError
from trivox.sip import events as facts
from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.reason import read_causes_untrusted

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore

# Python 3.11 takes longer to find a member of an enum than all else in a step.
_REMOTE_ENDED: Final = EndReason.REMOTE_ENDED
_REMOTE_BYE: Final = Trigger.REMOTE_BYE
_ACKNOWLEDGED: Final = Trigger.ACKNOWLEDGED
_MEDIA_UP: Final = Trigger.MEDIA_UP


def take_fact(call: CallCore, fact: facts.SessionFact) -> None:
    """Take one thing that the session tells."""
    match fact:
        # First what every call has.
        case facts.Acknowledged(tx, _, body):
            _take_acknowledged(call, tx, body)
        case facts.RemoteEnded(message):
            end_remotely(call, _REMOTE_ENDED, 0, message, _REMOTE_BYE)
        case facts.Answered():
            _take_answered(call, fact)
        case facts.Progress():
            _take_progress(call, fact)
        case facts.LocalEnded() | facts.CrossedAnswer():
            call._step(Trigger.FINISHED)
        case facts.Rejected(status, reason, message):
            call._redirecting().take_refusal(status, reason, message)
        case facts.TimedOut():
            fail(call, 408, "no response", None, Originator.SYSTEM, Trigger.REFUSED)
        case facts.TransportFailed():
            fail_connection(call)
        case _:
            _take_other_fact(call, fact)


def _take_other_fact(call: CallCore, fact: facts.SessionFact) -> None:
    match fact:
        case facts.AcknowledgementTimedOut() if call._phase is Phase.IN_ANSWERED:
            fail(call, 408, "no ACK", None, Originator.SYSTEM, Trigger.ACK_TIMEOUT)
        case facts.AcknowledgementTimedOut():  # of a change to the session (RFC 3261 §14.2)
            lose(call, "no ACK", Trigger.LOST)
        case facts.RemoteCancelled(message):
            _take_cancel(call, message)
        case facts.DialogLost(status):
            lose(call, f"the far end lost the call ({status})", Trigger.LOST)
        case facts.RequestReceived(method, tx, message):
            _take_other(call, method, tx, message)
        case facts.ResponseReceived(tx, _, status, message):
            _take_response(call, tx, status, message)
        case _:
            take_change(call, fact)


def _take_progress(call: CallCore, fact: facts.Progress) -> None:
    if call.timings.progressed is None:
        call.timings.progressed = call._now()
    if call._phase is not Phase.OUT_INVITING:
        return
    call._step(Trigger.PROGRESS)
    remember_headers(call, fact.message)
    note_branch(call, fact)
    if fact.body and _take_preview(call, fact):
        _stop_ringing(call)
        if not CallValues.has_early_media.of(call):
            CallValues.has_early_media.set(call, to=True)
            add_remote_stream(call)
            call._emit(
                EarlyMediaStarted, Originator.REMOTE, fact.message, stream=call._remote_stream
            )
    elif fact.status == 180 and not call._was_ringing:
        call._was_ringing = True
        CallValues.is_ringing.set(call, to=True)
        call._emit(StartRinging, Originator.REMOTE, fact.message)


def _take_preview(call: CallCore, fact: facts.Progress) -> bool:
    """Let the media of a provisional answer be heard; a bad one is passed over."""
    try:
        if fact.is_offer:
            answer = call._branching().answer_to(fact.body, fact.to_tag)
            assert call._session is not None, "its own session told it"
            call._carry_out(call._session.acknowledge_progress(fact.to_tag, answer))
            call._leg.begin_flow()
            return True
        if not call._leg.is_open:
            return False  # an unreliable preview of an offer that is to come
        call._leg.take_answer(fact.body, fact.to_tag, is_provisional=True)
    except (StreamError, EngineError):
        return False
    call._leg.begin_flow()
    return True


def _stop_ringing(call: CallCore) -> None:
    if CallValues.is_ringing.of(call):
        CallValues.is_ringing.set(call, to=False)
        call._emit(StopRinging, Originator.REMOTE)


def _take_answered(call: CallCore, fact: facts.Answered) -> None:
    call.timings.answered = call._now()
    call._withdraw("ring")
    remember_headers(call, fact.message)
    learn_party(call, fact.message, fact.message.dialog()[4])
    call._step(Trigger.ANSWERED)
    if call._phase is not Phase.ESTABLISHING:
        return
    if fact.is_offer:
        if not _answer_offer(call, fact):
            return
    elif not fact.body:
        if not call._leg.remote_sdp:
            fail_media(call, "the 2xx brought no answer")
            return
    else:
        try:
            call._leg.take_answer(fact.body, fact.to_tag)
        except (StreamError, EngineError) as error:
            fail_media(call, str(error))
            return
    if call._branches is not None:
        call._branches.go_by(fact.to_tag)
    note_negotiated(call)
    if call._leg.is_up:
        call._step(Trigger.MEDIA_UP)


def _answer_offer(call: CallCore, fact: facts.Answered) -> bool:
    """Answer the offer of a 2xx in its ACK (RFC 3261 §13.2.2.4)."""
    assert call._session is not None, "its own session told it"
    try:
        answer = call._branching().answer_to(fact.body, fact.to_tag)
    except (StreamError, EngineError) as error:
        fail_media(call, str(error))
        return False
    call._carry_out(call._session.acknowledge(answer))
    return True


def _take_acknowledged(call: CallCore, tx: int, body: bytes) -> None:
    assert call._session is not None, "its own session told it"
    if tx != call._session.tx:
        if body:
            take_late_answer(call, body)
        call._go_on()
        return
    if not call._leg.remote_sdp and not take_late_answer(call, body):
        fail_media(call, "the ACK brought no answer to our offer")
        return
    note_negotiated(call)
    call._step(_ACKNOWLEDGED)
    if call._leg.is_up:
        call._step(_MEDIA_UP)


def _take_cancel(call: CallCore, message: Message | None) -> None:
    causes = read_causes_untrusted(message.headers("Reason")) if message is not None else ()
    was_elsewhere = any((c.protocol.upper(), c.cause) == ("SIP", 200) for c in causes)
    why = EndReason.ANSWERED_ELSEWHERE if was_elsewhere else EndReason.REMOTE_ENDED
    end_remotely(call, why, 487, message, Trigger.CANCELLED)


def _take_other(call: CallCore, method: str, tx: int, message: Message) -> None:
    match method:
        case "INFO":
            take_info(call, tx, message)
        case "MESSAGE":
            take_message(call, tx, message)
        case "REFER" | "NOTIFY":
            call._transferring().take_request(method, tx, message)
        case "OPTIONS":
            call._respond(tx, 200, headers=(ALLOW, SUPPORTED, ("Accept", ACCEPTED)))
        case _:
            call._respond(tx, 405, headers=(ALLOW,))


def _take_response(call: CallCore, tx: int, status: int, message: Message | None) -> None:
    """Take the final response to a request of ours in the dialog; None: there is none."""
    receipt = call._receipts.pop(tx, None)
    if receipt is None:
        return
    if message is not None:
        receipt.resolve(SipResponse.from_message(message))
    elif status == 503:
        receipt.fail(TransportError("the connection failed"))
    else:
        receipt.fail(ConnectionTimeoutError("no response came"))
