"""What a proxy can keep to itself of who asks for privacy, and who is told what (RFC 3323, RFC 3325).

A proxy passes Via, Contact, Record-Route and the session description on, and the From that both ends
know their dialog by. Hiding these is the work of a back-to-back user agent; where it is asked for, the
request goes on with that part of its wish, or is refused if the wish is critical. Whom a request was
for before it was sent on (History-Info) it can leave out, in requests; so the wish for that goes on too.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.errors import InvalidArgumentsError, ParseError
from trivox.errors.checks import checked_iterable
from trivox.sip.party import (
    ANONYMOUS_NAME,
    ANONYMOUS_URI,
    ASSERTED,
    PRIVACY,
    PRIVACY_KINDS,
)
from trivox.switchboard.identity import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox._native import Message
    from trivox.sip.outputs import Headers

OPTION_TAG: Final = "privacy"
_PROXY_REQUIRE: Final = "Proxy-Require"
# What a user agent leaves out that wants to be nobody (RFC 3323 §4.1), and is needed for nothing.
_INFORMATIONAL: Final = (
    *("Subject", "Call-Info", "Organization", "User-Agent", "Reply-To", "In-Reply-To"),
)
_ANONYMOUS_HOST: Final = Uri.parse(ANONYMOUS_URI).host
HISTORY: Final = "History-Info"
_HIDES_HISTORY: Final = frozenset({"history", "header", "session"})
"""What anonymises the history (RFC 7044 §10.1.1): whoever hides more hides it too."""
_ENTRY_WISH: Final = re.compile(r"[?&]privacy=(?:[^&]*(?:;|%3b))?history", re.IGNORECASE)
_CREDENTIALS: Final = "Proxy-Authorization"
_REALM: Final = re.compile(r'\brealm\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@final
class PrivacyService:
    """Tells which headers of a forwarded request are left out or put, towards whom.

    Args:
        domain: Of our users.
        trusted: Networks of our trust domain: those there are told who calls.

    Raises:
        InvalidArgumentsError: One of them is no network.
    """

    def __init__(self, domain: str, trusted: Iterable[str] = ()) -> None:
        self._realm = domain.lower()
        self._domain = f"[{domain}]" if ":" in domain else domain
        if isinstance(trusted, str):
            raise InvalidArgumentsError("trusted is a sequence of networks, such as '10.1.0.0/16'")
        try:
            networks = checked_iterable(trusted, "trusted")
            self._trusted = tuple(ipaddress.ip_network(str(one)) for one in networks)
        except ValueError as error:
            raise InvalidArgumentsError(f"trusted: {error}") from error

    def refusal(self, message: Message) -> Refusal | None:
        """Return the 500 for a critical wish that cannot be granted here (RFC 3323 §5)."""
        wishes = _wishes_untrusted(message)
        if "critical" not in wishes or "none" in wishes:
            return None
        granted = _granted(message) | {"critical"}
        left = [one for one in wishes if one not in granted]
        # A peer's own words are not repeated where a phrase of ours is expected.
        named = dict.fromkeys(one if one in PRIVACY_KINDS else "unknown" for one in left)
        return Refusal(500, reason=f"Privacy Failure: {', '.join(named)}") if left else None

    def replaced(self, message: Message, user: str, host: str) -> Headers:
        """Return the headers to replace in a request, "" for nothing.

        Args:
            message: The request.
            user: Of ours who has proved to have sent it; "" for nobody.
            host: Where it goes.
        """
        is_trusted = self._is_trusted(host)
        told = self._credentials(message)
        if user and is_trusted:
            told += ((ASSERTED, f"<sip:{user}@{self._domain}>"),)
        wishes = _wishes_untrusted(message)
        if not is_trusted:
            told += self._history(message, wishes)
        if not wishes or "none" in wishes:
            return told
        granted = _granted(message)
        if is_trusted:
            granted -= {"id"}  # the trust domain goes on keeping it (RFC 3325 §7)
        if "user" in wishes:
            told += tuple((name, "") for name in _INFORMATIONAL)
        left = [one for one in wishes if one not in granted]
        if set(left) <= {"critical"}:
            tags = message.values(_PROXY_REQUIRE)
            others = [tag for tag in tags if tag.strip().lower() != OPTION_TAG]
            return (*told, (PRIVACY, ""), (_PROXY_REQUIRE, ", ".join(others)))
        return (*told, (PRIVACY, ";".join(left)))

    def _history(self, message: Message, wishes: list[str]) -> Headers:
        """Make nobody of whom in our domain the request was for before (RFC 7044 §10.1.2)."""
        given = message.values(HISTORY)
        if not given or "none" in wishes:
            return ()
        is_asked = not _HIDES_HISTORY.isdisjoint(wishes)
        told = [
            _without_target(entry)
            if self._is_ours(entry) and (is_asked or _hides(entry))
            else entry
            for entry in given
        ]
        return () if told == given else ((HISTORY, ", ".join(told)),)

    def _is_ours(self, entry: str) -> bool:
        try:
            return Uri.parse(NameAddr.parse(entry).uri).host.lower() == self._realm
        except ParseError:
            return False

    def _credentials(self, message: Message) -> Headers:
        """Keep what proves a password of ours here: it names the user, and could be guessed at."""
        given = message.headers(_CREDENTIALS)
        if not given:
            return ()
        others = [one for one in given if _realm_untrusted(one) != self._realm]
        return ((_CREDENTIALS, ""), *((_CREDENTIALS, one) for one in others))

    def _is_trusted(self, host: str) -> bool:
        if not self._trusted:
            return False
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _wishes_untrusted(message: Message) -> list[str]:
    """Return the priv-values of a request in their order, also those nobody knows (RFC 3323 §4.2)."""
    lines = message.headers(PRIVACY)
    words = [word.strip().lower() for line in lines for word in line.replace(",", ";").split(";")]
    return [word for word in dict.fromkeys(words) if word]


def _realm_untrusted(credentials: str) -> str | None:
    found = _REALM.search(credentials)
    return found[1].lower() if found else None


def _granted(message: Message) -> set[str]:
    """Return what is done for a request: "user" only for who is nobody in From already."""
    return {"id", "user"} if _is_anonymous(message) else {"id"}


def _hides(entry: str) -> bool:
    """Tell whether an entry of a history has a wish of its own, as a header of its URI."""
    return _ENTRY_WISH.search(entry.partition(">")[0]) is not None


def _without_target(entry: str) -> str:
    """Return an entry that tells its place in the history, and no longer who that was."""
    return f"<{ANONYMOUS_URI}>{entry.partition('>')[2]}"


def _is_anonymous(message: Message) -> bool:
    try:
        address = NameAddr.parse(message.header("From") or "")
        host = Uri.parse(address.uri).host
    except ParseError:
        return False
    is_unnamed = address.display_name.lower() in ("", ANONYMOUS_NAME.lower())
    return is_unnamed and host == _ANONYMOUS_HOST
