"""What the actions of the INVITE table do: each takes the session's parts and returns outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.sip import events
from trivox.sip.bodies import description_of, is_description
from trivox.sip.early_actions import (
    message_of,
    respond_to_invite,
    send_481,
    send_504,
    send_provisional,
    take_prack,
    tell_prack_timed_out,
    tell_progress,
)
from trivox.sip.events import SessionOutput
from trivox.sip.invite_leg import (
    MAX_FORKS,
    Given,
    InviteLeg,
    Purpose,
    forget,
)
from trivox.sip.invite_table import INVITE_TABLE, InviteAction, InviteEvent
from trivox.sip.offer_answer import OfferEvent, OfferMeaning, OfferState
from trivox.sip.outputs import SendCancel

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message

Outputs = tuple[SessionOutput, ...]
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_RECEIVED_ACK: Final = OfferEvent.RECEIVED_ACK
_SENT_2XX_SDP: Final = OfferEvent.SENT_2XX_SDP
_AGREED: Final = frozenset({OfferState.STABLE, OfferState.LOCAL_OFFER})


def step(leg: InviteLeg, event: InviteEvent, given: Given) -> Outputs:
    """Go where the table says; a pair it does not hold is in INVITE_IGNORED."""
    go = INVITE_TABLE[leg.state].get(event)
    if go is None:
        return ()
    leg.state = go.state
    outputs: Outputs = ()
    for action in go.actions:
        outputs += ACTIONS[action](leg, given)
    return outputs


def _to_tag(message: Message) -> str:
    return message.to_tag


def _send_invite(leg: InviteLeg, given: Given) -> Outputs:
    invite = leg.new_request(Purpose.INVITE, "INVITE", None)
    invite.body, invite.content_type = given.body, given.content_type
    return (leg.send(invite),)


def _retry_invite(leg: InviteLeg, given: Given) -> Outputs:
    leg.offer_answer.step(OfferEvent.INVITE_FAILED)
    assert leg.invite is not None, "an INVITE was challenged"
    forgotten = leg.forget()
    return (
        *forgotten,
        leg.send(leg.invite),
        events.Challenged(given.status, message_of(given)),
    )


def _take_2xx(leg: InviteLeg, given: Given) -> Outputs:
    message = message_of(given)
    leg.dialog = leg.dialog_of(message, _to_tag(message))
    leg.dialog.confirm(message)
    leg.learn(message)
    leg.timer.learn(message, leg.now)
    return ()


def _send_ack(leg: InviteLeg, given: Given) -> Outputs:
    if is_description(given.body, given.content_type):
        leg.offer_answer.step(OfferEvent.SENT_ACK)
    return (leg.acknowledge(leg.dialog_now, leg.tx, given.body, given.content_type),)


def _tell_answered(leg: InviteLeg, given: Given) -> Outputs:
    message = message_of(given)
    body = description_of(message)
    tag = _to_tag(message)
    is_offer = given.meaning is OfferMeaning.OFFER
    early = leg.exchanges.get(tag)
    if early is not None and not is_offer:
        # The answer came reliably before: what the 2xx repeats has no meaning (RFC 6337 §3.1.1).
        body = early.description or body
    return (events.Answered(message, body, tag, is_offer),)


def _tell_crossed(_leg: InviteLeg, given: Given) -> Outputs:
    message = message_of(given)
    return (events.CrossedAnswer(message, _to_tag(message)),)


def _end_other(leg: InviteLeg, given: Given) -> Outputs:
    message = message_of(given)
    tag = _to_tag(message)
    dialog = leg.dialog_of(message, tag)
    dialog.confirm(message)
    number = message.key()[7]
    acknowledged = dialog.acknowledge(given.tx, number, headers=leg.ack_authorization)
    if len(leg.others) >= MAX_FORKS:
        return acknowledged, forget(dialog)
    leg.others[tag] = dialog
    return acknowledged, leg.send(leg.new_request(Purpose.OTHER_BYE, "BYE", dialog))


def _send_cancel(leg: InviteLeg, given: Given) -> Outputs:
    return (SendCancel(leg.tx, given.headers or leg.end_headers),)


def _tell_rejected(_leg: InviteLeg, given: Given) -> Outputs:
    message = message_of(given)
    return (events.Rejected(given.status, message.reason, message),)


def _tell_timed_out(_leg: InviteLeg, _given: Given) -> Outputs:
    return (events.TimedOut(),)


def _tell_transport_failed(_leg: InviteLeg, _given: Given) -> Outputs:
    return (events.TransportFailed(),)


def _send_accept(leg: InviteLeg, given: Given) -> Outputs:
    if leg.offer_answer.state in _AGREED:
        # Agreed before, by responses sent reliably: the 2xx says nothing more (RFC 6337 §3.1.1),
        # also while an UPDATE of ours offers a change.
        given.body = b""
    leg.offer_answer.step(
        _SENT_2XX_SDP if is_description(given.body, given.content_type) else OfferEvent.SENT_2XX
    )
    return respond_to_invite(leg, given)


def _send_reject(leg: InviteLeg, given: Given) -> Outputs:
    leg.offer_answer.step(OfferEvent.INVITE_FAILED)
    return respond_to_invite(leg, given)


def _send_487(leg: InviteLeg, _given: Given) -> Outputs:
    leg.offer_answer.step(OfferEvent.INVITE_FAILED)
    return (leg.respond(leg.tx, 487, "Request Terminated"),)


def _tell_acknowledged(leg: InviteLeg, given: Given) -> Outputs:
    leg.timer.restart(leg.now)
    leg.offer_answer.step(_RECEIVED_ACK)
    body = description_of(given.message) if given.message is not None else b""
    return (events.Acknowledged(given.tx, given.message, body),)


def _tell_ack_timed_out(_leg: InviteLeg, _given: Given) -> Outputs:
    return (events.AcknowledgementTimedOut(),)


def _tell_remote_cancelled(_leg: InviteLeg, given: Given) -> Outputs:
    return (events.RemoteCancelled(given.message),)


def _send_491(leg: InviteLeg, given: Given) -> Outputs:
    return (leg.respond(given.tx, 491, "Request Pending"),)


def _take_reinvite(leg: InviteLeg, given: Given) -> Outputs:
    message = message_of(given)
    offer = description_of(message)
    meaning = leg.offer_answer.step(
        OfferEvent.RECEIVED_INVITE_SDP if offer else OfferEvent.RECEIVED_INVITE
    )
    if meaning is OfferMeaning.GLARE:
        return _send_491(leg, given)
    if meaning is OfferMeaning.TOO_SOON:
        return (leg.retry_after(given.tx, message.key()[7]),)
    leg.reinvites[given.tx] = False
    leg.requests[given.tx] = message
    leg.learn(message)
    return (events.ReinviteReceived(given.tx, message, offer),)


def _take_update(leg: InviteLeg, given: Given) -> Outputs:
    """Take an UPDATE, or refuse one that crosses another offer (RFC 3311 §5.2)."""
    message = message_of(given)
    offer = description_of(message)
    if leg.updates:
        return (leg.retry_after(given.tx, message.key()[7]),)
    tag = message.from_tag
    exchange = leg.exchange_of(tag)
    if offer:
        meaning = exchange.step(OfferEvent.RECEIVED_INVITE_SDP)
        if meaning is OfferMeaning.GLARE:
            return _send_491(leg, given)
        if meaning is OfferMeaning.TOO_SOON:
            return (leg.retry_after(given.tx, message.key()[7]),)
        if tag in leg.exchanges:
            leg.exchanges[tag].description = b""  # what their 18x answered holds no more
    leg.updates[given.tx] = exchange if offer else None
    leg.requests[given.tx] = message
    leg.learn(message)
    return (events.UpdateReceived(given.tx, message, offer),)


def _tell_request(_leg: InviteLeg, given: Given) -> Outputs:
    message = message_of(given)
    return (events.RequestReceived(message.method, given.tx, message),)


def _answer_bye(leg: InviteLeg, given: Given) -> Outputs:
    return (leg.respond(given.tx, 200, "OK"),)


def _tell_remote_ended(_leg: InviteLeg, given: Given) -> Outputs:
    return (events.RemoteEnded(given.message),)


def _send_bye(leg: InviteLeg, given: Given) -> Outputs:
    leg.timer.end()
    bye = leg.new_request(Purpose.BYE, "BYE", leg.dialog_now)
    bye.headers = given.headers or leg.end_headers
    return *_end_modification(leg), leg.send(bye)


def _end_modification(leg: InviteLeg) -> Outputs:
    return () if leg.modification is None else leg.modification.end(leg, Given())


def _retry_bye(leg: InviteLeg, given: Given) -> Outputs:
    assert given.request is not None, "a BYE was challenged"
    return (leg.send(given.request),)


def _tell_dialog_lost(_leg: InviteLeg, given: Given) -> Outputs:
    return (events.DialogLost(given.status, given.message),)


def _tell_expired(_leg: InviteLeg, _given: Given) -> Outputs:
    return (events.SessionExpired(),)


def _tell_local_ended(_leg: InviteLeg, given: Given) -> Outputs:
    return (events.LocalEnded(given.status, given.message),)


def _forget(leg: InviteLeg, _given: Given) -> Outputs:
    outputs = _end_modification(leg)
    if leg.reinvites or leg.updates:
        outputs += _answer_all(leg)
    leg.requests.clear()
    leg.timer.end()
    return outputs + leg.forget()


def _answer_all(leg: InviteLeg) -> Outputs:
    """Answer what is not answered yet before the dialog goes (RFC 3261 §15.1.2)."""
    unanswered = tuple(
        leg.respond(tx, 487, "Request Terminated")
        for tx, is_answered in leg.reinvites.items()
        if not is_answered
    )
    unanswered += tuple(
        leg.respond(tx, 481, "Call/Transaction Does Not Exist") for tx in leg.updates
    )
    leg.reinvites.clear()
    leg.updates.clear()
    return unanswered


def end_of_other(leg: InviteLeg, given: Given) -> Outputs:
    """Finish the BYE of a branch that lost: its dialog is dropped."""
    assert given.request is not None, "a BYE of ours was answered"
    assert given.request.dialog is not None, "a BYE has a dialog"
    return (forget(given.request.dialog),)


A = InviteAction
ACTIONS: Final[dict[InviteAction, Callable[[InviteLeg, Given], Outputs]]] = {
    A.SEND_INVITE: _send_invite,
    A.RETRY_INVITE: _retry_invite,
    A.TELL_PROGRESS: tell_progress,
    A.TAKE_2XX: _take_2xx,
    A.TELL_ANSWERED: _tell_answered,
    A.SEND_ACK: _send_ack,
    A.END_OTHER: _end_other,
    A.TELL_CROSSED: _tell_crossed,
    A.SEND_CANCEL: _send_cancel,
    A.TELL_REJECTED: _tell_rejected,
    A.TELL_TIMED_OUT: _tell_timed_out,
    A.TELL_TRANSPORT_FAILED: _tell_transport_failed,
    A.SEND_PROVISIONAL: send_provisional,
    A.TAKE_PRACK: take_prack,
    A.SEND_504: send_504,
    A.TELL_PRACK_TIMED_OUT: tell_prack_timed_out,
    A.SEND_ACCEPT: _send_accept,
    A.SEND_REJECT: _send_reject,
    A.SEND_487: _send_487,
    A.SEND_481: send_481,
    A.SEND_491: _send_491,
    A.TELL_ACKNOWLEDGED: _tell_acknowledged,
    A.TELL_ACK_TIMED_OUT: _tell_ack_timed_out,
    A.TELL_REMOTE_CANCELLED: _tell_remote_cancelled,
    A.ANSWER_BYE: _answer_bye,
    A.TELL_REMOTE_ENDED: _tell_remote_ended,
    A.TAKE_REINVITE: _take_reinvite,
    A.TAKE_UPDATE: _take_update,
    A.TELL_REQUEST: _tell_request,
    A.TELL_EXPIRED: _tell_expired,
    A.SEND_BYE: _send_bye,
    A.RETRY_BYE: _retry_bye,
    A.TELL_DIALOG_LOST: _tell_dialog_lost,
    A.TELL_LOCAL_ENDED: _tell_local_ended,
    A.FORGET: _forget,
}
