"""The table of an INVITE session: which event leads where, and what is done on the way.

Both roles share it: a call is set up on the left of CONFIRMED or of ACCEPTED and ends the same way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from trivox.sip.table import Go, Ignored, Table


class InviteState(StrEnum):
    """Where a session stands."""

    IDLE = "idle"
    """Ours, INVITE not sent."""
    CALLING = "calling"
    """INVITE sent, nothing heard."""
    PROCEEDING = "proceeding"
    """A provisional response came."""
    CANCEL_WAITING = "cancel_waiting"
    """We gave up before the first provisional response: the CANCEL waits for it."""
    CANCELLING = "cancelling"
    """CANCEL sent, no final response yet."""
    ANSWERED = "answered"
    """2xx with an offer came: the ACK waits for our answer."""
    INCOMING = "incoming"
    """Theirs, no final response sent."""
    ACCEPTED = "accepted"
    """2xx sent, no ACK yet."""
    BYE_WAITING = "bye_waiting"
    """2xx sent and we gave up: the BYE waits for the ACK or 64·T1."""
    CONFIRMED = "confirmed"
    """2xx acknowledged, either way."""
    ENDING = "ending"
    """BYE sent."""
    TERMINATED = "terminated"
    """Over."""


class InviteEvent(StrEnum):
    """What can happen to a session: commands of its owner, then inputs from the far end."""

    INVITE = "invite"
    ACKNOWLEDGE = "acknowledge"
    PROVISIONAL = "provisional"
    ACCEPT = "accept"
    REJECT = "reject"
    END = "end"
    RECEIVED_1XX = "received_1xx"
    RECEIVED_2XX = "received_2xx"
    """The first 2xx, and the exchange is complete with it."""
    RECEIVED_OFFER = "received_offer"
    """The first 2xx, with the far end's offer: our INVITE had none."""
    RECEIVED_OTHER_2XX = "received_other_2xx"
    """A 2xx of another branch than the one that won, or to an INVITE that was given up."""
    RECEIVED_CHALLENGE = "received_challenge"
    """401 or 407 we can answer."""
    RECEIVED_FAILURE = "received_failure"
    INVITE_TIMED_OUT = "invite_timed_out"
    INVITE_TRANSPORT_ERROR = "invite_transport_error"
    RECEIVED_ACK = "received_ack"
    ACK_TIMED_OUT = "ack_timed_out"
    RECEIVED_CANCEL = "received_cancel"
    RECEIVED_BYE = "received_bye"
    RECEIVED_REINVITE = "received_reinvite"
    RECEIVED_PRACK = "received_prack"
    RECEIVED_UPDATE = "received_update"
    RECEIVED_REQUEST = "received_request"
    BYE_CHALLENGED = "bye_challenged"
    BYE_FINISHED = "bye_finished"
    """Final response to our BYE, Timer F, or its flow lost."""
    DIALOG_LOST = "dialog_lost"
    """481, 408 or silence to another request of ours."""
    SESSION_EXPIRED = "session_expired"
    """Nobody has refreshed the session (RFC 4028 §10)."""


