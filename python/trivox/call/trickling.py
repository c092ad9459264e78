"""ICE candidates that come and go apart from the descriptions of a call (RFC 8838, RFC 8840)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

from trivox.errors import EngineError, StreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.media_leg import MediaLeg
    from trivox.call.messages import SipResponse

MOST_WAITING: Final = 16
"""Fragments kept until the description they belong to is there; the oldest goes first."""
_CANDIDATE: Final = "a=candidate:"


@final
class Trickling:
    """The fragments of one call: those of the far end, and ours.

    Ours leave one at a time, each with all candidates so far, as a far end may take them in any
    order otherwise (RFC 8840 §4.4). It takes the answers to them as `Outcome`.
    """

    __slots__ = (
        "_has_news",
        "_is_agreed",
        "_is_out",
        "_leg",
        "_may_send",
        "_send",
        "_waiting",
        "has_begun",
        "has_heard",
    )

    def __init__(
        self, leg: MediaLeg, send: Callable[[str], None], may_send: Callable[[], bool]
    ) -> None:
        """Make one that knows nothing yet.

        Args:
            leg: The call's media.
            send: Sends a fragment by INFO; its outcome is to be told here.
            may_send: Whether both ends know the dialog by now.
        """
        self._leg = leg
        self._send = send
        self._may_send = may_send
        self._waiting: deque[str] = deque()
        self.has_begun = False
        """The far end is known to take fragments, or was."""
        self.has_heard = False
        """A request of the far end's in the dialog was one."""
        self._is_agreed = False
        self._is_out = False
        self._has_news = False

    def begin(self, *, is_gathering: bool) -> None:
        """Note that the far end takes fragments, and whether we shall have candidates for them."""
        self.has_begun = self._is_agreed = True
        self._leg.sessions.trickle(self._leg.session, is_gathering=is_gathering)

    def end_gathering(self) -> None:
        """Note that nothing will come of gathering: the far end is told that these were all."""
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
        self._has_news = True
        self.go_on()

    def go_on(self) -> None:
        """Send what there is to tell, if the way is free."""
        is_idle = self._has_news and self._is_agreed and not self._is_out
        if not is_idle or not self._leg.is_open or not self._may_send():
            return
        self._has_news = False
        fragment = self._leg.sessions.fragment(self._leg.session)
        if fragment:
            self._is_out = True
            self._send(fragment)

    def resolve(self, response: SipResponse) -> None:
        """Take the answer to a fragment; who refuses one gets no more."""
        self._is_out = False
        self._is_agreed = response.is_success
        self.go_on()

    def fail(self, error: Exception) -> None:
        """Take that a fragment has no answer."""
        del error
        self._is_out = self._is_agreed = False


def _candidates_in(text: str) -> int:
    return max(text.count(_CANDIDATE), 1)
