"""Who somebody is and how a call got here, as headers tell it: typed values, nothing followed.

P-Asserted-Identity, P-Preferred-Identity and Privacy (RFC 3325, 3323, 5876) mean something between
peers that trust each other only: from anybody else they are a claim, and to anybody else a leak.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final
from urllib.parse import unquote

from trivox._native import NameAddr
from trivox.errors import ParseError
from trivox.sip.header_values import split_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from trivox.sip.outputs import Headers

ASSERTED: Final = "P-Asserted-Identity"
PREFERRED: Final = "P-Preferred-Identity"
PRIVACY: Final = "Privacy"
ANONYMOUS_URI: Final = "sip:anonymous@anonymous.invalid"
"""From of who withholds its identity (RFC 3323 §4.1.1.3)."""
ANONYMOUS_NAME: Final = "Anonymous"
PRIVACY_KINDS: Final = frozenset({"header", "session", "user", "none", "critical", "id", "history"})
"""priv-values of RFC 3323 §4.2, RFC 3325 §9.3 and RFC 7044 §10.1."""
_HIDING: Final = frozenset({"user", "id", "header"})
_TRUSTED_ONLY: Final = frozenset({ASSERTED.lower(), PREFERRED.lower(), PRIVACY.lower()})
_MOST_VALUES: Final = 32
_MOST_DIGITS: Final = 9
# What is quoted or in angle brackets holds commas of its own; what is never closed ends the value.
_COMMA: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|<[^>]*(?:>|\Z)|,', re.DOTALL)


@final
@dataclass(frozen=True, slots=True)
class Party:
    """A name and an address.

    Attributes:
        uri: A SIP or tel URI.
        display_name: Unquoted; None when there is none.
    """

    uri: str
    display_name: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Diversion:
    """One diversion of the call on its way (RFC 5806).

    Attributes:
        party: Who diverted it.
        reason: "user-busy", "no-answer", "unconditional", "deflection", …; "unknown" when unsaid.
        counter: Diversions this entry stands for; 1 when unsaid.
        privacy: "full", "name", "uri" or "off"; empty when unsaid.
        is_screened: Whether the network has verified the party.
    """

    party: Party
    reason: str = "unknown"
    counter: int = 1
    privacy: str = ""
    is_screened: bool = False


@final
@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One target the call has had (RFC 7044).

    Attributes:
        party: The target.
        index: Its place in the tree of targets, "1.1".
        reason: Value of the Reason why it was left, `SIP;cause=302`; empty for none.
        mapped_from: Index of the target it was derived from, by `rc`, `mp` or `np`; empty for none.
        change: "rc", "mp" or "np": how it was derived; empty for none.
        is_private: Whether the target asks not to be told further.
    """

    party: Party
    index: str
    reason: str = ""
    mapped_from: str = ""
    change: str = ""
    is_private: bool = False


@final
@dataclass(frozen=True, slots=True)
class AlertInfo:
    """How the call asks to be rung (RFC 3261 §20.4, RFC 7462). The URI is never fetched.

    Attributes:
        uri: A ring tone, or a URN such as "urn:alert:service:call-waiting".
        parameters: Names in lower case, "info" among them.
    """

    uri: str
    parameters: Mapping[str, str | None]


def read_parties_untrusted(values: Iterable[str]) -> tuple[Party, ...]:
    """Return the parties of P-Asserted-Identity lines; what cannot be read is passed over."""
    return tuple(_party(address) for address in _addresses(values))


def read_privacy_untrusted(values: Iterable[str]) -> frozenset[str]:
    """Return the kinds of privacy that are asked for (RFC 3323 §4.2)."""
    words = (word.strip().lower() for value in values for word in re.split("[;,]", value))
    return frozenset(word for word in words if word in PRIVACY_KINDS)