class InviteAction(StrEnum):
    """What the session does in a transition; each is one method of InviteSession."""

    SEND_INVITE = "send_invite"
    RETRY_INVITE = "retry_invite"
    TELL_PROGRESS = "tell_progress"
    TAKE_2XX = "take_2xx"
    TELL_ANSWERED = "tell_answered"
    SEND_ACK = "send_ack"
    END_OTHER = "end_other"
    TELL_CROSSED = "tell_crossed"
    SEND_CANCEL = "send_cancel"
    TELL_REJECTED = "tell_rejected"
    TELL_TIMED_OUT = "tell_timed_out"
    TELL_TRANSPORT_FAILED = "tell_transport_failed"
    SEND_PROVISIONAL = "send_provisional"
    SEND_ACCEPT = "send_accept"
    SEND_REJECT = "send_reject"
    SEND_487 = "send_487"
    SEND_481 = "send_481"
    SEND_491 = "send_491"
    TELL_ACKNOWLEDGED = "tell_acknowledged"
    TELL_ACK_TIMED_OUT = "tell_ack_timed_out"
    TELL_REMOTE_CANCELLED = "tell_remote_cancelled"
    ANSWER_BYE = "answer_bye"
    TELL_REMOTE_ENDED = "tell_remote_ended"
    TAKE_REINVITE = "take_reinvite"
    TAKE_PRACK = "take_prack"
    SEND_504 = "send_504"
    TELL_PRACK_TIMED_OUT = "tell_prack_timed_out"
    TAKE_UPDATE = "take_update"
    TELL_REQUEST = "tell_request"
    TELL_EXPIRED = "tell_expired"
    SEND_BYE = "send_bye"
    RETRY_BYE = "retry_bye"
    TELL_DIALOG_LOST = "tell_dialog_lost"
    TELL_LOCAL_ENDED = "tell_local_ended"
    FORGET = "forget"


S, E, A = InviteState, InviteEvent, InviteAction
Row = dict[InviteEvent, Go[InviteState, InviteAction]]


def _in_dialog(state: InviteState) -> Row:
    """Return the entries every state with a live dialog shares."""
    return {
        E.RECEIVED_PRACK: Go(state, (A.TAKE_PRACK,)),
        E.RECEIVED_UPDATE: Go(state, (A.TAKE_UPDATE,)),
        E.RECEIVED_REQUEST: Go(state, (A.TELL_REQUEST,)),
        E.RECEIVED_BYE: Go(S.TERMINATED, (A.ANSWER_BYE, A.TELL_REMOTE_ENDED, A.FORGET)),
    }


# A UAC must not hear BYE before its INVITE is answered (RFC 3261 §15): there is no such dialog yet.
def _unanswered(state: InviteState) -> Row:
    return {
        E.RECEIVED_BYE: Go(state, (A.SEND_481,)),
        E.RECEIVED_REINVITE: Go(state, (A.TAKE_REINVITE,)),
        E.RECEIVED_PRACK: Go(state, (A.TAKE_PRACK,)),
        E.RECEIVED_UPDATE: Go(state, (A.TAKE_UPDATE,)),
        E.RECEIVED_REQUEST: Go(state, (A.TELL_REQUEST,)),
        E.INVITE_TIMED_OUT: Go(S.TERMINATED, (A.TELL_TIMED_OUT, A.FORGET)),
        E.INVITE_TRANSPORT_ERROR: Go(S.TERMINATED, (A.TELL_TRANSPORT_FAILED, A.FORGET)),
        E.RECEIVED_2XX: Go(S.CONFIRMED, (A.TAKE_2XX, A.SEND_ACK, A.TELL_ANSWERED)),
        E.RECEIVED_OFFER: Go(S.ANSWERED, (A.TAKE_2XX, A.TELL_ANSWERED)),
        # Of a server that was given up for the next one (RFC 3263 §4.3).
        E.RECEIVED_OTHER_2XX: Go(state, (A.END_OTHER,)),
        E.RECEIVED_FAILURE: Go(S.TERMINATED, (A.TELL_REJECTED, A.FORGET)),
        E.RECEIVED_CHALLENGE: Go(S.CALLING, (A.RETRY_INVITE,)),
    }


# The CANCEL lost the race, or is to come: whatever ends the INVITE ends the call (RFC 3261 §9.1).
def _giving_up(state: InviteState) -> Row:
    over = Go(S.TERMINATED, (A.TELL_LOCAL_ENDED, A.FORGET))
    crossed = Go(S.ENDING, (A.TAKE_2XX, A.SEND_ACK, A.TELL_CROSSED, A.SEND_BYE))
    return {
        E.RECEIVED_BYE: Go(state, (A.SEND_481,)),
        E.RECEIVED_REINVITE: Go(state, (A.SEND_491,)),
        E.RECEIVED_PRACK: Go(state, (A.SEND_481,)),
        E.RECEIVED_UPDATE: Go(state, (A.SEND_481,)),
        E.RECEIVED_REQUEST: Go(state, (A.SEND_481,)),
        E.INVITE_TIMED_OUT: over,
        E.INVITE_TRANSPORT_ERROR: over,
        E.RECEIVED_2XX: crossed,
        E.RECEIVED_OFFER: crossed,
        E.RECEIVED_OTHER_2XX: Go(state, (A.END_OTHER,)),
        E.RECEIVED_FAILURE: over,
    }


