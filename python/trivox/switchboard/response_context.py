"""All branches of one forwarded request and what goes upstream of them (RFC 3261 §16.7)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from trivox.switchboard.branch_table import TABLE, BranchAction, BranchEvent, BranchState

if TYPE_CHECKING:
    from trivox._native import Message

# §16.7 step 6: those that tell the caller how to try again come first.
_PREFERRED: Final = (401, 407, 415, 420, 484)
# Ours, and that of who is to hear the response (§16.7 step 3).
_LEAST_VIAS: Final = 2


@dataclass(frozen=True, slots=True)
class Upstream:
    """Forward a response to where the request came from."""

    message: Message


@dataclass(frozen=True, slots=True)
class Challenge:
    """Forward a 401 or 407 with the challenges of all branches on it (§16.7 step 7)."""

    message: Message
    others: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with a response of our own."""

    status: int


@dataclass(frozen=True, slots=True)
class CancelBranch:
    """Send CANCEL on a branch."""

    tx: int


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call `handle_timer` for a branch at this time, unless it has another by then."""

    tx: int
    deadline: float


Output = Upstream | Challenge | Answer | CancelBranch | WakeAt


@dataclass(slots=True)
class _Branch:
    state: BranchState = BranchState.CALLING
    deadline: float = math.inf


@final
@dataclass(slots=True)
class ResponseContext:
    """The branches of one request, and which response is the best of them.

    Sans-I/O: each input returns what to do, in order. `add` all branches first, then `begin`.
    """

    is_invite: bool
    timer_c: float
    last_wait: float
    is_answered: bool = False
    has_succeeded: bool = False
    is_cancelled: bool = False
    _branches: dict[int, _Branch] = field(default_factory=dict)
    _finals: list[Message] = field(default_factory=list)
    _failures: int = 0
    _is_unreachable: bool = False
    _is_garbled: bool = False

    @property
    def branches(self) -> tuple[int, ...]:
        """The client transactions of all branches."""
        return tuple(self._branches)

    @property
    def is_complete(self) -> bool:
        """Whether no branch is left to wait for."""
        return all(branch.state is BranchState.DONE for branch in self._branches.values())

    def add(self, tx: int) -> None:
        """Add a branch that was forwarded."""
        self._branches[tx] = _Branch()

    def handle_response(self, tx: int, message: Message, now: float) -> tuple[Output, ...]:
        """Take a response of a branch."""
        status = message.status
        if status < 200:
            outputs = self._step(tx, BranchEvent.PROVISIONAL, now)
            if status != 100 and not self.is_answered:
                outputs = (Upstream(message), *outputs)
            return outputs
        if len(message.values("Via")) < _LEAST_VIAS:
            self._is_garbled = True
            return (*self._step(tx, BranchEvent.FAILURE, now), *self._finish())
        is_new = self._branches[tx].state is not BranchState.DONE
        outputs = self._step(tx, BranchEvent.FINAL, now)
        if status < 300:
            return (*outputs, *self._succeed(message, now))
        if is_new:
            self._finals.append(message)
            if status >= 600:
                outputs += self._cancel_rest(now)
        return (*outputs, *self._finish())

    def handle_failure(
        self, tx: int, now: float, *, is_unreachable: bool = False
    ) -> tuple[Output, ...]:
        """Take that a branch timed out, or that its connection is gone."""
        self._is_unreachable |= is_unreachable
        return (*self._step(tx, BranchEvent.FAILURE, now), *self._finish())

    def handle_timer(self, tx: int, now: float) -> tuple[Output, ...]:
        """Take that the time of a branch has come; nothing if it has another by now."""
        branch = self._branches[tx]
        if now < branch.deadline:
            return ()
        branch.deadline = math.inf
        return (*self._step(tx, BranchEvent.TIMER, now), *self._finish())

    def cancel(self, now: float) -> tuple[Output, ...]:
        """Take that the caller gave up (§16.10)."""
        self.is_cancelled = True
        return self._cancel_rest(now)

    def _succeed(self, message: Message, now: float) -> tuple[Output, ...]:
        """Forward every 2xx to an INVITE at once, and the first to another request."""
        if self.is_answered and not self.is_invite:
            return ()
        self.is_answered = self.has_succeeded = True
        return (Upstream(message), *self._cancel_rest(now))

    def _cancel_rest(self, now: float) -> tuple[Output, ...]:
        if not self.is_invite:
            return ()
        outputs: tuple[Output, ...] = ()
        for tx in self._branches:
            outputs += self._step(tx, BranchEvent.CANCEL, now)
        return outputs

    def _finish(self) -> tuple[Output, ...]:
        """Answer once, when all branches are done."""
        if self.is_answered or not self.is_complete:
            return ()
        self.is_answered = True
        best = self._best()
        if best is not None:
            return (best,)
        if self.is_cancelled:
            return (Answer(487),)
        if self._is_garbled:
            return (Answer(502),)
        if self._is_unreachable:
            # DEVIATION: §16.9 makes this a 503 and so a 500, but it is the phone that is gone.
            return (Answer(480),)
        # RFC 4320 §4.2: a 408 to another request than INVITE comes too late to be of use.
        return (Answer(408),) if self.is_invite else ()

    def _best(self) -> Output | None:
        """Choose by §16.7 step 6; a branch that gave no answer counts as a 408."""
        if not self._finals:
            return None
        best = min(self._finals, key=_rank)
        if self._failures and best.status // 100 > 4 and best.status < 600:
            return None
        if best.status == 503:  # it spoke of that server, and not of us
            return Answer(500)
        if best.status in (401, 407):
            others = [one for one in self._finals if one is not best and one.status in (401, 407)]
            if others:
                return Challenge(best, tuple(others))
        return Upstream(best)

    def _step(self, tx: int, event: BranchEvent, now: float) -> tuple[Output, ...]:
        branch = self._branches[tx]
        row = TABLE[branch.state].get(event)
        if row is None:
            return ()
        branch.state, actions = row
        if branch.state is BranchState.DONE:
            branch.deadline = math.inf
        outputs: tuple[Output, ...] = ()
        for action in actions:
            outputs += self._act(tx, branch, action, now)
        return outputs

    def _act(
        self, tx: int, branch: _Branch, action: BranchAction, now: float
    ) -> tuple[Output, ...]:
        if action is BranchAction.SEND_CANCEL:
            return (CancelBranch(tx),)
        if action is BranchAction.GIVE_UP:
            self._failures += 1
            return ()
        if not self.is_invite:
            return ()
        wait = self.timer_c if action is BranchAction.START_TIMER_C else self.last_wait
        branch.deadline = now + wait
        return (WakeAt(tx, branch.deadline),)


def _rank(message: Message) -> tuple[int, int]:
    status = message.status
    if status >= 600:
        return (0, 0)
    return (status // 100, 0 if status in _PREFERRED else 1)
