"""ICE candidates that come and go apart from the descriptions of a call (RFC 8838, RFC 8840)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call.telling import Telling
from trivox.errors import EngineError, StreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.media_leg import MediaLeg

MOST_WAITING: Final = 16
"""Fragments kept until the description they belong to is there; the oldest goes first."""
_CANDIDATE: Final = "a=candidate:"
_UFRAG: Final = "a=ice-ufrag:"


@final
class Trickling:
    """The fragments of one call: those of the far end, and ours.

    What each early dialog is told of ours is a `Telling`, so that every branch of a fork hears of
    all candidates; the one that wins goes on with what it knows.
    """

    __slots__ = (
        "_fragment",
        "_leg",
        "_may_send",
        "_refused",
        "_send",
        "_tellings",
        "_waiting",
        "gathered",
        "has_begun",
        "has_heard",
        "is_first_offer",
        "is_rest_due",
    )

    def __init__(
        self,
        leg: MediaLeg,
        send: Callable[[str, Telling], None],
        may_send: Callable[[str], bool],
        refused: Callable[[], None],
    ) -> None:
        """Make one that knows nothing yet.

        Args:
            leg: The call's media.
            send: Sends a fragment by INFO; its outcome is to be told to the telling.
            may_send: Whether both ends know the dialog of that tag by now.
            refused: A fragment was refused: who was told no more is told otherwise.
        """
        self._leg = leg
        self._send = send
        self._may_send = may_send
        self._refused = refused
        self._waiting: deque[str] = deque()
        self._fragment = ""
        """All candidates of ours that are known, as one fragment."""
        self._tellings: dict[str, Telling] = {}
        self.has_begun = False
        """The engine tells of candidates that no description has had."""
        self.has_heard = False
        """A request of the far end's in the dialog was one."""
        self.is_first_offer = False
        """Our first offer did not wait for its candidates."""
        self.is_rest_due = False
        """What it lacked is to be offered, as soon as no other change is out."""
        self.gathered: trio.Event | None = None
        """Set when nothing more comes of servers; None while nobody has asked them aside."""

    @property
    def is_agreed(self) -> bool:
        """Whether somebody is told of candidates by fragments."""
        return any(not telling.is_refused for telling in self._tellings.values())

    @property
    def has_candidates(self) -> bool:
        """Whether there is any candidate of ours."""
        return _CANDIDATE in self._fragment

    def begin(self) -> None:
        """Have the engine tell of candidates that no description has had."""
        self.has_begun = True
        self._leg.sessions.trickle(self._leg.session, is_gathering=False)

    def begin_gathering(self) -> trio.Event:
        """Let descriptions go without what servers are asked for; set the event when they are done."""
        self.has_begun = True
        self._leg.sessions.trickle(self._leg.session, is_gathering=True)
        self.gathered = trio.Event()
        return self.gathered

    def tell(self, tag: str, *, known: str = "", is_confirmed: bool = True) -> None:
        """Note that the far end of a dialog takes fragments, and tell it what it lacks.

        Args:
            tag: Of the early dialog, the far end's; empty for a call that came to us.
            known: What our description has told it, as a fragment.
            is_confirmed: It knows that we know of it; otherwise a fragment shows it that, though
                there be nothing new (RFC 8840 §4.3.2).
        """
        self._fragment = self._fragment or known
        if tag not in self._tellings:
            told = known if is_confirmed else ""
            self._tellings[tag] = Telling(tag, told, self.go_on, self._refused)
        self.go_on()

    def settle(self, tag: str) -> None:
        """Forget the branches that have lost."""
        self._tellings = {name: one for name, one in self._tellings.items() if name == tag}

    def give_up(self) -> None:
        """Tell nobody any more: what is offered next has all candidates, or is without ICE."""
        self._tellings = {}
        self._fragment = ""
        self.is_first_offer = False

    def end_gathering(self) -> None:
        """Note that nothing will come of gathering: the far end is told that these were all."""
        if self._leg.is_open:
            self._leg.sessions.trickle(self._leg.session, is_gathering=False)
            self.note_candidates()

    def take_untrusted(self, body: bytes) -> bool:
        """Take a fragment of the far end; False for what is none.

        It waits where its description is not here yet.
        """
        text = body.decode(errors="replace")
        self.has_heard = True
        if not self._leg.remote_sdp:
            self._keep(text)
            return True
        try:
            self._look_into(text)
        except (StreamError, EngineError):
            self._leg.refused_candidates += _candidates_in(text)
            return False
        return True

    def follow(self) -> None:
        """Look again into fragments that waited: a description of the far end is here."""
        waiting, self._waiting = self._waiting, deque()
        for text in waiting:
            try:
                self._look_into(text)
            except (StreamError, EngineError):
                self._leg.refused_candidates += _candidates_in(text)

    def _look_into(self, text: str) -> None:
        leg = self._leg
        if leg.sessions.take_fragment_untrusted(leg.session, leg.screen(text)) == "unknown":
            self._keep(text)

    def _keep(self, text: str) -> None:
        if len(self._waiting) == MOST_WAITING:
            self._leg.refused_candidates += _candidates_in(self._waiting.popleft())
        self._waiting.append(text)

    def note_candidates(self) -> None:
        """Take that there is something to tell: a candidate of ours, or that there are no more."""
        leg = self._leg
        if leg.is_open:
            self._fragment = leg.sessions.fragment(leg.session) or self._fragment
        self.go_on()

    def go_on(self) -> None:
        """Send what there is to tell, to whom the way is free."""
        # Those of a generation that a restart has replaced are nobody's business any more.
        if not self._leg.is_open or _generation(self._fragment) not in self._leg.local_sdp:
            return
        for telling in tuple(self._tellings.values()):
            if self._may_send(telling.tag) and telling.take(self._fragment):
                self._send(self._fragment, telling)


def _generation(fragment: str) -> str:
    return next((line for line in fragment.splitlines() if line.startswith(_UFRAG)), _UFRAG)


def _candidates_in(text: str) -> int:
    return max(text.count(_CANDIDATE), 1)