# RFC 3261 §13, §14, §15; 2xx and ACK as amended by RFC 6026.
INVITE_TABLE: Final[Table[InviteState, InviteEvent, InviteAction]] = {
    S.IDLE: {
        E.INVITE: Go(S.CALLING, (A.SEND_INVITE,)),
        E.END: Go(S.TERMINATED, (A.TELL_LOCAL_ENDED,)),
    },
    S.CALLING: _unanswered(S.CALLING)
    | {
        E.RECEIVED_1XX: Go(S.PROCEEDING, (A.TELL_PROGRESS,)),
        E.END: Go(S.CANCEL_WAITING),
    },
    S.PROCEEDING: _unanswered(S.PROCEEDING)
    | {
        E.RECEIVED_1XX: Go(S.PROCEEDING, (A.TELL_PROGRESS,)),
        E.END: Go(S.CANCELLING, (A.SEND_CANCEL,)),
    },
    S.CANCEL_WAITING: _giving_up(S.CANCEL_WAITING)
    | {E.RECEIVED_1XX: Go(S.CANCELLING, (A.SEND_CANCEL,))},
    S.CANCELLING: _giving_up(S.CANCELLING),
    S.ANSWERED: _in_dialog(S.ANSWERED)
    | {
        E.ACKNOWLEDGE: Go(S.CONFIRMED, (A.SEND_ACK,)),
        E.END: Go(S.ENDING, (A.SEND_ACK, A.SEND_BYE)),
        E.RECEIVED_BYE: Go(S.TERMINATED, (A.SEND_ACK, A.ANSWER_BYE, A.TELL_REMOTE_ENDED, A.FORGET)),
        E.RECEIVED_OTHER_2XX: Go(S.ANSWERED, (A.END_OTHER,)),
        E.RECEIVED_REINVITE: Go(S.ANSWERED, (A.TAKE_REINVITE,)),
        E.DIALOG_LOST: Go(S.ENDING, (A.SEND_ACK, A.TELL_DIALOG_LOST, A.SEND_BYE)),
    },
    S.INCOMING: _in_dialog(S.INCOMING)
    | {
        E.PROVISIONAL: Go(S.INCOMING, (A.SEND_PROVISIONAL,)),
        E.ACCEPT: Go(S.ACCEPTED, (A.SEND_ACCEPT,)),
        E.REJECT: Go(S.TERMINATED, (A.SEND_REJECT, A.TELL_LOCAL_ENDED, A.FORGET)),
        E.END: Go(S.TERMINATED, (A.SEND_REJECT, A.TELL_LOCAL_ENDED, A.FORGET)),
        E.RECEIVED_CANCEL: Go(S.TERMINATED, (A.SEND_487, A.TELL_REMOTE_CANCELLED, A.FORGET)),
        # No PRACK for a response sent reliably: a 5xx ends it (RFC 3262 §3).
        E.ACK_TIMED_OUT: Go(S.TERMINATED, (A.SEND_504, A.TELL_PRACK_TIMED_OUT, A.FORGET)),
        # The caller may end an early dialog by BYE; its INVITE still needs an answer (§15.1.2).
        E.RECEIVED_BYE: Go(S.TERMINATED, (A.ANSWER_BYE, A.SEND_487, A.TELL_REMOTE_ENDED, A.FORGET)),
        E.RECEIVED_REINVITE: Go(S.INCOMING, (A.TAKE_REINVITE,)),
        E.DIALOG_LOST: Go(
            S.TERMINATED, (A.SEND_487, A.TELL_DIALOG_LOST, A.TELL_LOCAL_ENDED, A.FORGET)
        ),
    },
    S.ACCEPTED: _in_dialog(S.ACCEPTED)
    | {
        E.RECEIVED_ACK: Go(S.CONFIRMED, (A.TELL_ACKNOWLEDGED,)),
        E.ACK_TIMED_OUT: Go(S.ENDING, (A.TELL_ACK_TIMED_OUT, A.SEND_BYE)),
        E.END: Go(S.BYE_WAITING),
        # Our 2xx may hold an offer, and its ACK may only be late (RFC 5407 §3.1.5).
        E.RECEIVED_REINVITE: Go(S.ACCEPTED, (A.SEND_491,)),
        E.DIALOG_LOST: Go(S.BYE_WAITING, (A.TELL_DIALOG_LOST,)),
    },
    S.BYE_WAITING: {
        E.RECEIVED_ACK: Go(S.ENDING, (A.SEND_BYE,)),
        E.ACK_TIMED_OUT: Go(S.ENDING, (A.SEND_BYE,)),
        E.RECEIVED_BYE: Go(S.TERMINATED, (A.ANSWER_BYE, A.TELL_REMOTE_ENDED, A.FORGET)),
        E.RECEIVED_PRACK: Go(S.BYE_WAITING, (A.TAKE_PRACK,)),
        E.RECEIVED_UPDATE: Go(S.BYE_WAITING, (A.SEND_481,)),
        E.RECEIVED_REQUEST: Go(S.BYE_WAITING, (A.SEND_481,)),
        E.RECEIVED_REINVITE: Go(S.BYE_WAITING, (A.SEND_491,)),
    },
    S.CONFIRMED: _in_dialog(S.CONFIRMED)
    | {
        E.END: Go(S.ENDING, (A.SEND_BYE,)),
        E.RECEIVED_REINVITE: Go(S.CONFIRMED, (A.TAKE_REINVITE,)),
        E.RECEIVED_OTHER_2XX: Go(S.CONFIRMED, (A.END_OTHER,)),
        E.DIALOG_LOST: Go(S.ENDING, (A.TELL_DIALOG_LOST, A.SEND_BYE)),
        E.ACK_TIMED_OUT: Go(S.ENDING, (A.TELL_ACK_TIMED_OUT, A.SEND_BYE)),
        E.SESSION_EXPIRED: Go(S.ENDING, (A.TELL_EXPIRED, A.SEND_BYE)),
    },
    S.ENDING: {
        E.RECEIVED_BYE: Go(S.ENDING, (A.ANSWER_BYE,)),
        E.RECEIVED_PRACK: Go(S.ENDING, (A.SEND_481,)),
        E.RECEIVED_UPDATE: Go(S.ENDING, (A.SEND_481,)),
        E.RECEIVED_REQUEST: Go(S.ENDING, (A.SEND_481,)),
        E.RECEIVED_REINVITE: Go(S.ENDING, (A.SEND_481,)),
        E.BYE_CHALLENGED: Go(S.ENDING, (A.RETRY_BYE,)),
        E.BYE_FINISHED: Go(S.TERMINATED, (A.TELL_LOCAL_ENDED, A.FORGET)),
        E.RECEIVED_OTHER_2XX: Go(S.ENDING, (A.END_OTHER,)),
    },
    S.TERMINATED: {
        E.RECEIVED_BYE: Go(S.TERMINATED, (A.ANSWER_BYE,)),
        E.RECEIVED_PRACK: Go(S.TERMINATED, (A.SEND_481,)),
        E.RECEIVED_UPDATE: Go(S.TERMINATED, (A.SEND_481,)),
        E.RECEIVED_REQUEST: Go(S.TERMINATED, (A.SEND_481,)),
        E.RECEIVED_REINVITE: Go(S.TERMINATED, (A.SEND_481,)),
        E.RECEIVED_2XX: Go(S.TERMINATED, (A.END_OTHER, A.TELL_CROSSED)),
        E.RECEIVED_OFFER: Go(S.TERMINATED, (A.END_OTHER, A.TELL_CROSSED)),
        E.RECEIVED_OTHER_2XX: Go(S.TERMINATED, (A.END_OTHER,)),
    },
}

