"""What the far end says to an INVITE session: each input is read and becomes an event of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox import _native
from trivox.sip import events
from trivox.sip.bodies import description_of
from trivox.sip.capabilities import required_but_unknown
from trivox.sip.digest import CHALLENGE_HEADER
from trivox.sip.early_actions import send_provisional_now
from trivox.sip.events import SessionOutput
from trivox.sip.invite_actions import end_of_other, step
from trivox.sip.invite_leg import ClientRequest, Given, InviteLeg, Purpose
from trivox.sip.invite_table import InviteEvent, InviteState
from trivox.sip.offer_answer import OfferEvent, OfferMeaning
from trivox.sip.session_timer import refusal_of

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.sip.reliable import ReliableSender

Outputs = tuple[SessionOutput, ...]

_NO_UPDATE: Final = frozenset({405, 420, 501})
"""What is said by who knows no UPDATE, whatever its Allow told."""
_CONFIRMED: Final = InviteState.CONFIRMED
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_RECEIVED_ACK: Final = InviteEvent.RECEIVED_ACK
_RECEIVED_BYE: Final = InviteEvent.RECEIVED_BYE
_CROSSING: Final = 1.0
"""Seconds that a BYE may come after the 481 it was before: it is repeated after T1."""
_OVER: Final = frozenset({InviteState.ENDING, InviteState.TERMINATED})
_RETRYABLE: Final = frozenset({InviteState.CALLING, InviteState.PROCEEDING})


def take_event(leg: InviteLeg, event: SipEvent, now: float) -> Outputs:
    """Take an event of the core, then do what has waited for its turn."""
    leg.now = now
    outputs = _take_event(leg, event)
    if leg.modification is None and leg.sender is None and not leg.timer.wants_refresh:
        return outputs
    return outputs + _go_on(leg)


def take_time(leg: InviteLeg, now: float) -> Outputs:
    """Do what is due."""
    leg.now = now
    outputs: Outputs = ()
    if leg.modification is not None:
        outputs = leg.modification.handle_timeout(leg, Given(), now)
    if leg.lost is not None and now >= leg.lost[0]:
        outputs += step(leg, InviteEvent.DIALOG_LOST, leg.lost[1])
        leg.lost = None
    if leg.timer.is_on and leg.timer.handle_timeout(now):
        outputs += step(leg, InviteEvent.SESSION_EXPIRED, Given())
    return outputs + _go_on(leg)


def next_deadline(leg: InviteLeg) -> float | None:
    """Return when something is due."""
    if leg.sender is not None and leg.sender.is_ready and not leg.updates:
        return leg.now
    due = leg.modification.deadline if leg.modification is not None else None
    if leg.state is _CONFIRMED:
        due = _sooner(due, leg.timer.deadline)
        if leg.lost is not None:
            due = _sooner(due, leg.lost[0])
    return due


def _sooner(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _take_event(leg: InviteLeg, event: SipEvent) -> Outputs:
    kind, _, tx, _, status, message, _, _ = event
    match kind:
        # First what every call has.
        case _native.EVENT_REQUEST if message is not None:
            return _take_request(leg, tx, message)
        case _native.EVENT_ACK:
            return _take_acknowledgement(leg, tx, message)
        case _native.EVENT_RESPONSE if message is not None:
            return _take_response(leg, tx, status, message)
        case _native.EVENT_TIMEOUT | _native.EVENT_TRANSPORT_ERROR:
            return _take_failure(leg, tx, is_timeout=kind == _native.EVENT_TIMEOUT)
        case _native.EVENT_ACK_TIMEOUT if tx == leg.tx or tx in leg.reinvites:
            return step(leg, InviteEvent.ACK_TIMED_OUT, Given(tx))
        case _native.EVENT_CANCEL:
            return _take_cancel(leg, tx, message)
        case _:
            return ()


def _take_response(leg: InviteLeg, tx: int, status: int, message: Message) -> Outputs:
    """Take a response to a request of ours."""
    request = leg.pending.get(tx)
    given = Given(tx, status, message=message, request=request)
    if request is None or (request.purpose is Purpose.INVITE and tx != leg.tx):
        return _take_late_answer(leg, given, message)
    if request.purpose is Purpose.INVITE:
        if status // 100 == 2 and leg.has_answered(message.to_tag):
            return ()
        return step(leg, _classify(leg, given, message, request), given)
    if status < 200:
        if request.purpose is Purpose.MODIFICATION and leg.modification is not None:
            leg.modification.take_provisional(leg)
        return ()
    del leg.pending[tx]
    if _can_retry(given, message, request):
        if request.purpose is Purpose.BYE:
            return step(leg, InviteEvent.BYE_CHALLENGED, given)
        return (leg.send(request),)
    return _finished(leg, given, request)


def _take_late_answer(leg: InviteLeg, given: Given, message: Message) -> Outputs:
    """Take the 2xx to an INVITE that was given up or refused: it is acknowledged, its dialog ended."""
    if given.status // 100 != 2 or message.method != "INVITE":
        return ()
    tag, dialog = message.to_tag, leg.dialog
    if dialog is not None and dialog.remote_tag == tag:
        # Of a change to the session; what is over was ended by a BYE.
        number = message.key()[7]
        return (dialog.acknowledge(given.tx, number),) if leg.state in _OVER else ()
    if tag in leg.others:
        return ()
    return step(leg, InviteEvent.RECEIVED_OTHER_2XX, given)


def _take_failure(leg: InviteLeg, tx: int, *, is_timeout: bool) -> Outputs:
    """Take the end of a request of ours that nobody answered, or whose flow is gone."""
    request = leg.pending.pop(tx, None)
    if request is None:
        return ()
    given = Given(tx, 408 if is_timeout else 0, request=request)
    if request.purpose is not Purpose.INVITE:
        return _finished(leg, given, request)
    leg.offer_answer.step(OfferEvent.INVITE_FAILED)
    given.status = 0
    silent, gone = InviteEvent.INVITE_TIMED_OUT, InviteEvent.INVITE_TRANSPORT_ERROR
    return step(leg, silent if is_timeout else gone, given)


def _take_request(leg: InviteLeg, tx: int, message: Message) -> Outputs:
    """Take a request of theirs in a dialog of this session."""
    given = Given(tx, 0, "", message)
    tag = message.from_tag
    dialog = leg.find(tag)
    if dialog is None:
        if tag in leg.others and message.method == "BYE":
            # A branch that lost may end its dialog itself, before our BYE is there.
            return (leg.respond(tx, 200, "OK"),)
        return (leg.respond(tx, 481, "Call/Transaction Does Not Exist"),)
    # A dialog that is over has no CSeq to compare: the table answers 481.
    is_over = leg.state in _OVER
    if not dialog.receive(message) and not is_over:
        return (leg.respond(tx, 500, "Server Internal Error"),)
    unknown = required_but_unknown(message)
    if unknown:
        headers = (("Unsupported", ", ".join(unknown)),)
        return (leg.respond(tx, 420, "Bad Extension", headers=headers),)
    match message.method:
        case "BYE":
            return step(leg, _RECEIVED_BYE, given)
        case "INVITE":
            refusal = _too_short(leg, tx, message)
            return refusal or step(leg, InviteEvent.RECEIVED_REINVITE, given)
        case "PRACK":
            return step(leg, InviteEvent.RECEIVED_PRACK, given)
        case "UPDATE":
            refusal = _too_short(leg, tx, message)
            return refusal or step(leg, InviteEvent.RECEIVED_UPDATE, given)
        case _:
            return step(leg, InviteEvent.RECEIVED_REQUEST, given)


def _take_acknowledgement(leg: InviteLeg, tx: int, message: Message | None) -> Outputs:
    """Take the ACK for a 2xx of ours."""
    if tx == leg.tx:
        return step(leg, _RECEIVED_ACK, Given(tx, 0, "", message))
    if leg.reinvites.pop(tx, None) is None:
        return ()
    leg.offer_answer.step(OfferEvent.RECEIVED_ACK)
    body = description_of(message) if message is not None else b""
    return (events.Acknowledged(tx, message, body),)


def _take_cancel(leg: InviteLeg, tx: int, message: Message | None) -> Outputs:
    """Take a CANCEL of theirs, for the INVITE or a re-INVITE."""
    if tx == leg.tx:
        return step(leg, InviteEvent.RECEIVED_CANCEL, Given(tx, message=message))
    if leg.reinvites.get(tx) is not False:
        return ()
    leg.answer_reinvite(tx, 487, b"")
    return leg.respond(tx, 487, "Request Terminated"), events.ReinviteCancelled(tx)


def _classify(
    leg: InviteLeg, given: Given, message: Message, request: ClientRequest
) -> InviteEvent:
    """Return what a response to our INVITE is to the table."""
    if given.status < 200:
        return InviteEvent.RECEIVED_1XX
    if given.status >= 300:
        if leg.state in _RETRYABLE and (
            _can_retry(given, message, request)
            or (given.status == 422 and leg.timer.can_raise(message))
        ):
            return InviteEvent.RECEIVED_CHALLENGE
        leg.offer_answer.step(OfferEvent.INVITE_FAILED)
        return InviteEvent.RECEIVED_FAILURE
    if leg.dialog is not None:
        return InviteEvent.RECEIVED_OTHER_2XX
    early = leg.exchanges.get(message.to_tag)
    if early is not None:
        leg.offer_answer = early.offer_answer
        if early.is_agreed:
            return InviteEvent.RECEIVED_2XX
    given.meaning = leg.offer_answer.step(
        OfferEvent.RECEIVED_2XX_SDP if description_of(message) else OfferEvent.RECEIVED_2XX
    )
    if given.meaning is OfferMeaning.OFFER:
        return InviteEvent.RECEIVED_OFFER
    return InviteEvent.RECEIVED_2XX


def _can_retry(given: Given, message: Message, request: ClientRequest) -> bool:
    name = CHALLENGE_HEADER.get(given.status)
    if name is None:
        return False
    return request.authorizer.can_answer(given.status, message.headers(name))


def _finished(leg: InviteLeg, given: Given, request: ClientRequest) -> Outputs:
    """Take the end of a transaction other than the INVITE's."""
    match request.purpose:
        case Purpose.BYE:
            given.status = given.status if given.message is not None else 0
            return step(leg, InviteEvent.BYE_FINISHED, given)
        case Purpose.OTHER_BYE:
            return end_of_other(leg, given)
        case Purpose.PRACK:
            # Whatever it was answered, the INVITE's final response decides (RFC 3262 §4).
            return ()
        case Purpose.MODIFICATION:
            assert leg.modification is not None, "only a modification sends one"
            told = leg.modification.take_final(leg, given)
            status = given.status
        case Purpose.REFRESH:
            told = _refreshed(leg, given)
            status = given.status
        case _:
            status = given.status or 503
            told = (
                events.ResponseReceived(request.first_tx, request.method, status, given.message),
            )
    # A branch that has lost, or may yet, is not the call.
    if status not in (408, 481) or request.dialog is not leg.dialog:
        return told
    if given.message is not None and status == 481 and leg.state is _CONFIRMED:
        # As a rule its BYE crossed our request; should it be lost, ours is due (RFC 5407 §3.1).
        leg.lost = leg.lost or (leg.now + _CROSSING, given)
        return told
    return (*told, *step(leg, InviteEvent.DIALOG_LOST, given))


