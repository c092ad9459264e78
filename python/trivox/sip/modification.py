"""Changing a session that runs: our re-INVITE, and whose turn it is (RFC 3261 §14)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from trivox.errors import CallWrongStateError
from trivox.sip import events
from trivox.sip.bodies import description_of, is_description
from trivox.sip.events import SessionOutput
from trivox.sip.invite_leg import Purpose
from trivox.sip.invite_table import InviteState
from trivox.sip.offer_answer import OfferEvent, OfferMeaning, OfferState
from trivox.sip.outputs import SendCancel
from trivox.sip.table import Go, Ignored, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message
    from trivox.sip.invite_leg import ClientRequest, Given, InviteLeg

Outputs = tuple[SessionOutput, ...]

_MOST_BACK_OFFS: Final = 8
"""Glare again and again is no accident: the next one counts as a refusal."""
_LONGEST_RETRY_AFTER: Final = 32
"""Seconds; who asks for more refuses."""
_DIGITS: Final = re.compile(r"\s*([0-9]{1,9})")
LONGEST_WAIT: Final = 32.0
"""Seconds a re-INVITE may stay provisional: no other timer ends it (RFC 3261 §17.1.1.2)."""


class ModificationState(StrEnum):
    """Where our wish to change the session stands."""

    IDLE = "idle"
    DEFERRED = "deferred"
    """Wanted, but something else is in progress: it is told when that is over."""
    BACKING_OFF = "backing_off"
    """Wanted, but theirs crossed it: it is told when the time has passed."""
    SENT = "sent"
    CANCELLING = "cancelling"
    """Sent and taken back, as only provisional responses came: its final response is awaited."""
    OFFERED = "offered"
    """2xx with an offer came: the ACK waits for our answer."""
    ABANDONED = "abandoned"
    """Sent, and the session was ended: a 2xx is still acknowledged."""


class ModificationEvent(StrEnum):
    """What can happen to it."""

    MODIFY = "modify"
    MODIFY_TOO_SOON = "modify_too_soon"
    """Wanted while the way is not free."""
    ACKNOWLEDGE = "acknowledge"
    CLEAR = "clear"
    """The way is free again."""
    BACKED_OFF = "backed_off"
    """The time of a back-off has passed."""
    WAITED_TOO_LONG = "waited_too_long"
    """A provisional response came long ago, and nothing since."""
    RECEIVED_ANSWER = "received_answer"
    RECEIVED_OFFER = "received_offer"
    RECEIVED_GLARE = "received_glare"
    """491, 500 with Retry-After, or 422 whose interval we can give."""
    RECEIVED_FAILURE = "received_failure"
    """Another final response, silence, or a flow that is gone."""
    END = "end"
    """The session is being ended."""


class ModificationAction(StrEnum):
    """What is done on the way."""

    SEND = "send"
    SEND_ACK = "send_ack"
    SEND_CANCEL = "send_cancel"
    TELL_ANSWERED = "tell_answered"
    TELL_REFUSED = "tell_refused"
    TELL_DEFERRED = "tell_deferred"
    TELL_DUE = "tell_due"
    BACK_OFF = "back_off"


S, E, A = ModificationState, ModificationEvent, ModificationAction

# RFC 3261 §14.1; taken back as §9.1 has it: a 2xx that crosses the CANCEL counts.
MODIFICATION_TABLE: Final[Table[ModificationState, ModificationEvent, ModificationAction]] = {
    S.IDLE: {
        E.MODIFY: Go(S.SENT, (A.SEND,)),
        E.MODIFY_TOO_SOON: Go(S.DEFERRED, (A.TELL_DEFERRED,)),
    },
    S.DEFERRED: {
        E.MODIFY: Go(S.SENT, (A.SEND,)),
        E.MODIFY_TOO_SOON: Go(S.DEFERRED, (A.TELL_DEFERRED,)),
        E.CLEAR: Go(S.IDLE, (A.TELL_DUE,)),
        E.END: Go(S.IDLE),
    },
    S.BACKING_OFF: {
        E.MODIFY: Go(S.BACKING_OFF, (A.TELL_DEFERRED,)),
        E.MODIFY_TOO_SOON: Go(S.BACKING_OFF, (A.TELL_DEFERRED,)),
        E.BACKED_OFF: Go(S.DEFERRED),
        E.END: Go(S.IDLE),
    },
    S.SENT: {
        E.RECEIVED_ANSWER: Go(S.IDLE, (A.SEND_ACK, A.TELL_ANSWERED)),
        E.RECEIVED_OFFER: Go(S.OFFERED, (A.TELL_ANSWERED,)),
        E.RECEIVED_GLARE: Go(S.BACKING_OFF, (A.BACK_OFF, A.TELL_DEFERRED)),
        E.RECEIVED_FAILURE: Go(S.IDLE, (A.TELL_REFUSED,)),
        E.WAITED_TOO_LONG: Go(S.CANCELLING, (A.SEND_CANCEL,)),
        E.END: Go(S.ABANDONED),
    },
    S.CANCELLING: {
        E.RECEIVED_ANSWER: Go(S.IDLE, (A.SEND_ACK, A.TELL_ANSWERED)),
        E.RECEIVED_OFFER: Go(S.OFFERED, (A.TELL_ANSWERED,)),
        E.RECEIVED_GLARE: Go(S.IDLE, (A.TELL_REFUSED,)),
        E.RECEIVED_FAILURE: Go(S.IDLE, (A.TELL_REFUSED,)),
        E.END: Go(S.ABANDONED),
    },
    S.OFFERED: {
        E.ACKNOWLEDGE: Go(S.IDLE, (A.SEND_ACK,)),
        E.END: Go(S.IDLE, (A.SEND_ACK,)),
    },
    S.ABANDONED: {
        E.RECEIVED_ANSWER: Go(S.IDLE, (A.SEND_ACK,)),
        E.RECEIVED_OFFER: Go(S.IDLE, (A.SEND_ACK,)),
        E.RECEIVED_GLARE: Go(S.IDLE),
        E.RECEIVED_FAILURE: Go(S.IDLE),
    },
}

_ALL: Final = frozenset(ModificationState)
_OUT: Final = frozenset({S.SENT, S.CANCELLING, S.ABANDONED})

MODIFICATION_IGNORED: Final[Ignored[ModificationEvent, ModificationState]] = {
    "RFC 3261 §14.1: one INVITE at a time, and none in a session that ends": {
        E.MODIFY: _OUT | {S.OFFERED},
        E.MODIFY_TOO_SOON: _OUT | {S.OFFERED},
    },
    "RFC 3261 §17.1: only what is out can be answered": {
        E.RECEIVED_ANSWER: _ALL - _OUT,
        E.RECEIVED_OFFER: _ALL - _OUT,
        E.RECEIVED_GLARE: _ALL - _OUT,
        E.RECEIVED_FAILURE: _ALL - _OUT,
    },
    "RFC 3261 §13.2.2.4: the ACK waits for our answer only after a 2xx with an offer": {
        E.ACKNOWLEDGE: _ALL - {S.OFFERED},
    },
    "RFC 3261 §14.1: only what waits can become due": {
        E.CLEAR: _ALL - {S.DEFERRED},
        E.BACKED_OFF: _ALL - {S.BACKING_OFF},
    },
    "RFC 3261 §9.1: a CANCEL is for what is out, once": {
        E.WAITED_TOO_LONG: _ALL - {S.SENT},
    },
    "RFC 3261 §15: nothing is out": {
        E.END: frozenset({S.IDLE, S.ABANDONED}),
    },
}


@final
class Modification:
    """Our changes to one session, one at a time. A part of `InviteSession`, which drains it."""

    __slots__ = (
        "_back_offs",
        "_before",
        "_has_offer",
        "_method",
        "_request",
        "_tag",
        "deadline",
        "has_given_up",
        "state",
    )

    def __init__(self) -> None:
        self.state = ModificationState.IDLE
        self.deadline: float | None = None
        """When the back-off has passed, or its wait; in seconds on the session's clock."""
        self.has_given_up = False  # whether the last request was answered by silence
        self._request: ClientRequest | None = None
        self._back_offs = 0
        self._method = "INVITE"
        self._has_offer = True
        self._tag = ""
        self._before = ""
        """As whom we spoke before a change that names another (RFC 4916)."""

    @property
    def is_out(self) -> bool:
        """Whether a request of ours is not answered, or its ACK not sent."""
        return self.state in _OUT or self.state is S.OFFERED

    def modify(self, leg: InviteLeg, given: Given) -> Outputs:
        """Send it, or say that it has to wait."""
        self._method, self._tag = given.method, given.tag
        self._has_offer = is_description(given.body, given.content_type)
        return self._step(leg, E.MODIFY if self._is_way_free(leg) else E.MODIFY_TOO_SOON, given)

    def _is_way_free(self, leg: InviteLeg) -> bool:
        """Whether nothing is in progress either way that forbids it (RFC 3261 §14.1, RFC 3311 §5.1)."""
        is_stable = leg.exchange_of(self._tag).state is OfferState.STABLE
        if self._method == "UPDATE":
            is_stable = is_stable or not self._has_offer
            return is_stable and not leg.reinvites and not leg.updates
        return is_stable and not leg.reinvites and leg.state is InviteState.CONFIRMED

    def acknowledge(self, leg: InviteLeg, given: Given) -> Outputs:
        """Send the ACK with our answer."""
        return self._step(leg, E.ACKNOWLEDGE, given)

    def end(self, leg: InviteLeg, given: Given) -> Outputs:
        """Do what the end of the session asks for."""
        self.deadline = None
        given.body = b""
        return self._step(leg, E.END, given)

    def handle_timeout(self, leg: InviteLeg, given: Given, now: float) -> Outputs:
        """Go on when the back-off has passed."""
        if self.deadline is None or now < self.deadline:
            return ()
        self.deadline = None
        due = E.WAITED_TOO_LONG if self.state is S.SENT else E.BACKED_OFF
        return self._step(leg, due, given)

    def take_provisional(self, leg: InviteLeg) -> None:
        """Note that the far end thinks about our re-INVITE: it may for `LONGEST_WAIT`."""
        if self.state is S.SENT and self._method == "INVITE" and self.deadline is None:
            self.deadline = leg.now + LONGEST_WAIT

    def go_on(self, leg: InviteLeg, given: Given) -> Outputs:
        """Say that it is due if it waits and the way is free; after every input."""
        if self.state is not S.DEFERRED or not self._is_way_free(leg):
            return ()
        return self._step(leg, E.CLEAR, given)

    def take_final(self, leg: InviteLeg, given: Given) -> Outputs:
        """Take the final response to our request, or that none came."""
        self._request = given.request
        self.deadline = None
        message = given.message
        self.has_given_up = message is None
        if given.status // 100 != 2 or message is None:
            leg.exchange_of(self._tag).step(OfferEvent.INVITE_FAILED)
            if self._before and given.request is not None and given.request.dialog is not None:
                given.request.dialog.speak_as(self._before)
            return self._step(leg, self._refusal(leg, given), given)
        assert self._request is not None, "a response is to a request"
        assert self._request.dialog is not None, "a change is made in a dialog"
        self._request.dialog.refresh(message)
        leg.timer.learn(message, leg.now)
        leg.learn(message)
        given.meaning = leg.exchange_of(self._tag).step(
            OfferEvent.RECEIVED_2XX_SDP if description_of(message) else OfferEvent.RECEIVED_2XX
        )
        is_offer = given.meaning is OfferMeaning.OFFER
        return self._step(leg, E.RECEIVED_OFFER if is_offer else E.RECEIVED_ANSWER, given)

    def _refusal(self, leg: InviteLeg, given: Given) -> ModificationEvent:
        """Return what a final response of 300 or more is: to be tried again, or not."""
        message = given.message
        if given.status == 422 and message is not None and leg.timer.can_raise(message):
            return E.RECEIVED_GLARE
        is_glare = given.status == 491 or retry_after_untrusted(given) is not None
        if is_glare and self._back_offs < _MOST_BACK_OFFS:
            return E.RECEIVED_GLARE
        return E.RECEIVED_FAILURE

    def _step(self, leg: InviteLeg, event: ModificationEvent, given: Given) -> Outputs:
        """Go where the table says; a pair it does not hold is in MODIFICATION_IGNORED."""
        go = MODIFICATION_TABLE[self.state].get(event)
        if go is None:
            return ()
        self.state = go.state
        outputs: Outputs = ()
        for action in go.actions:
            outputs += MODIFICATION_ACTIONS[action](self, leg, given)
        return outputs

    # The actions of the table.

    def send(self, leg: InviteLeg, given: Given) -> Outputs:
        """Send the request."""
        if is_description(given.body, given.content_type):
            leg.exchange_of(self._tag).step(OfferEvent.SENT_INVITE_SDP)
        elif given.method == "INVITE":
            leg.offer_answer.step(OfferEvent.SENT_INVITE)
        dialog = leg.dialog or leg.early[given.tag]
        self._before = dialog.local_party if given.party else ""
        if given.party:
            dialog.speak_as(given.party)
        return (leg.modify(given),)

    def send_cancel(self, leg: InviteLeg, _given: Given) -> Outputs:
        """Take the request back; its final response follows."""
        tx = next(tx for tx, one in leg.pending.items() if one.purpose is Purpose.MODIFICATION)
        return (SendCancel(tx, ()),)

    def send_ack(self, leg: InviteLeg, given: Given) -> Outputs:
        """Acknowledge the 2xx; with the credentials of the INVITE (RFC 3261 §22.1)."""
        request = self._request
        assert request is not None, "a 2xx came to it"
        if request.method != "INVITE":
            return ()
        if is_description(given.body, given.content_type):
            leg.offer_answer.step(OfferEvent.SENT_ACK)
        return (leg.acknowledge_modification(request, given),)

    def tell_answered(self, _leg: InviteLeg, given: Given) -> Outputs:
        """Tell of the 2xx."""
        self._back_offs = 0
        message = _message(given)
        is_offer = given.meaning is OfferMeaning.OFFER
        return (events.ModificationAnswered(message, description_of(message), is_offer),)

    def tell_refused(self, leg: InviteLeg, given: Given) -> Outputs:
        """Tell that the session stays as it was."""
        self._back_offs = 0
        leg.timer.note_refused(leg.now)
        reason = given.message.reason if given.message is not None else ""
        return (events.ModificationRefused(given.status or 503, reason, given.message),)

    def tell_deferred(self, _leg: InviteLeg, given: Given) -> Outputs:
        """Tell that it did not go out, or has to go out again."""
        return (events.ModificationDeferred(given.status),)

    def tell_due(self, _leg: InviteLeg, _given: Given) -> Outputs:
        """Tell that its time has come."""
        return (events.ModificationDue(),)

    def back_off(self, leg: InviteLeg, given: Given) -> Outputs:
        """Choose when to try again (RFC 3261 §14.1, §14.2)."""
        self._back_offs += 1
        delay: float | None = retry_after_untrusted(given)
        if given.status == 422:
            delay = 0.0  # it may go out again at once, with their Min-SE (RFC 4028 §7.3)
        if delay is None:
            assert self._request is not None, "it was answered"
            delay = leg.glare_delay(self._request.cseq)
        self.deadline = leg.now + delay
        return ()


