"""The tables of a subscription, the subscriber's and the notifier's (RFC 6665 §4.1, §4.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from trivox.sip.table import Go, Ignored, Table


class SubscriptionState(StrEnum):
    """Where a subscription of ours stands (RFC 6665 §4.1.2, figure 1)."""

    IDLE = "idle"
    SUBSCRIBING = "subscribing"
    """SUBSCRIBE sent."""
    WAITING = "waiting"
    """Accepted: the first NOTIFY is to come."""
    PENDING = "pending"
    """The notifier has not decided yet whether we may know."""
    ACTIVE = "active"
    LEAVING = "leaving"
    """Given up before it was accepted: it is ended as soon as it can be."""
    UNSUBSCRIBING = "unsubscribing"
    """SUBSCRIBE with Expires 0 sent: the last NOTIFY is to come."""
    TERMINATED = "terminated"


class SubscriptionEvent(StrEnum):
    """Commands, the notifier's answers and requests, and what our timers say."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    ACCEPTED = "accepted"
    AGAIN = "again"
    """A challenge we can answer, or 423 with a longer time."""
    REFUSED = "refused"
    """Final response that ends it: to the first SUBSCRIBE any, to a refresh 404, 410, 416,
    480-485, 489, 501, 604 and no response at all (RFC 6665 §4.1.2.2, RFC 5057 §5.1)."""
    REFRESH_FAILED = "refresh_failed"
    """Another one to a refresh: the old time goes on."""
    NOTIFIED_PENDING = "notified_pending"
    NOTIFIED_ACTIVE = "notified_active"
    NOTIFIED_TERMINATED = "notified_terminated"
    DUE = "due"
    """Time to refresh."""
    EXPIRED = "expired"
    """Its time is over, or what was to come has not come in time (Timer N)."""


class SubscriptionAction(StrEnum):
    """What is done on the way."""

    SEND_SUBSCRIBE = "send_subscribe"
    SEND_UNSUBSCRIBE = "send_unsubscribe"
    SEND_AGAIN = "send_again"
    AWAIT = "await"
    """Start Timer N."""
    SCHEDULE = "schedule"
    """Refresh before the time told is over."""
    FORGET = "forget"


S, E, A = SubscriptionState, SubscriptionEvent, SubscriptionAction
Row = dict[SubscriptionEvent, Go[SubscriptionState, SubscriptionAction]]

_ENDS: Final = Go(S.TERMINATED, (A.FORGET,))
_STOPS: Final = Go(S.UNSUBSCRIBING, (A.SEND_UNSUBSCRIBE, A.AWAIT))
_OVER: Final[Row] = {E.NOTIFIED_TERMINATED: _ENDS, E.EXPIRED: _ENDS, E.REFUSED: _ENDS}
_NOTIFIED: Final[Row] = {
    E.NOTIFIED_PENDING: Go(S.PENDING, (A.SCHEDULE,)),
    E.NOTIFIED_ACTIVE: Go(S.ACTIVE, (A.SCHEDULE,)),
    **_OVER,
}


def _live(state: SubscriptionState) -> Row:
    return {
        **_NOTIFIED,
        E.UNSUBSCRIBE: _STOPS,
        E.DUE: Go(state, (A.SEND_SUBSCRIBE,)),
        E.ACCEPTED: Go(state, (A.SCHEDULE,)),
        E.AGAIN: Go(state, (A.SEND_AGAIN,)),
        E.REFRESH_FAILED: Go(state),
    }


SUBSCRIPTION_TABLE: Final[Table[SubscriptionState, SubscriptionEvent, SubscriptionAction]] = {
    S.IDLE: {
        E.SUBSCRIBE: Go(S.SUBSCRIBING, (A.SEND_SUBSCRIBE, A.AWAIT)),
        E.UNSUBSCRIBE: Go(S.TERMINATED),
    },
    S.SUBSCRIBING: {
        **_NOTIFIED,
        E.ACCEPTED: Go(S.WAITING, (A.AWAIT,)),
        E.AGAIN: Go(S.SUBSCRIBING, (A.SEND_AGAIN,)),
        E.UNSUBSCRIBE: Go(S.LEAVING),
    },
    S.WAITING: {**_NOTIFIED, E.UNSUBSCRIBE: _STOPS},
    S.PENDING: _live(S.PENDING),
    S.ACTIVE: _live(S.ACTIVE),
    S.LEAVING: {
        **_OVER,
        E.ACCEPTED: _STOPS,
        E.NOTIFIED_PENDING: _STOPS,
        E.NOTIFIED_ACTIVE: _STOPS,
        E.AGAIN: _ENDS,
    },
    S.UNSUBSCRIBING: {**_OVER, E.AGAIN: Go(S.UNSUBSCRIBING, (A.SEND_AGAIN,))},
    S.TERMINATED: {},
}

_ALL: Final = frozenset(SubscriptionState)
_LIVE: Final = frozenset({S.PENDING, S.ACTIVE})
_NOT_OUT: Final = frozenset({S.IDLE, S.TERMINATED})