def _too_short(leg: InviteLeg, tx: int, message: Message) -> Outputs:
    """Refuse an interval below ours (RFC 4028 §9)."""
    headers = refusal_of(message, leg.timer.minimum)
    if headers is None:
        return ()
    return (leg.respond(tx, 422, "Session Interval Too Small", headers=headers),)


def _refreshed(leg: InviteLeg, given: Given) -> Outputs:
    """Take the final response to the UPDATE that keeps the session alive."""
    message, timer = given.message, leg.timer
    if message is not None and given.status < 300:
        leg.dialog_now.refresh(message)
        timer.learn(message, leg.now)
    elif message is not None and given.status == 422 and timer.can_raise(message):
        timer.wants_refresh = True
    elif given.status in _NO_UPDATE:
        leg.remote_allow = ""
        timer.wants_refresh = True
    else:
        timer.note_refused(leg.now)
    return ()


def _send_waiting(leg: InviteLeg, sender: ReliableSender) -> Outputs:
    """Send what has waited for a PRACK: the next provisional response, or the 2xx."""
    given = sender.next() if leg.state is InviteState.INCOMING else None
    if given is None:
        return ()
    if given.status < 200:
        return send_provisional_now(leg, given)
    return *step(leg, InviteEvent.ACCEPT, given), events.AcceptSent()


def _go_on(leg: InviteLeg) -> Outputs:
    """Do what has waited for its turn; after every input."""
    outputs: Outputs = ()
    if leg.sender is not None and not leg.updates:
        outputs = _send_waiting(leg, leg.sender)
    timer = leg.timer
    if timer.wants_refresh and leg.state is InviteState.CONFIRMED:
        timer.wants_refresh = False
        outputs += (leg.refresh(),) if leg.can_update else (events.RefreshDue(),)
    if leg.modification is not None:
        outputs += leg.modification.go_on(leg, Given())
    return outputs
