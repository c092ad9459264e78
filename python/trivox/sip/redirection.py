"""Following a 3xx: which targets, in which order, and where it stops (RFC 3261 §8.1.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.header_values import as_request_uri
from trivox.sip.invite_leg import InviteLeg
from trivox.sip.invite_table import InviteState

if TYPE_CHECKING:
    from trivox._native import Message

FOLLOWED: Final = frozenset({300, 301, 302})
"""305 and 380 ask for more than another target (RFC 3261 §21.3.4, §21.3.5)."""
MOST_REDIRECTIONS: Final = 10
"""Of one call, whatever the program allows."""
_MOST_TARGETS: Final = 10
"""Read of one response."""


def targets_untrusted(response: Message, *, is_secure: bool) -> tuple[str, ...]:
    """Return the SIP URIs of a 3xx, the most wanted first; what cannot be called is left out.

    Args:
        response: The 3xx.
        is_secure: The call is to a sips URI: only such are taken (RFC 3261 §26.4.4).
    """
    found: list[tuple[float, str]] = []
    for value in response.values("Contact")[:_MOST_TARGETS]:
        try:
            contact = NameAddr.parse(value)
            uri = Uri.parse(contact.uri)
        except ParseError:
            continue
        if uri.scheme == "sips" or (uri.scheme == "sip" and not is_secure):
            quality = _quality_untrusted(contact.parameters.get("q"))
            found.append((quality, as_request_uri(contact.uri)))
    found.sort(key=lambda pair: -pair[0])
    return tuple(dict.fromkeys(target for _, target in found))


def _quality_untrusted(value: str | None) -> float:
    """Return a q value from 0 to 1; 1 for none, 0 for one that is wrong (RFC 3261 §20.10)."""
    if value is None:
        return 1.0
    whole, _, fraction = value.partition(".")
    digits = f"{whole}{fraction}"
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
        return 0.0
    return min(1.0, int(digits) * 0.1 ** len(fraction))


def leg_for(refused: InviteLeg, target: str) -> InviteLeg:
    """Return the parts of a session that tries `target` after another one has refused."""
    return InviteLeg(
        call_id=refused.call_id,
        local_tag=refused.local_tag,
        contact=refused.contact,
        cnonce=refused.cnonce,
        digest=refused.digest,
        state=InviteState.IDLE,
        timer=refused.timer,
        target=target,
        extra_headers=refused.extra_headers,
        to=refused.to or refused.target,
        invite_cseq=refused.invite_cseq,
        reliability=refused.reliability,
    )


@final
class Redirection:
    """The targets a call has been sent to and may still try. It holds no timers.

    Args:
        target: The first target of the call.
        limit: Most responses of 3xx that are followed.
    """

    __slots__ = ("_left", "_tried", "_waiting")

    def __init__(self, target: str, limit: int) -> None:
        self._left = min(limit, MOST_REDIRECTIONS)
        self._tried = {Uri.parse(target)}
        self._waiting: list[str] = []

    def offer(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of a 3xx that may be tried: none that was before, none over the limit."""
        if not self._left:
            return ()
        self._left -= 1
        return tuple(target for target in targets if Uri.parse(target) not in self._tried)

    def take(self, targets: tuple[str, ...]) -> None:
        """Note targets to try, before those that wait already."""
        self._waiting = [*targets, *self._waiting]

    def next(self, status: int) -> str | None:
        """Return the next target after a failure; None when none is left or it was final (6xx)."""
        if status >= 600:
            return None
        while self._waiting:
            target = self._waiting.pop(0)
            uri = Uri.parse(target)
            if uri not in self._tried:
                self._tried.add(uri)
                return target
        return None
