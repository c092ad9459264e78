"""The tables of a transfer, both sides (RFC 3515 §2.4, RFC 5589)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from trivox.sip.table import Go, Ignored, Table


class TransferState(StrEnum):
    """Where a transfer stands that we asked for."""

    REFERRING = "referring"
    """REFER sent, nothing heard."""
    ACCEPTED = "accepted"
    """The far end places the call."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class TransferEvent(StrEnum):
    """What we hear of it."""

    REFER_ACCEPTED = "refer_accepted"
    REFER_ACCEPTED_SILENTLY = "refer_accepted_silently"
    """2xx with `Refer-Sub: false`: nothing more will be told (RFC 4488 §4)."""
    REFER_REFUSED = "refer_refused"
    """A final response of 300 or more, none at all, or the call's end before it."""
    PROGRESS = "progress"
    """NOTIFY with a provisional status."""
    SUCCESS = "success"
    """NOTIFY with a 2xx."""
    FAILURE = "failure"
    """NOTIFY with a status of 300 or more."""
    UNSUBSCRIBED = "unsubscribed"
    """NOTIFY that ends the subscription without a final status."""
    TIMED_OUT = "timed_out"
    """The subscription ran out, or its first NOTIFY never came (RFC 6665 §4.1.2.4)."""
    LEFT = "left"
    """The far end hung up before it told the outcome, as many do."""


class TransferAction(StrEnum):
    """What is told."""

    TELL_PROGRESS = "tell_progress"
    TELL_SUCCESS = "tell_success"
    TELL_FAILURE = "tell_failure"
    AWAIT_NOTIFY = "await_notify"


S, E, A = TransferState, TransferEvent, TransferAction

# RFC 3515 §2.4.4 and §2.4.5: a NOTIFY may overtake the 2xx.
_FAILS: Final = Go(S.FAILED, (A.TELL_FAILURE,))
_SUCCEEDS: Final = Go(S.SUCCEEDED, (A.TELL_SUCCESS,))
_PROGRESSES: Final = Go(S.ACCEPTED, (A.AWAIT_NOTIFY, A.TELL_PROGRESS))
_TOLD: Final = {
    E.PROGRESS: _PROGRESSES,
    E.SUCCESS: _SUCCEEDS,
    E.FAILURE: _FAILS,
    E.UNSUBSCRIBED: _FAILS,
    E.TIMED_OUT: _FAILS,
}

TRANSFER_TABLE: Final[Table[TransferState, TransferEvent, TransferAction]] = {
    S.REFERRING: {
        E.REFER_ACCEPTED: Go(S.ACCEPTED, (A.AWAIT_NOTIFY,)),
        E.REFER_ACCEPTED_SILENTLY: _SUCCEEDS,
        E.REFER_REFUSED: _FAILS,
        E.LEFT: _FAILS,
        **_TOLD,
    },
    S.ACCEPTED: {**_TOLD, E.LEFT: _SUCCEEDS},
    S.SUCCEEDED: {},
    S.FAILED: {},
}

_ALL: Final = frozenset(TransferState)
_OVER: Final = frozenset({S.SUCCEEDED, S.FAILED})
_ANSWERED: Final = _ALL - {S.REFERRING}

TRANSFER_IGNORED: Final[Ignored[TransferEvent, TransferState]] = {
    "RFC 3515 §2.4.5: the first final status is the outcome": {
        E.PROGRESS: _OVER,
        E.SUCCESS: _OVER,
        E.FAILURE: _OVER,
        E.UNSUBSCRIBED: _OVER,
        E.TIMED_OUT: _OVER,
        E.LEFT: _OVER,
    },
    "RFC 3261 §17.1.2.2: the REFER has one final response, which a NOTIFY may have overtaken": {
        E.REFER_ACCEPTED: _ANSWERED,
        E.REFER_ACCEPTED_SILENTLY: _ANSWERED,
        E.REFER_REFUSED: _ANSWERED,
    },
}


class ReferralState(StrEnum):
    """Where a transfer stands that the far end asked for."""

    OFFERED = "offered"
    """REFER received, not answered."""
    ACCEPTED = "accepted"
    """200 sent: the new call is being placed."""
    OVER = "over"


class ReferralEvent(StrEnum):
    """What is decided about it, and what becomes of the new call."""

    ACCEPT = "accept"
    REJECT = "reject"
    PROGRESS = "progress"
    """The new call had a provisional response."""
    OUTCOME = "outcome"
    """The new call was answered, refused or given up."""
    LOST = "lost"
    """The far end does not want to hear: its NOTIFY failed, or its call is over."""


class ReferralAction(StrEnum):
    """What is said."""

    SEND_ACCEPTED = "send_accepted"
    SEND_REFUSAL = "send_refusal"
    NOTIFY = "notify"


R, H, D = ReferralState, ReferralEvent, ReferralAction

REFERRAL_TABLE: Final[Table[ReferralState, ReferralEvent, ReferralAction]] = {
    R.OFFERED: {
        H.ACCEPT: Go(R.ACCEPTED, (D.SEND_ACCEPTED, D.NOTIFY)),
        H.REJECT: Go(R.OVER, (D.SEND_REFUSAL,)),
        H.LOST: Go(R.OVER),
    },
    R.ACCEPTED: {
        H.PROGRESS: Go(R.ACCEPTED, (D.NOTIFY,)),
        H.OUTCOME: Go(R.OVER, (D.NOTIFY,)),
        H.LOST: Go(R.OVER),
    },
    R.OVER: {},
}

REFERRAL_IGNORED: Final[Ignored[ReferralEvent, ReferralState]] = {
    "RFC 3515 §2.4.2: a REFER is answered once": {
        H.ACCEPT: frozenset({R.ACCEPTED, R.OVER}),
        H.REJECT: frozenset({R.ACCEPTED, R.OVER}),
    },
    "RFC 3515 §2.4.4: only an accepted REFER is reported on, up to its outcome": {
        H.PROGRESS: frozenset({R.OFFERED, R.OVER}),
        H.OUTCOME: frozenset({R.OFFERED, R.OVER}),
        H.LOST: frozenset({R.OVER}),
    },
}