_ALL: Final = frozenset(InviteState)
_SENT: Final = frozenset({S.CALLING, S.PROCEEDING, S.CANCEL_WAITING, S.CANCELLING})
_HEARD: Final = frozenset({S.CALLING, S.PROCEEDING, S.CANCEL_WAITING})
_FIRST_2XX: Final = _SENT | {S.TERMINATED}
_OTHER_2XX: Final = _SENT | frozenset({S.ANSWERED, S.CONFIRMED, S.ENDING, S.TERMINATED})
_ENDED: Final = frozenset({S.CANCEL_WAITING, S.CANCELLING, S.BYE_WAITING, S.ENDING, S.TERMINATED})
_LOSABLE: Final = frozenset({S.ANSWERED, S.INCOMING, S.ACCEPTED, S.CONFIRMED})

# Why a pair that stands in no row has no effect. The totality test wants each pair here or there.
INVITE_IGNORED: Final[Ignored[InviteEvent, InviteState]] = {
    "RFC 3261 §15: a session ends once; what ended it stands": {
        E.END: _ENDED,
        E.DIALOG_LOST: _ALL - _LOSABLE,
    },
    "RFC 3261 §13: a command of the other role, or after the answer it would have changed": {
        E.INVITE: _ALL - {S.IDLE},
        E.ACKNOWLEDGE: _ALL - {S.ANSWERED},
        E.PROVISIONAL: _ALL - {S.INCOMING},
        E.ACCEPT: _ALL - {S.INCOMING},
        E.REJECT: _ALL - {S.INCOMING},
    },
    "RFC 3261 §17.1.1.2: no provisional response counts after a final one, nor twice for a CANCEL": {
        E.RECEIVED_1XX: _ALL - _HEARD,
    },
    "RFC 3261 §17.1.1: only an INVITE that is out can be answered, time out or lose its flow": {
        E.RECEIVED_2XX: _ALL - _FIRST_2XX,
        E.RECEIVED_OFFER: _ALL - _FIRST_2XX,
        E.RECEIVED_OTHER_2XX: _ALL - _OTHER_2XX,
        E.RECEIVED_CHALLENGE: _ALL - {S.CALLING, S.PROCEEDING},
        E.RECEIVED_FAILURE: _ALL - _SENT,
        E.INVITE_TIMED_OUT: _ALL - _SENT,
        E.INVITE_TRANSPORT_ERROR: _ALL - _SENT,
    },
    "RFC 3261 §13.3.1.4: an ACK counts while our 2xx waits for it": {
        E.RECEIVED_ACK: _ALL - {S.ACCEPTED, S.BYE_WAITING},
        E.ACK_TIMED_OUT: _ALL - {S.INCOMING, S.ACCEPTED, S.BYE_WAITING, S.CONFIRMED},
    },
    "RFC 3261 §9.2: a CANCEL has no effect once a final response was sent": {
        E.RECEIVED_CANCEL: _ALL - {S.INCOMING},
    },
    "RFC 3261 §12.2.2: there is no dialog yet in which a request could come": {
        E.RECEIVED_BYE: frozenset({S.IDLE}),
        E.RECEIVED_REINVITE: frozenset({S.IDLE}),
        E.RECEIVED_PRACK: frozenset({S.IDLE}),
        E.RECEIVED_UPDATE: frozenset({S.IDLE}),
        E.RECEIVED_REQUEST: frozenset({S.IDLE}),
    },
    "RFC 4028 §10: the interval counts while the session is confirmed": {
        E.SESSION_EXPIRED: _ALL - {S.CONFIRMED},
    },
    "RFC 3261 §15.1.1: only our own BYE, while it is out, can be answered": {
        E.BYE_CHALLENGED: _ALL - {S.ENDING},
        E.BYE_FINISHED: _ALL - {S.ENDING},
    },
}
