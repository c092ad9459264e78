"""The table of a registration (RFC 3261 §10.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from trivox.sip.table import Go, Ignored, Table


class RegistrationState(StrEnum):
    """Where the binding of our Contact stands."""

    UNREGISTERED = "unregistered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFRESHING = "refreshing"
    """Registered, and being registered again."""
    UNREGISTERING = "unregistering"
    FAILED = "failed"
    """Not registered; tried again later unless the registrar refused for good."""


class RegistrationEvent(StrEnum):
    """Commands, the registrar's answers and what our timer says."""

    REGISTER = "register"
    UNREGISTER = "unregister"
    ACCEPTED = "accepted"
    CHALLENGED = "challenged"
    TOO_BRIEF = "too_brief"
    """423 with a Min-Expires above what we asked for."""
    REFUSED = "refused"
    """A final response that would come again (`may_pass`)."""
    FAILED_WHILE_BOUND = "failed_while_bound"
    """A failure that may pass, and the old binding outlives the next try."""
    FAILED = "failed"
    """A failure that may pass (`may_pass`), Timer F, a lost flow."""
    EARLIER_FINISHED = "earlier_finished"
    """The REGISTER that was out when we chose to unregister has its final response."""
    FLOW_LOST = "flow_lost"
    """The flow that the binding is reached by is gone (RFC 5626 §4.5)."""
    DUE = "due"
    """Time to refresh or to try again."""


class RegistrationAction(StrEnum):
    """What is done on the way."""

    SEND_REGISTER = "send_register"
    SEND_AGAIN = "send_again"
    SEND_UNREGISTER = "send_unregister"
    SCHEDULE_REFRESH = "schedule_refresh"
    SCHEDULE_RETRY = "schedule_retry"
    CLEAR = "clear"


_PASSING: Final = frozenset({408, 480})
_LASTING: Final = frozenset(
    {
        *(401, 407),  # our credentials: tried again they would lock the user out (§22.2)
        403,  # "the request SHOULD NOT be repeated" (§21.4.4)
        404,  # the user does not exist, definitively (§21.4.5)
        410,  # nor will it again (§21.4.11)
        423,  # no interval was found that both take (§10.2.8)
    }
)


def may_pass(status: int, *, was_registered: bool) -> bool:
    """Tell whether a REGISTER that was refused so is worth another try, after a pause.

    DEVIATION: by RFC 3261 §21.4 a request is not repeated unchanged after a 4xx. But one that was
    granted before cannot have become wrong by itself: it is a registrar or a proxy in trouble that
    says 400, 405 or 420 to it, and phones that stayed away then would be gone until somebody came.
    """
    if status in _PASSING or 500 <= status < 600:
        return True
    return was_registered and 400 <= status < 500 and status not in _LASTING


S, E, A = RegistrationState, RegistrationEvent, RegistrationAction

REGISTRATION_TABLE: Final[Table[RegistrationState, RegistrationEvent, RegistrationAction]] = {
    S.UNREGISTERED: {E.REGISTER: Go(S.REGISTERING, (A.SEND_REGISTER,))},
    S.REGISTERING: {
        E.UNREGISTER: Go(S.UNREGISTERING),
        E.ACCEPTED: Go(S.REGISTERED, (A.SCHEDULE_REFRESH,)),
        E.CHALLENGED: Go(S.REGISTERING, (A.SEND_AGAIN,)),
        E.TOO_BRIEF: Go(S.REGISTERING, (A.SEND_AGAIN,)),
        E.REFUSED: Go(S.FAILED, (A.CLEAR,)),
        E.FAILED: Go(S.FAILED, (A.SCHEDULE_RETRY,)),
    },
    S.REGISTERED: {
        E.REGISTER: Go(S.REFRESHING, (A.SEND_REGISTER,)),
        E.UNREGISTER: Go(S.UNREGISTERING, (A.SEND_UNREGISTER,)),
        E.DUE: Go(S.REFRESHING, (A.SEND_REGISTER,)),
        E.FLOW_LOST: Go(S.FAILED, (A.SCHEDULE_RETRY,)),
    },
    S.REFRESHING: {
        E.UNREGISTER: Go(S.UNREGISTERING),
        E.ACCEPTED: Go(S.REGISTERED, (A.SCHEDULE_REFRESH,)),
        E.CHALLENGED: Go(S.REFRESHING, (A.SEND_AGAIN,)),
        E.TOO_BRIEF: Go(S.REFRESHING, (A.SEND_AGAIN,)),
        E.REFUSED: Go(S.FAILED, (A.CLEAR,)),
        E.FAILED_WHILE_BOUND: Go(S.REGISTERED, (A.SCHEDULE_RETRY,)),
        E.FAILED: Go(S.FAILED, (A.SCHEDULE_RETRY,)),
    },
    S.UNREGISTERING: {
        E.EARLIER_FINISHED: Go(S.UNREGISTERING, (A.SEND_UNREGISTER,)),
        E.CHALLENGED: Go(S.UNREGISTERING, (A.SEND_AGAIN,)),
        E.ACCEPTED: Go(S.UNREGISTERED, (A.CLEAR,)),
        E.REFUSED: Go(S.UNREGISTERED, (A.CLEAR,)),
        E.FAILED: Go(S.UNREGISTERED, (A.CLEAR,)),
    },
    S.FAILED: {
        E.REGISTER: Go(S.REGISTERING, (A.SEND_REGISTER,)),
        E.DUE: Go(S.REGISTERING, (A.SEND_REGISTER,)),
        E.UNREGISTER: Go(S.UNREGISTERED, (A.CLEAR,)),
    },
}

_ALL: Final = frozenset(RegistrationState)
_OUT: Final = frozenset({S.REGISTERING, S.REFRESHING})
_ASKING: Final = _OUT | {S.UNREGISTERING}

REGISTRATION_IGNORED: Final[Ignored[RegistrationEvent, RegistrationState]] = {
    "RFC 3261 §10.2: no new registration until the one before has its final response": {
        E.REGISTER: _ASKING,
        E.DUE: _ASKING | {S.UNREGISTERED},
    },
    "RFC 3261 §10.2.2: there is no binding to remove, or it is being removed": {
        E.UNREGISTER: frozenset({S.UNREGISTERED, S.UNREGISTERING}),
    },
    "RFC 5626 §4.5: a REGISTER that is out fails by itself, and without a binding nothing is lost": {
        E.FLOW_LOST: _ALL - {S.REGISTERED},
    },
    "RFC 3261 §17.1.2.2: only a REGISTER that is out can be answered": {
        E.ACCEPTED: _ALL - _ASKING,
        E.CHALLENGED: _ALL - _ASKING,
        E.REFUSED: _ALL - _ASKING,
        E.FAILED: _ALL - _ASKING,
        E.TOO_BRIEF: _ALL - _OUT,
        E.FAILED_WHILE_BOUND: _ALL - {S.REFRESHING},
        E.EARLIER_FINISHED: _ALL - {S.UNREGISTERING},
    },
}
