"""What happens to one branch of a forked request (RFC 3261 §16.6-16.10), as a table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class BranchState(StrEnum):
    """Where a branch is."""

    CALLING = "calling"
    """Forwarded, nothing heard."""
    PROCEEDING = "proceeding"
    """A provisional response has come."""
    CANCEL_PENDING = "cancel_pending"
    """To be cancelled as soon as a provisional response allows it (§9.1)."""
    CANCELLING = "cancelling"
    """CANCEL is sent."""
    DONE = "done"
    """A final response has come, or none ever will."""


class BranchEvent(StrEnum):
    """What can happen to it."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    FAILURE = "failure"
    """Timer B or F, or the connection is gone."""
    CANCEL = "cancel"
    """We do not want it any more."""
    TIMER = "timer"
    """Timer C, or the wait for an answer to CANCEL."""


class BranchAction(StrEnum):
    """What to do."""

    START_TIMER_C = "start_timer_c"
    SEND_CANCEL = "send_cancel"
    START_LAST_WAIT = "start_last_wait"
    GIVE_UP = "give_up"
    """Act as if a 408 had come (§16.8)."""


Row = Mapping[BranchEvent, tuple[BranchState, tuple[BranchAction, ...]]]
_DONE: Final = (BranchState.DONE, ())
_GIVEN_UP: Final = (BranchState.DONE, (BranchAction.GIVE_UP,))
_CANCELLED: Final = (
    BranchState.CANCELLING,
    (BranchAction.SEND_CANCEL, BranchAction.START_LAST_WAIT),
)

# RFC 3261 §16.6 step 11, §16.7 steps 2 and 10, §16.8, with §9.1 for when a CANCEL may be sent.
TABLE: Final[Mapping[BranchState, Row]] = {
    BranchState.CALLING: {
        BranchEvent.PROVISIONAL: (BranchState.PROCEEDING, (BranchAction.START_TIMER_C,)),
        BranchEvent.FINAL: _DONE,
        BranchEvent.FAILURE: _GIVEN_UP,
        BranchEvent.CANCEL: (BranchState.CANCEL_PENDING, ()),
    },
    BranchState.PROCEEDING: {
        BranchEvent.PROVISIONAL: (BranchState.PROCEEDING, (BranchAction.START_TIMER_C,)),
        BranchEvent.FINAL: _DONE,
        BranchEvent.FAILURE: _GIVEN_UP,
        BranchEvent.CANCEL: _CANCELLED,
        BranchEvent.TIMER: _CANCELLED,
    },
    BranchState.CANCEL_PENDING: {
        BranchEvent.PROVISIONAL: _CANCELLED,
        BranchEvent.FINAL: _DONE,
        BranchEvent.FAILURE: _GIVEN_UP,
    },
    BranchState.CANCELLING: {
        BranchEvent.FINAL: _DONE,
        BranchEvent.FAILURE: _GIVEN_UP,
        BranchEvent.TIMER: _GIVEN_UP,
    },
    BranchState.DONE: {},
}

# A pair without a row that is no mistake, with its reason.
IGNORED: Final[Mapping[tuple[BranchState, BranchEvent], str]] = {
    (BranchState.CALLING, BranchEvent.TIMER): "Timer B or F ends a branch that hears nothing",
    (BranchState.CANCEL_PENDING, BranchEvent.CANCEL): "it is to be cancelled already",
    (BranchState.CANCEL_PENDING, BranchEvent.TIMER): "Timer B ends a branch that hears nothing",
    (BranchState.CANCELLING, BranchEvent.PROVISIONAL): "it crossed the CANCEL",
    (BranchState.CANCELLING, BranchEvent.CANCEL): "it is cancelled already",
    (BranchState.DONE, BranchEvent.PROVISIONAL): "late, after its final response",
    (BranchState.DONE, BranchEvent.FINAL): "a repeated 2xx, forwarded without a change of state",
    (BranchState.DONE, BranchEvent.FAILURE): "the connection went after the final response",
    (BranchState.DONE, BranchEvent.CANCEL): "nothing is left to be cancelled",
    (BranchState.DONE, BranchEvent.TIMER): "a timer of before the final response",
}