_MODIFIABLE: Final = frozenset({InviteState.ANSWERED, InviteState.ACCEPTED, InviteState.CONFIRMED})


def begin_change(leg: InviteLeg, given: Given) -> Outputs:
    """Begin a change of the session; see `InviteSession.modify`."""
    _refuse_change(leg, given.method, given.tag)
    if leg.modification is None:
        leg.modification = Modification()
    return leg.modification.modify(leg, given)


def _refuse_change(leg: InviteLeg, method: str, to_tag: str) -> None:
    """Raise CallWrongStateError unless the session can be changed that way, now or soon."""
    is_out = leg.modification is not None and leg.modification.is_out
    is_callee = leg.state is InviteState.INCOMING
    is_caller = leg.state is InviteState.PROCEEDING and to_tag in leg.exchanges
    is_early = method == "UPDATE" and (is_callee or is_caller)
    if is_out or not (is_early or leg.state in _MODIFIABLE):
        raise CallWrongStateError(
            "a session is changed once it is agreed, one change at a time",
            state=leg.state,
            allowed=(InviteState.CONFIRMED,),
        )


def retry_after_untrusted(given: Given) -> int | None:
    """Return the seconds of a 500 that says when to come back; None if it is to be final."""
    value = given.message.header("Retry-After") if given.message is not None else None
    found = _DIGITS.match(value) if value is not None and given.status == 500 else None
    if found is None or int(found[1]) > _LONGEST_RETRY_AFTER:
        return None
    return int(found[1])


def _message(given: Given) -> Message:
    assert given.message is not None, "a 2xx is a message"
    return given.message


MODIFICATION_ACTIONS: Final[
    dict[ModificationAction, Callable[[Modification, InviteLeg, Given], Outputs]]
] = {
    A.SEND: Modification.send,
    A.SEND_ACK: Modification.send_ack,
    A.SEND_CANCEL: Modification.send_cancel,
    A.TELL_ANSWERED: Modification.tell_answered,
    A.TELL_REFUSED: Modification.tell_refused,
    A.TELL_DEFERRED: Modification.tell_deferred,
    A.TELL_DUE: Modification.tell_due,
    A.BACK_OFF: Modification.back_off,
}
