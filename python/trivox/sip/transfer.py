"""Transfers by REFER within a call, both sides (RFC 3515, 4488, 5589, 7614)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from trivox.sip.event_headers import read_event_untrusted, read_state_untrusted
from trivox.sip.refer import SIPFRAG, read_sipfrag_untrusted, sipfrag
from trivox.sip.transfer_table import (
    REFERRAL_TABLE,
    TRANSFER_TABLE,
    ReferralAction,
    ReferralEvent,
    ReferralState,
    TransferAction,
    TransferEvent,
    TransferState,
)

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.outputs import Headers
    from trivox.sip.refer import ReferTo

PACKAGE: Final = "refer"
_MOST_DIGITS: Final = 10
FIRST_NOTIFY: Final = 32.0
"""Timer N, 64·T1 in seconds: so long the first NOTIFY may take (RFC 6665 §4.1.2.4)."""
SUBSCRIBED: Final = 180.0
"""Seconds a referred call may take to its outcome: told as `expires`, and expected of others."""
_REASONS: Final = {100: "Trying", 200: "OK"}


@final
@dataclass(frozen=True, slots=True)
class TransferChanged:
    """How a transfer of ours goes: `state` is ACCEPTED with a progress, or an outcome.

    `status` is what the far end reported, or what ended the attempt: 408 for none in time, 0 when
    nothing said so. `is_reported` is False when the far end left or was not to report.
    """

    state: TransferState
    status: int
    reason: str
    is_reported: bool


@final
class Transfer:
    """Follow one REFER of ours to its outcome. Sans-I/O.

    Inputs return what changed. After each one sleep until `next_deadline()` and call
    `handle_timeout`.
    """

    __slots__ = ("_cseq", "_deadline", "_last", "_state")

    def __init__(self, cseq: int) -> None:
        """Take the CSeq of the REFER's first try (RFC 3515 §2.4.6: the `id` of its subscription)."""
        self._cseq = cseq
        self._state = TransferState.REFERRING
        self._deadline: float | None = None
        self._last = 0

    @property
    def state(self) -> TransferState:
        """Where the transfer stands."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether the outcome is known."""
        return self._state in (TransferState.SUCCEEDED, TransferState.FAILED)

    def next_deadline(self) -> float | None:
        """Return when to call `handle_timeout`, in seconds of the caller's clock."""
        return None if self.is_over else self._deadline

    def handle_timeout(self, now: float) -> tuple[TransferChanged, ...]:
        """Give up if the far end has not told the outcome in time."""
        if self._deadline is None or now < self._deadline:
            return ()
        return self.handle_unheard("no outcome was told", now)

    def handle_unheard(self, why: str, now: float) -> tuple[TransferChanged, ...]:
        """Take that nobody can tell the outcome: its subscription is refused or over (RFC 7614 §4.4)."""
        return self._step(TransferEvent.TIMED_OUT, 408, why, now)

    def handle_response(
        self, status: int, reason: str, now: float, *, refer_sub: str = ""
    ) -> tuple[TransferChanged, ...]:
        """Take the final response to the REFER; status 0 or 408 when there was none.

        Args:
            status: Of the response.
            reason: Its phrase.
            now: Seconds on the monotonic clock.
            refer_sub: The value of its Refer-Sub header.
        """
        event = TransferEvent.REFER_REFUSED
        if 200 <= status < 300:
            is_silent = refer_sub.strip().lower().startswith("false")
            event = TransferEvent.REFER_ACCEPTED
            if is_silent:
                event = TransferEvent.REFER_ACCEPTED_SILENTLY
        return self._step(event, status, reason, now, is_reported=False)

    def handle_left(self, now: float) -> tuple[TransferChanged, ...]:
        """Take that the far end hung up."""
        return self._step(
            TransferEvent.LEFT, self._last, "the far end left", now, is_reported=False
        )

    def concerns(self, notify: Message) -> bool:
        """Whether a NOTIFY is about this transfer."""
        event = read_event_untrusted(notify)
        if event is None or event.package != PACKAGE:
            return False
        # A try with credentials has a CSeq of its own, and so has every later request.
        number = event.id if event.id.isascii() and event.id.isdigit() else ""
        return not event.id or (0 < len(number) <= _MOST_DIGITS and int(number) >= self._cseq)

    def handle_notify(self, notify: Message, now: float) -> tuple[TransferChanged, ...]:
        """Take a NOTIFY that concerns this transfer; it is answered 200 in any case."""
        told = read_sipfrag_untrusted(notify.body)
        subscription = read_state_untrusted(notify)
        is_ended = subscription is not None and subscription.state == "terminated"
        status, reason = told or (0, "")
        if status < 200 and is_ended:
            return self._step(TransferEvent.UNSUBSCRIBED, status, "no outcome was told", now)
        if status == 0:
            return ()
        if status >= 300:
            event = TransferEvent.FAILURE
        else:
            event = TransferEvent.SUCCESS if status >= 200 else TransferEvent.PROGRESS
        return self._step(event, status, reason, now, wait=SUBSCRIBED)

    def _step(
        self,
        event: TransferEvent,
        status: int,
        reason: str,
        now: float,
        *,
        is_reported: bool = True,
        wait: float = FIRST_NOTIFY,
    ) -> tuple[TransferChanged, ...]:
        """Go where the table says; a pair it does not hold is in TRANSFER_IGNORED."""
        go = TRANSFER_TABLE[self._state].get(event)
        if go is None:
            return ()
        self._state = go.state
        self._last = status or self._last
        told: tuple[TransferChanged, ...] = ()
        for action in go.actions:
            if action is TransferAction.AWAIT_NOTIFY:
                self._deadline = now + wait
            else:
                told = (TransferChanged(self._state, status, reason, is_reported),)
        return told


