"""The life of a call as one table.

`Phase` is what the machine steps through; `CallState` is what programs see. Several phases share a
state, because the same state may still owe the far end different messages (a CANCEL, a BYE, a rejection).
Losing the media path for a while is an overlay on the phase, not a phase: what ends a call while it
reconnects is what would have ended it before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class CallState(StrEnum):
    """Where a call is in its life. DISCONNECTED and FAILED are final."""

    CREATED = "created"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """True when nothing can happen to the call any more."""
        return self in _FINAL


_FINAL: Final = frozenset({CallState.DISCONNECTED, CallState.FAILED})


class CallDirection(StrEnum):
    """Who placed the call."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class Phase(StrEnum):
    """The machine's states: finer than CallState."""

    OUT_CREATED = "out_created"
    OUT_STARTING = "out_starting"
    OUT_INVITING = "out_inviting"
    IN_CREATED = "in_created"
    IN_ANSWERING = "in_answering"
    IN_ANSWERED = "in_answered"
    ESTABLISHING = "establishing"
    CONNECTED = "connected"
    ENDING = "ending"
    FAILING = "failing"
    DISCONNECTED = "disconnected"
    FAILED = "failed"


class Trigger(StrEnum):
    """What can happen to a call."""

    START = "start"
    SENT = "sent"
    SETUP_FAILED = "setup_failed"
    PROGRESS = "progress"
    ANSWERED = "answered"
    REFUSED = "refused"
    RING_TIMEOUT = "ring_timeout"
    ANSWER = "answer"
    ACCEPTED = "accepted"
    ACKNOWLEDGED = "acknowledged"
    ACK_TIMEOUT = "ack_timeout"
    CANCELLED = "cancelled"
    UNTAKEN = "untaken"
    MEDIA_UP = "media_up"
    MEDIA_FAILED = "media_failed"
    MEDIA_TIMEOUT = "media_timeout"
    HANGUP = "hangup"
    REMOTE_BYE = "remote_bye"
    LOST = "lost"
    EXPIRED = "expired"
    TRANSFERRED = "transferred"
    FINISHED = "finished"


class Action(StrEnum):
    """What a step does besides changing the phase."""

    END_SIGNALLING = "end_signalling"
    """CANCEL, BYE or a rejection, now or as soon as RFC 3261 allows."""
    RELEASE_MEDIA = "release_media"
    STOP_RINGING = "stop_ringing"
    CONNECT = "connect"
    """Start the duration and tell everybody."""
    FINISH = "finish"
    """Tell everybody that the call is over; the last thing a call does."""


@dataclass(frozen=True, slots=True)
class Go:
    """One transition: where to, and what is done on the way."""

    to: Phase
    actions: tuple[Action, ...] = ()


PHASE_STATE: Final[dict[Phase, CallState]] = {
    Phase.OUT_CREATED: CallState.CREATED,
    Phase.OUT_STARTING: CallState.CONNECTING,
    Phase.OUT_INVITING: CallState.CONNECTING,
    Phase.IN_CREATED: CallState.CREATED,
    Phase.IN_ANSWERING: CallState.CONNECTING,
    Phase.IN_ANSWERED: CallState.CONNECTING,
    Phase.ESTABLISHING: CallState.CONNECTING,
    Phase.CONNECTED: CallState.CONNECTED,
    Phase.ENDING: CallState.DISCONNECTING,
    Phase.FAILING: CallState.DISCONNECTING,
    Phase.DISCONNECTED: CallState.DISCONNECTED,
    Phase.FAILED: CallState.FAILED,
}

LEAVING: Final = frozenset({Phase.ENDING, Phase.FAILING})
"""The call is over for us, and the far end is still to be told or to answer."""

_LEAVE: Final = (Action.END_SIGNALLING, Action.STOP_RINGING, Action.RELEASE_MEDIA)
_OVER: Final = (Action.STOP_RINGING, Action.RELEASE_MEDIA, Action.FINISH)
_LEAVE_OVER: Final = (*_LEAVE, Action.FINISH)

_ENDING: Final = Go(Phase.ENDING, _LEAVE)
_FAILING: Final = Go(Phase.FAILING, _LEAVE)
_DISCONNECTED: Final = Go(Phase.DISCONNECTED, _OVER)
_FAILED: Final = Go(Phase.FAILED, _OVER)
_FAILED_LEAVING: Final = Go(Phase.FAILED, _LEAVE_OVER)