def read_diversions_untrusted(values: Iterable[str]) -> tuple[Diversion, ...]:
    """Return the diversions, the latest first as in the message (RFC 5806 §6)."""
    return tuple(
        Diversion(
            _party(address),
            (address.parameters.get("reason") or "unknown").lower(),
            _number(address.parameters.get("counter")) or 1,
            (address.parameters.get("privacy") or "").lower(),
            (address.parameters.get("screen") or "").lower() == "yes",
        )
        for address in _addresses(values)
    )


def read_history_untrusted(values: Iterable[str]) -> tuple[HistoryEntry, ...]:
    """Return the targets in the order of the message (RFC 7044 §7)."""
    return tuple(_entry(address) for address in _addresses(values))


def read_alert_info_untrusted(values: Iterable[str]) -> tuple[AlertInfo, ...]:
    """Return what the call asks to be rung with."""
    return tuple(AlertInfo(one.uri, one.parameters) for one in _addresses(values))


def identity_headers(party: str, privacy: Iterable[str], *, is_network: bool) -> Headers:
    """Return what tells a trusted peer who calls.

    Args:
        party: A name-addr.
        privacy: What is asked of the peer: kinds of `PRIVACY_KINDS`.
        is_network: Whether we speak as a network that has verified its user (RFC 3325 §9.1), or as
            a user that prefers one of its identities (§9.2).
    """
    asked = tuple(privacy)
    name = ASSERTED if is_network else PREFERRED
    wanted: Headers = ((PRIVACY, ";".join(asked)),) if asked else ()
    if "critical" in asked:
        # Rather refused with 420 than passed on by a proxy that cannot do it (RFC 3323 §4.2).
        wanted += (("Proxy-Require", "privacy"),)
    return ((name, party), *wanted)


def hides(privacy: Iterable[str]) -> bool:
    """Whether these kinds of privacy keep our identity out of From."""
    return not _HIDING.isdisjoint(privacy)


def permitted(headers: Headers, *, is_trusted: bool) -> Headers:
    """Return headers without those that only a trusted peer may see."""
    if is_trusted or not headers:
        return headers
    return tuple(pair for pair in headers if pair[0].lower() not in _TRUSTED_ONLY)


def unless_given(own: Headers, given: Headers) -> Headers:
    """Return our headers but those that the program gave itself."""
    names = {name.lower() for name, _ in given}
    return tuple(pair for pair in own if pair[0].lower() not in names)


def values_untrusted(lines: Iterable[str]) -> Iterator[str]:
    """Return the readable name-addrs of header lines that are lists of them."""
    return (value for value, _ in _readable(lines))


def _addresses(lines: Iterable[str]) -> Iterator[NameAddr]:
    return (address for _, address in _readable(lines))


def _readable(lines: Iterable[str]) -> Iterator[tuple[str, NameAddr]]:
    values = (part.strip() for line in lines for part in _split(line))
    for value in itertools.islice(values, _MOST_VALUES):
        try:
            yield value, NameAddr.parse(value)
        except ParseError:
            continue


def _split(line: str) -> Iterator[str]:
    start = 0
    for found in _COMMA.finditer(line):
        if found[0] == ",":
            yield line[start : found.start()]
            start = found.end()
    yield line[start:]


def _party(address: NameAddr) -> Party:
    return Party(address.uri, address.display_name or None)


def _entry(address: NameAddr) -> HistoryEntry:
    uri, embedded = split_headers(address.uri)
    told = dict.fromkeys(("reason", "privacy"), "")
    for pair in embedded.split("&"):
        name, _, value = pair.partition("=")
        if name.lower() in told:
            told[name.lower()] = unquote(value)
    change = next((name for name in ("rc", "mp", "np") if name in address.parameters), "")
    return HistoryEntry(
        Party(uri, address.display_name or None),
        address.parameters.get("index") or "",
        told["reason"],
        address.parameters.get(change) or "",
        change,
        "history" in read_privacy_untrusted((told["privacy"],)),
    )


def _number(text: str | None) -> int:
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number and text is not None else 0