@final
@dataclass(frozen=True, slots=True)
class ReferAnswer:
    """Answer the REFER."""

    status: int
    headers: Headers = field(repr=False)


@final
@dataclass(frozen=True, slots=True)
class ReferNotify:
    """Send a NOTIFY in the dialog and tell its outcome by `Referral.handle_notified`."""

    headers: Headers = field(repr=False)
    body: bytes
    content_type: str = SIPFRAG
    is_last: bool = False


ReferralOutput = ReferAnswer | ReferNotify


@final
class Referral:
    """Answer one REFER of the far end's and report on the call it asked for. Sans-I/O.

    Commands and inputs return what to send, in order. One NOTIFY is out at a time; what happens
    meanwhile is told by the next, the newest only.
    """

    __slots__ = ("_cseq", "_is_out", "_is_told", "_state", "_waiting", "_wants")

    def __init__(self, asked: ReferTo, cseq: int) -> None:
        """Take what the REFER says, and its CSeq."""
        self._cseq = cseq
        self._wants = asked.wants_notifications
        self._is_told = asked.wants_notifications or asked.is_explicit
        self._state = ReferralState.OFFERED
        self._is_out = False
        self._waiting: tuple[int, str] | None = None

    @property
    def state(self) -> ReferralState:
        """Where it stands."""
        return self._state

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be said."""
        is_told = not self._is_out and self._waiting is None
        return self._state is ReferralState.OVER and is_told

    def accept(self) -> tuple[ReferralOutput, ...]:
        """Answer 200, as 202 is no longer sent (RFC 7647 §5): the call is placed."""
        return self._step(ReferralEvent.ACCEPT, 100, _REASONS[100])

    def reject(self, status: int) -> tuple[ReferralOutput, ...]:
        """Refuse it."""
        return self._step(ReferralEvent.REJECT, status, "")

    def report(self, status: int, reason: str) -> tuple[ReferralOutput, ...]:
        """Tell a status of the new call; one of 200 and more is its outcome."""
        event = ReferralEvent.OUTCOME if status >= 200 else ReferralEvent.PROGRESS
        return self._step(event, status, reason)

    def handle_notified(self, status: int) -> tuple[ReferralOutput, ...]:
        """Take the final response to our NOTIFY; 408 or 503 when there was none."""
        self._is_out = False
        if not 200 <= status < 300:
            self._waiting = None
            return self._step(ReferralEvent.LOST, status, "")
        waiting, self._waiting = self._waiting, None
        return () if waiting is None else self._notify(*waiting)

    def handle_lost(self) -> tuple[ReferralOutput, ...]:
        """Take that the call the REFER came in is over: nobody is there to be told."""
        self._waiting = None
        return self._step(ReferralEvent.LOST, 0, "")

    def _step(self, event: ReferralEvent, status: int, reason: str) -> tuple[ReferralOutput, ...]:
        """Go where the table says; a pair it does not hold is in REFERRAL_IGNORED."""
        go = REFERRAL_TABLE[self._state].get(event)
        if go is None:
            return ()
        self._state = go.state
        outputs: tuple[ReferralOutput, ...] = ()
        for action in go.actions:
            outputs += self._perform(action, status, reason)
        return outputs

    def _perform(
        self, action: ReferralAction, status: int, reason: str
    ) -> tuple[ReferralOutput, ...]:
        if action is ReferralAction.SEND_REFUSAL:
            return (ReferAnswer(status, ()),)
        if action is ReferralAction.SEND_ACCEPTED:
            return (ReferAnswer(200, () if self._wants else (("Refer-Sub", "false"),)),)
        if not self._is_told:
            return ()
        if self._is_out:
            self._waiting = (status, reason)
            return ()
        return self._notify(status, reason)

    def _notify(self, status: int, reason: str) -> tuple[ReferralOutput, ...]:
        self._is_out = True
        state = "terminated;reason=noresource"
        if status < 200:
            state = f"active;expires={SUBSCRIBED:.0f}"
        headers = (("Event", f"{PACKAGE};id={self._cseq}"), ("Subscription-State", state))
        return (ReferNotify(headers, sipfrag(status, reason), is_last=status >= 200),)
