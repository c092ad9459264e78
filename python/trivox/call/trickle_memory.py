"""Who is known to take ICE candidates after an offer, before anything is said (RFC 8840 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.info_packages import TRICKLE, packages_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.messages import Headers

MOST_KNOWN: Final = 4096
"""Far ends that are remembered; the one that was heard of longest ago goes first."""
KNOWN_FOR: Final = 3600.0
"""Seconds after which a far end may have become another one."""


@final
class TrickleMemory:
    """Remembers for each account which of its far ends take fragments.

    An address of record may lead elsewhere the next time: what is known makes an offer shorter and
    never binds, as who does not take it says so (420) and is offered all.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Remember nobody.

        Args:
            now: Seconds on the client's clock.
        """
        self._now = now
        self._until: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def knows(self, account: str, uri: str) -> bool:
        """Whether that URI, called from this account, is known to take fragments."""
        return self._until.get((account, _name_untrusted(uri)), 0.0) > self._now()

    def learn(self, account: str, uri: str, headers: Headers) -> None:
        """Take what somebody says of itself in an answer to us, or in a call whose sender is proved.

        What one device of an address can do is noted for the device too, where it has a URI of its
        own (RFC 8840 §5.2) in the same domain, whose devices are nobody else's.

        Args:
            account: As whom we speak with it.
            uri: Whom we have asked, or who has proved to be there; empty teaches nothing.
            headers: What it has sent.
        """
        takes = TRICKLE in packages_untrusted(headers.all("Supported"))
        self._note(account, uri, takes=takes)
        self._note(account, _gruu_untrusted(headers.get("Contact"), uri), takes=takes)

    def forget(self, account: str, uri: str) -> None:
        """Take that this far end does not take fragments."""
        self._note(account, uri, takes=False)

    def _note(self, account: str, uri: str, *, takes: bool) -> None:
        key = (account, _name_untrusted(uri))
        self._until.pop(key, None)  # so that it is the youngest
        if takes and key[1]:
            if len(self._until) == MOST_KNOWN:
                del self._until[next(iter(self._until))]
            self._until[key] = self._now() + KNOWN_FOR


def _gruu_untrusted(contact: str | None, owner: str) -> str:
    """Return the URI of a Contact that leads to one device wherever it is (RFC 5627), or "".

    A GRUU is of the domain of its owner (§3.1); that of another domain proves nothing.
    """
    try:
        uri = NameAddr.parse(contact or "").uri
        gruu, own = Uri.parse(uri), Uri.parse(owner)
    except ParseError:
        return ""
    is_own = gruu.host.lower() == own.host.lower()
    return uri if is_own and "gr" in gruu.parameters else ""


def _name_untrusted(uri: str) -> str:
    """Return what tells far ends apart: whom, where, and which of its devices; "" for no URI."""
    try:
        parsed = Uri.parse(uri)
    except ParseError:
        return ""
    device = parsed.parameters.get("gr")
    place = f"{parsed.user or ''}@{parsed.host.lower()}:{parsed.port or ''}"
    return place if device is None else f"{place};gr={device}"