SUBSCRIPTION_IGNORED: Final[Ignored[SubscriptionEvent, SubscriptionState]] = {
    "RFC 6665 §4.1.2: a subscription begins once, and ends once": {
        E.SUBSCRIBE: _ALL - {S.IDLE},
        E.UNSUBSCRIBE: frozenset({S.LEAVING, S.UNSUBSCRIBING, S.TERMINATED}),
    },
    "RFC 3261 §17.1.2.2: only a SUBSCRIBE that is out can be answered": {
        E.ACCEPTED: _NOT_OUT | {S.WAITING, S.UNSUBSCRIBING},
        E.AGAIN: _NOT_OUT | {S.WAITING},
        E.REFUSED: _NOT_OUT,
        E.REFRESH_FAILED: _ALL - _LIVE,
    },
    "RFC 6665 §4.1.2.3: what comes before the last NOTIFY changes nothing any more": {
        E.NOTIFIED_PENDING: _NOT_OUT | {S.UNSUBSCRIBING},
        E.NOTIFIED_ACTIVE: _NOT_OUT | {S.UNSUBSCRIBING},
        E.NOTIFIED_TERMINATED: _NOT_OUT,
    },
    "RFC 6665 §4.1.2.2: only a subscription that stands is refreshed or runs out": {
        E.DUE: _ALL - _LIVE,
        E.EXPIRED: _NOT_OUT,
    },
}


class NotifierState(StrEnum):
    """Where somebody's subscription at us stands (RFC 6665 §4.2)."""

    OFFERED = "offered"
    """SUBSCRIBE received, not answered."""
    PENDING = "pending"
    ACTIVE = "active"
    OVER = "over"


class NotifierEvent(StrEnum):
    """What is decided, what the subscriber asks for, and what our timer says."""

    ACCEPT = "accept"
    FETCH = "fetch"
    """Accepted, and it asks for the state once only (Expires 0, RFC 6665 §4.4.3)."""
    DEFER = "defer"
    REJECT = "reject"
    PUBLISH = "publish"
    TERMINATE = "terminate"
    REFRESH = "refresh"
    REFRESH_KNOWN = "refresh_known"
    """A refresh by one who knows the state as it is (Suppress-If-Match, RFC 5839 §5.4)."""
    UNSUBSCRIBE = "unsubscribe"
    EXPIRED = "expired"
    LOST = "lost"
    """A NOTIFY had no answer, or one that says there is no subscription (RFC 6665 §4.2.2)."""


class NotifierAction(StrEnum):
    """What is sent."""

    SEND_ACCEPTED = "send_accepted"
    SEND_SUPPRESSED = "send_suppressed"
    """204: prolonged, and no NOTIFY follows (RFC 5839 §7.3)."""
    SEND_REFUSAL = "send_refusal"
    SEND_481 = "send_481"
    NOTIFY = "notify"
    FORGET = "forget"


N, V, D = NotifierState, NotifierEvent, NotifierAction


def _standing(state: NotifierState) -> dict[NotifierEvent, Go[NotifierState, NotifierAction]]:
    return {
        V.ACCEPT: Go(N.ACTIVE, (D.NOTIFY,)),
        V.DEFER: Go(N.PENDING, (D.NOTIFY,)),
        V.REJECT: Go(N.OVER, (D.NOTIFY,)),
        V.PUBLISH: Go(state, (D.NOTIFY,)),
        V.TERMINATE: Go(N.OVER, (D.NOTIFY,)),
        V.REFRESH: Go(state, (D.SEND_ACCEPTED, D.NOTIFY)),
        V.REFRESH_KNOWN: Go(state, (D.SEND_SUPPRESSED,)),
        V.UNSUBSCRIBE: Go(N.OVER, (D.SEND_ACCEPTED, D.NOTIFY)),
        V.EXPIRED: Go(N.OVER, (D.NOTIFY,)),
        V.LOST: Go(N.OVER, (D.FORGET,)),
    }


NOTIFIER_TABLE: Final[Table[NotifierState, NotifierEvent, NotifierAction]] = {
    N.OFFERED: {
        V.ACCEPT: Go(N.ACTIVE, (D.SEND_ACCEPTED, D.NOTIFY)),
        V.FETCH: Go(N.OVER, (D.SEND_ACCEPTED, D.NOTIFY)),
        V.DEFER: Go(N.PENDING, (D.SEND_ACCEPTED, D.NOTIFY)),
        V.REJECT: Go(N.OVER, (D.SEND_REFUSAL,)),
        V.TERMINATE: Go(N.OVER, (D.SEND_REFUSAL,)),
        V.EXPIRED: Go(N.OVER, (D.SEND_REFUSAL,)),
    },
    N.PENDING: _standing(N.PENDING),
    N.ACTIVE: _standing(N.ACTIVE),
    N.OVER: {
        V.REFRESH: Go(N.OVER, (D.SEND_481,)),
        V.REFRESH_KNOWN: Go(N.OVER, (D.SEND_481,)),
        V.UNSUBSCRIBE: Go(N.OVER, (D.SEND_481,)),
        V.LOST: Go(N.OVER, (D.FORGET,)),
    },
}

NOTIFIER_IGNORED: Final[Ignored[NotifierEvent, NotifierState]] = {
    "RFC 6665 §4.2.1: before its answer there is no dialog to notify or refresh in": {
        V.PUBLISH: frozenset({N.OFFERED}),
        V.REFRESH: frozenset({N.OFFERED}),
        V.REFRESH_KNOWN: frozenset({N.OFFERED}),
        V.UNSUBSCRIBE: frozenset({N.OFFERED}),
        V.LOST: frozenset({N.OFFERED}),
    },
    "RFC 6665 §4.4.3: only the first answer tells a state once": {
        V.FETCH: frozenset({N.PENDING, N.ACTIVE, N.OVER}),
    },
    "RFC 6665 §4.4.1: nothing follows the NOTIFY that ends a subscription": {
        event: frozenset({N.OVER})
        for event in (V.ACCEPT, V.DEFER, V.REJECT, V.PUBLISH, V.TERMINATE, V.EXPIRED)
    },
}
