"""A far end that offers video in a call without, and the program that is asked about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, final

from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.errors import TrivoxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.actor.isolation import Isolation
    from trivox.call.streams import LocalStream


class UpgradeStatus(StrEnum):
    """What has become of an offer of video."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Nobody said anything for 8 s: it was refused."""
    WITHDRAWN = "withdrawn"
    """The far end took it back, or the call ended."""


@final
class UpgradeRequest:
    """One offer of video; the first word about it counts."""

    def __init__(
        self, tx: int, answer: Callable[[LocalStream | None, bool], None], *, isolation: Isolation
    ) -> None:
        self.tx = tx
        self.status = ReadonlyWatchable(UpgradeStatus.WAITING, isolation=isolation)
        self._answer: Callable[[LocalStream | None, bool], None] | None = answer

    def settle(self, status: UpgradeStatus, stream: LocalStream | None = None) -> None:
        """Answer the offer; nothing when that has been done."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        try:
            answer(stream, status is UpgradeStatus.ACCEPTED)
        except TrivoxError:
            # The stream cannot be sent: the question is open as before.
            self._answer = answer
            raise
        assign(self.status, status)

    def accept(self, stream: LocalStream | None = None) -> None:
        """Take it, and send a stream too."""
        self.settle(UpgradeStatus.ACCEPTED, stream)

    def reject(self) -> None:
        """Refuse it."""
        self.settle(UpgradeStatus.REJECTED)

    def expire(self) -> None:
        """Refuse it: its time is over."""
        self.settle(UpgradeStatus.EXPIRED)

    def withdraw(self) -> None:
        """Note that there is nothing to answer any more."""
        if self._answer is not None:
            self._answer = None
            assign(self.status, UpgradeStatus.WITHDRAWN)
