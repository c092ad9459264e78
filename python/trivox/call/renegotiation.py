"""Changes of a call's media that the far end must agree to: one offer at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, final

from trivox.call.wish import Add, Introduce
from trivox.errors import StreamUpdateFailedError, TrivoxError
from trivox.sip.offer_answer import OfferState

if TYPE_CHECKING:
    from trivox.actor.receipt import Receipt
    from trivox.call.local_audio import LocalAudio
    from trivox.call.wish import Change, Introduction, MediaWish
    from trivox.sip.invite_session import InviteSession


class Line(Protocol):
    """The call, seen from its changes."""

    def may_offer(self, *, mends_path: bool) -> bool:
        """Whether an offer may go out now (RFC 3261 §14.1), or one that looks for a path."""
        ...

    def go_on_soon(self) -> None:
        """Call `Renegotiation.go_on` when this turn is over."""
        ...

    def send_offer(self, direction: str, *, restarts_ice: bool) -> None:
        """Send a re-INVITE that offers this direction, and a new ICE generation if asked for."""
        ...

    def introduce(self, introduction: Introduction) -> None:
        """Tell the far end who is here now, without a change of the media."""
        ...

    def publish(self, before: MediaWish, after: MediaWish) -> None:
        """Tell everybody what is in force now."""
        ...


@final
class Renegotiation:
    """First come, first served; what comes in one turn goes into one offer.

    A change is checked when it is asked for, by its owner, and again when its turn has come. Once
    begun it is carried to its end, whoever still waits for it.
    """

    def __init__(self, line: Line, audio: LocalAudio) -> None:
        self._line = line
        self._audio = audio
        self._waiting: deque[Change] = deque()
        self._running: tuple[Change, ...] = ()
        self._wish = audio.wish
        self.is_backing_off = False
        """An offer crossed theirs: the next one waits for its time."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self._running and not self._waiting

    @property
    def is_running(self) -> bool:
        """Whether an offer is out."""
        return bool(self._running)

    @property
    def introduction(self) -> Introduction | None:
        """Who the request that is out tells of; None when it changes the media."""
        first = self._running[0] if self._running else None
        return first.introduction if isinstance(first, Introduce) else None

    def ask(self, change: Change) -> Receipt[None]:
        """Take a change in; the receipt says what came of it."""
        if change.mends_path:
            self._waiting.appendleft(change)
        else:
            self._waiting.append(change)
        if not self._running:
            self._line.go_on_soon()
        return change.receipt

    def go_on(self) -> None:
        """Begin what waits, if it may begin; call it whenever that may have changed."""
        if self._running or self.is_backing_off or not self._waiting:
            return
        if not self._line.may_offer(mends_path=self._waiting[0].mends_path):
            return
        self._running, self._wish = self._next_batch()
        if not self._running:
            return
        first = self._running[0]
        if isinstance(first, Introduce):
            self._line.introduce(first.introduction)
            return
        restarts_ice = self._wish.ice_restarts != self._audio.wish.ice_restarts
        if self._wish.asked == self._audio.told and not restarts_ice:
            self.accept()
        else:
            self._line.send_offer(self._wish.direction, restarts_ice=restarts_ice)

    def accept(self) -> None:
        """Put in force what was offered."""
        done, self._running = self._running, ()
        if isinstance(done[0], Introduce):
            done[0].receipt.resolve(None)
            if self._waiting:
                self._line.go_on_soon()
            return
        before = self._audio.wish
        refused = self._audio.refused(self._wish)
        told = replace(self._wish, streams=self._wish.streams - refused)
        self._audio.told = told.asked
        for stream in refused:
            self._audio.close(stream)
        # A stream may have been closed while the far end was asked.
        wish = self._audio.without_closed(told)
        self._audio.agree(wish)
        self._line.publish(before, wish)
        for change in done:
            if isinstance(change, Add) and change.stream in refused:
                text = f"the far end does not take {change.stream.id}"
                change.receipt.fail(StreamUpdateFailedError(text))
            else:
                change.receipt.resolve(None)
        if self._waiting:
            self._line.go_on_soon()

    def refuse(self, error: Exception) -> None:
        """Leave all as it was."""
        failed, self._running = self._running, ()
        for change in failed:
            change.discard(self._audio)
            change.receipt.fail(error)
        if self._waiting:
            self._line.go_on_soon()

    def back_off(self) -> None:
        """Put what was offered back to the front: offers have crossed (491)."""
        self.put_back()
        self.is_backing_off = True

    def put_back(self) -> None:
        """Put what was to be offered back to the front."""
        for change in reversed(self._running):
            change.discard(self._audio)
            self._waiting.appendleft(change)
        self._running = ()

    def close(self, error: Exception) -> None:
        """Fail all that runs or waits: the call has ended."""
        left = (*self._running, *self._waiting)
        self._running = ()
        self._waiting.clear()
        for change in left:
            change.receipt.fail(error)

    def _next_batch(self) -> tuple[tuple[Change, ...], MediaWish]:
        batch: list[Change] = []
        wish = self._audio.wish
        while self._waiting and not (batch and (self._waiting[0].is_alone or batch[0].is_alone)):
            change = self._waiting.popleft()
            try:
                change.check(wish)
                change.prepare(self._audio)
            except TrivoxError as error:
                change.receipt.fail(error)
                continue
            wish = change.apply(wish)
            batch.append(change)
        return tuple(batch), wish


def is_changed_early(session: InviteSession | None) -> bool:
    """Whether media was agreed before our answer, so that an UPDATE can change it (RFC 3311 §5.1)."""
    is_told = session is not None and session.early_tag == ""
    return is_told and session is not None and session.offer_state is OfferState.STABLE
