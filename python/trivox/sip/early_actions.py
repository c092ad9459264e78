"""What is said before the final response: provisional responses of both sides, and their PRACKs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.sip import events
from trivox.sip.bodies import description_of, is_description
from trivox.sip.events import SessionOutput
from trivox.sip.invite_leg import MAX_FORKS, Given, InviteLeg
from trivox.sip.offer_answer import OfferEvent, OfferMeaning
from trivox.sip.reliable import EarlyExchange, ReliableSender, serial_untrusted

if TYPE_CHECKING:
    from trivox._native import Message

Outputs = tuple[SessionOutput, ...]


def tell_progress(leg: InviteLeg, given: Given) -> Outputs:
    """Tell of a provisional response; one sent reliably in its turn, with its PRACK."""
    message = message_of(given)
    tag = message.to_tag
    if given.status == 100:
        return ()
    if tag and (tag in leg.early or len(leg.early) < MAX_FORKS):
        leg.early[tag] = leg.dialog_of(message, tag)
    serial = serial_untrusted(message)
    if serial is None:
        body = description_of(message)
        return (events.Progress(given.status, message.reason, message, body, tag),)
    if tag not in leg.early:
        return ()
    exchange = leg.exchanges.get(tag)
    if exchange is None:
        exchange = leg.exchanges[tag] = EarlyExchange.after(leg.offer_answer.state)
        # One before it that was not sent reliably may have lacked the route, as a 1xx of RFC 2543
        # does; that of a response which is acknowledged cannot (RFC 3262 §4, as of RFC 3261 §13.2.2.4).
        leg.early[tag].confirm(message)
    outputs: Outputs = ()
    for ready in exchange.arrange(message, serial):
        outputs += _take_reliable(leg, exchange, tag, ready)
    return outputs


def _take_reliable(leg: InviteLeg, exchange: EarlyExchange, tag: str, message: Message) -> Outputs:
    """Acknowledge a reliable response and tell of it; an offer in it is answered by the PRACK."""
    serial = serial_untrusted(message)
    assert serial is not None, "it was arranged by its number"
    leg.learn(message)
    is_offer = exchange.take(message)
    body = description_of(message)
    told = events.Progress(
        message.status, message.reason, message, body, tag, is_offer=is_offer, is_reliable=True
    )
    if is_offer:
        exchange.prack_awaited = serial
        return (told,)
    return leg.prack(tag, serial), told


def send_provisional(leg: InviteLeg, given: Given) -> Outputs:
    """Send a provisional response of ours, or keep it until its turn."""
    if leg.sender is None:
        if not given.is_reliable:
            return respond_to_invite(leg, given)
        leg.sender = ReliableSender(leg.local_tag)
    return send_provisional_now(leg, given) if leg.sender.provisional(given) else ()


def send_provisional_now(leg: InviteLeg, given: Given) -> Outputs:
    """Send a provisional response whose turn it is; a description in a reliable one counts."""
    assert leg.sender is not None, "it has said whose turn it is"
    if given.is_reliable:
        given.headers = leg.sender.headers() + given.headers
        if is_description(given.body, given.content_type):
            leg.offer_answer.step(OfferEvent.SENT_2XX_SDP)
    return respond_to_invite(leg, given)


def take_prack(leg: InviteLeg, given: Given) -> Outputs:
    """Take the PRACK for a response of ours, and what it says of offer and answer (RFC 3262 §5)."""
    message = message_of(given)
    if leg.sender is None or not leg.sender.acknowledge(message, leg.remote_invite_cseq):
        return send_481(leg, given)
    body = description_of(message)
    if leg.offer_answer.step(OfferEvent.RECEIVED_ACK) is OfferMeaning.ANSWER:
        ok = leg.respond(given.tx, 200, "OK")
        return ok, events.ProgressAcknowledged(message, body)
    if body and leg.offer_answer.step(OfferEvent.RECEIVED_INVITE_SDP) is OfferMeaning.OFFER:
        leg.updates[given.tx] = leg.offer_answer
        return (events.UpdateReceived(given.tx, message, body),)
    return (leg.respond(given.tx, 200, "OK"),)


def send_504(leg: InviteLeg, _given: Given) -> Outputs:
    """End an INVITE whose reliable response was not acknowledged (RFC 3262 §3)."""
    leg.offer_answer.step(OfferEvent.INVITE_FAILED)
    return (leg.respond(leg.tx, 504, "Server Time-out"),)


def tell_prack_timed_out(_leg: InviteLeg, _given: Given) -> Outputs:
    """Tell why."""
    return (events.ProgressTimedOut(),)


def message_of(given: Given) -> Message:
    """Return the message an event came with."""
    assert given.message is not None, "this event comes with a message"
    return given.message


def respond_to_invite(leg: InviteLeg, given: Given) -> Outputs:
    """Send what a command says as response to the INVITE."""
    return (
        leg.respond(
            leg.tx,
            given.status,
            given.reason,
            headers=given.headers,
            body=given.body,
            content_type=given.content_type,
            is_target_refresh=True,
        ),
    )


def send_481(leg: InviteLeg, given: Given) -> Outputs:
    """Refuse a request that belongs to nothing."""
    return (leg.respond(given.tx, 481, "Call/Transaction Does Not Exist"),)