# RFC 3261 §13, §14 and §15 seen from one user agent, both roles.
TABLE: Final[dict[Phase, dict[Trigger, Go]]] = {
    Phase.OUT_CREATED: {
        Trigger.START: Go(Phase.OUT_STARTING),
        Trigger.HANGUP: _DISCONNECTED,
    },
    Phase.OUT_STARTING: {
        Trigger.SENT: Go(Phase.OUT_INVITING),
        Trigger.SETUP_FAILED: _FAILED,
        Trigger.MEDIA_FAILED: _FAILED,
        Trigger.HANGUP: _DISCONNECTED,
    },
    Phase.OUT_INVITING: {
        Trigger.PROGRESS: Go(Phase.OUT_INVITING),
        Trigger.ANSWERED: Go(Phase.ESTABLISHING, (Action.STOP_RINGING,)),
        Trigger.REFUSED: _FAILED,
        Trigger.LOST: _FAILED,
        Trigger.RING_TIMEOUT: _FAILING,
        Trigger.MEDIA_FAILED: _FAILING,
        Trigger.HANGUP: _ENDING,
        # An INVITE that replaces it was accepted (RFC 3891 §3).
        Trigger.TRANSFERRED: _ENDING,
    },
    Phase.IN_CREATED: {
        Trigger.ANSWER: Go(Phase.IN_ANSWERING),
        Trigger.HANGUP: _ENDING,
        Trigger.UNTAKEN: _ENDING,
        Trigger.CANCELLED: _DISCONNECTED,
        Trigger.REMOTE_BYE: _DISCONNECTED,
        Trigger.MEDIA_FAILED: _FAILED_LEAVING,
        Trigger.LOST: _FAILED_LEAVING,
    },
    Phase.IN_ANSWERING: {
        Trigger.ACCEPTED: Go(Phase.IN_ANSWERED),
        Trigger.HANGUP: _ENDING,
        Trigger.CANCELLED: _DISCONNECTED,
        Trigger.REMOTE_BYE: _DISCONNECTED,
        Trigger.MEDIA_FAILED: _FAILED_LEAVING,
        Trigger.LOST: _FAILED_LEAVING,
    },
    Phase.IN_ANSWERED: {
        Trigger.ACKNOWLEDGED: Go(Phase.ESTABLISHING),
        Trigger.ACK_TIMEOUT: _FAILED_LEAVING,
        Trigger.MEDIA_FAILED: _FAILED_LEAVING,
        Trigger.LOST: _FAILED_LEAVING,
        Trigger.HANGUP: _ENDING,
        Trigger.TRANSFERRED: _ENDING,
        Trigger.REMOTE_BYE: _DISCONNECTED,
    },
    Phase.ESTABLISHING: {
        Trigger.MEDIA_UP: Go(Phase.CONNECTED, (Action.CONNECT,)),
        Trigger.MEDIA_FAILED: _FAILED_LEAVING,
        Trigger.LOST: _FAILED_LEAVING,
        Trigger.HANGUP: _ENDING,
        Trigger.TRANSFERRED: _ENDING,
        Trigger.REMOTE_BYE: _DISCONNECTED,
    },
    Phase.CONNECTED: {
        Trigger.HANGUP: _ENDING,
        # Our REFER succeeded, or an INVITE that replaces this call was accepted.
        Trigger.TRANSFERRED: _ENDING,
        Trigger.LOST: _ENDING,
        Trigger.EXPIRED: _ENDING,
        Trigger.MEDIA_TIMEOUT: _ENDING,
        Trigger.MEDIA_FAILED: _ENDING,
        Trigger.REMOTE_BYE: _DISCONNECTED,
    },
    Phase.ENDING: {
        Trigger.FINISHED: Go(Phase.DISCONNECTED, (Action.FINISH,)),
        Trigger.REFUSED: Go(Phase.DISCONNECTED, (Action.FINISH,)),
        Trigger.LOST: Go(Phase.DISCONNECTED, (Action.FINISH,)),
        # The session tells it only when our own BYE is not out yet, and is over then.
        Trigger.REMOTE_BYE: Go(Phase.DISCONNECTED, (Action.FINISH,)),
    },
    Phase.FAILING: {
        Trigger.FINISHED: Go(Phase.FAILED, (Action.FINISH,)),
        Trigger.REFUSED: Go(Phase.FAILED, (Action.FINISH,)),
        Trigger.LOST: Go(Phase.FAILED, (Action.FINISH,)),
        # The session tells it only when our own BYE is not out yet, and is over then.
        Trigger.REMOTE_BYE: Go(Phase.FAILED, (Action.FINISH,)),
    },
    Phase.DISCONNECTED: {},
    Phase.FAILED: {},
}

_OUTGOING_ONLY: Final = frozenset(
    {
        Trigger.START,
        Trigger.SENT,
        Trigger.SETUP_FAILED,
        Trigger.PROGRESS,
        Trigger.ANSWERED,
        Trigger.REFUSED,
        Trigger.RING_TIMEOUT,
    }
)
"""An incoming call places no INVITE; its offer is judged when it is answered (RFC 3261 §13.3)."""

_INCOMING_ONLY: Final = frozenset(
    {
        Trigger.ANSWER,
        Trigger.ACCEPTED,
        Trigger.ACKNOWLEDGED,
        Trigger.ACK_TIMEOUT,
        Trigger.CANCELLED,
        Trigger.UNTAKEN,
    }
)
"""An outgoing call has no server INVITE transaction to answer (RFC 3261 §13.2)."""

_CONNECTED_ONLY: Final = frozenset({Trigger.EXPIRED, Trigger.MEDIA_TIMEOUT})
"""Both are reckoned from Connected on."""

_NOT_SENT: Final = frozenset({Trigger.LOST, Trigger.FINISHED, Trigger.REMOTE_BYE, Trigger.MEDIA_UP})
"""No message has left, so nobody can answer or end the dialog."""

_ENDINGS: Final = frozenset({Trigger.FINISHED, Trigger.REFUSED, Trigger.LOST, Trigger.REMOTE_BYE})

IGNORED: Final[dict[Phase, frozenset[Trigger]]] = {
    Phase.OUT_CREATED: (_OUTGOING_ONLY - {Trigger.START})
    | _INCOMING_ONLY
    | _CONNECTED_ONLY
    | _NOT_SENT
    | {Trigger.MEDIA_FAILED, Trigger.TRANSFERRED},
    # start() was called: a second one raises before it gets here.
    Phase.OUT_STARTING: (_OUTGOING_ONLY - {Trigger.SENT, Trigger.SETUP_FAILED})
    | _INCOMING_ONLY
    | _CONNECTED_ONLY
    | _NOT_SENT
    | {Trigger.TRANSFERRED},
    # A BYE before the 2xx is not for a UAC to receive (RFC 3261 §15); early media may be up.
    # FINISHED: the session of a refused call ends with the refusal.
    Phase.OUT_INVITING: frozenset(
        {
            Trigger.START,
            Trigger.SENT,
            Trigger.SETUP_FAILED,
            Trigger.REMOTE_BYE,
            Trigger.MEDIA_UP,
            Trigger.FINISHED,
        }
    )
    | _INCOMING_ONLY
    | _CONNECTED_ONLY,
    Phase.IN_CREATED: _OUTGOING_ONLY
    | (_INCOMING_ONLY - {Trigger.ANSWER, Trigger.CANCELLED, Trigger.UNTAKEN})
    | _CONNECTED_ONLY
    | {Trigger.MEDIA_UP, Trigger.FINISHED, Trigger.TRANSFERRED},
    # Media may be up before the 200 leaves; UNTAKEN: the timer lost the race against answer().
    Phase.IN_ANSWERING: _OUTGOING_ONLY
    | (_INCOMING_ONLY - {Trigger.ACCEPTED, Trigger.CANCELLED})
    | _CONNECTED_ONLY
    | {Trigger.MEDIA_UP, Trigger.FINISHED, Trigger.TRANSFERRED},
    # A CANCEL after the final response has no effect (RFC 3261 §9.2).
    Phase.IN_ANSWERED: _OUTGOING_ONLY
    | (_INCOMING_ONLY - {Trigger.ACKNOWLEDGED, Trigger.ACK_TIMEOUT})
    | _CONNECTED_ONLY
    | {Trigger.MEDIA_UP, Trigger.FINISHED},
    # Late provisional and repeated final responses, a second ACK.
    Phase.ESTABLISHING: _OUTGOING_ONLY | _INCOMING_ONLY | _CONNECTED_ONLY | {Trigger.FINISHED},
    # MEDIA_UP again: an ICE pair came back; the overlay takes it.
    Phase.CONNECTED: _OUTGOING_ONLY | _INCOMING_ONLY | {Trigger.MEDIA_UP, Trigger.FINISHED},
    # BYEs that cross are answered by the session (RFC 3261 §15.1.2). A 2xx that crosses the CANCEL is acknowledged
    # and ended by the session, which reports FINISHED. A second hangup changes nothing.
    Phase.ENDING: frozenset(Trigger) - _ENDINGS,
    Phase.FAILING: frozenset(Trigger) - _ENDINGS,
    # Late messages are answered by the transaction layer; exactly one terminal event per call.
    Phase.DISCONNECTED: frozenset(Trigger),
    Phase.FAILED: frozenset(Trigger),
}
