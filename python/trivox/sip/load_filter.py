"""What load filters leave of our own requests (RFC 7200 §4.8, §5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox._native import Uri
from trivox.errors import ParseError
from trivox.sip.load_control import MAX_RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.sip.load_control import CallIdentity, LoadControl, LoadIdentity, LoadRule

FILTERED: Final = frozenset({"INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH"})
"""What begins something, of which a rule is that names no method; REGISTER it has to name.

What belongs to a dialog, or ends one, is never filtered (§5.3.2).
"""
_UNSENT: Final = 32.0
"""Seconds a place in a window is kept for a request that has not left yet."""
_SEPARATORS: Final = str.maketrans("", "", "-.() ")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that is to leave, as filters see it.

    Attributes:
        method: Its method.
        caller: URI of From.
        target: Request-URI, and To.
        asserted: URIs of P-Asserted-Identity.
        hops: Hosts by which the next hop is known.
    """

    method: str
    caller: str
    target: str
    asserted: tuple[str, ...] = ()
    hops: frozenset[str] = frozenset()


@final
class Claim:
    """The place of one request in the windows of filters, until its final response.

    Attributes:
        until: When it ends by itself: a request that never left, of a call given up say.
    """

    __slots__ = ("until",)

    def __init__(self, now: float) -> None:
        self.wait(now)

    @property
    def is_settled(self) -> bool:
        """Whether the request was answered, or never will be."""
        return self.until == -math.inf

    def wait(self, now: float) -> None:
        """Keep the place for a while: the request is to leave, or again with a password."""
        self.until = now + _UNSENT

    def take(self) -> None:
        """Keep the place: the request has left."""
        self.until = math.inf

    def settle(self) -> None:
        """Give the place back."""
        self.until = -math.inf


@final
class LoadFilter:
    """The rules of one server, and how much of them is used up. Sans-I/O.

    `refusal` looks, `count` takes: so a request that another filter holds back uses nothing up. A
    rule with a rate begins with what is accepted in a second, one at least, and gets it back at
    that rate; in a window there is a place for each request until its `Claim` is settled.
    """

    def __init__(self) -> None:
        self._rules: dict[str, LoadRule] = {}
        self._buckets: dict[str, tuple[float, float]] = {}
        self._claims: dict[str, set[Claim]] = {}
        self._version = -1
        self._source = ""

    @property
    def rules(self) -> tuple[LoadRule, ...]:
        """The rules that stand."""
        return tuple(self._rules.values())

    def take(self, document: LoadControl, source: str) -> None:
        """Take what the server tells; one older than the last is passed over.

        Of more than 256 rules those go that were told of longest ago.

        Args:
            document: What it tells.
            source: Another for each subscription: with it the versions begin anew.
        """
        if source == self._source and document.version <= self._version:
            return
        self._source, self._version = source, document.version
        rules = {} if document.is_full else self._rules
        for rule in document.rules:
            rules.pop(rule.id, None)  # so that it is the youngest
            rules[rule.id] = rule
        self._rules = dict([*rules.items()][-MAX_RULES:])
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if name in self._rules
        }
        for name in self._claims.keys() - self._rules.keys():
            del self._claims[name]

    def clear(self) -> None:
        """Drop all: the server no longer stands for them."""
        self._rules.clear()
        self._buckets.clear()
        self._claims.clear()

    def refusal(
        self, request: Outgoing, now: float, today: float, draw: Callable[[], float]
    ) -> LoadRule | None:
        """Return the rule that holds a request back, or None.

        Args:
            request: That is to leave.
            now: Seconds on the monotonic clock.
            today: The present, seconds since 1970 in UTC.
            draw: Returns a number from 0 to 1, another each time.
        """
        for rule in self._matching(request, today):
            if rule.rate is not None and self._left(rule, rule.rate, now) < 1:
                return rule
            if rule.window is not None and self._waiting(rule, now) + 1 > rule.window:
                return rule
            if rule.percent is not None and draw() * 100 >= rule.percent:
                return rule
        return None

    def count(self, request: Outgoing, now: float, today: float, claim: Claim) -> bool:
        """Take that a request leaves; returns whether it has a place in a window by that claim."""
        has_place = False
        for rule in self._matching(request, today):
            if rule.rate is not None:
                self._buckets[rule.id] = self._left(rule, rule.rate, now) - 1, now
            if rule.window is not None:
                self._claims.setdefault(rule.id, set()).add(claim)
                has_place = True
        return has_place

    def _waiting(self, rule: LoadRule, now: float) -> int:
        """Return how many requests wait for their final response, and let the others go."""
        live = {one for one in self._claims.get(rule.id, ()) if one.until > now}
        self._claims[rule.id] = live
        return len(live)

    def _matching(self, request: Outgoing, today: float) -> list[LoadRule]:
        return [rule for rule in self._rules.values() if _fits(rule, request, today)]

    def _left(self, rule: LoadRule, rate: float, now: float) -> float:
        """Return how many requests a rule lets through now."""
        most = max(1.0, rate) if rate > 0 else 0.0
        left, since = self._buckets.get(rule.id, (most, now))
        return min(most, left + (now - since) * rate)


def _fits(rule: LoadRule, request: Outgoing, today: float) -> bool:
    if not rule.is_understood or request.method not in (rule.methods or FILTERED):
        return False
    if rule.entity and _host_of(rule.entity) not in request.hops:
        return False
    if rule.validity and not any(begin <= today < end for begin, end in rule.validity):
        return False
    return not rule.calls or any(_is_meant(call, request) for call in rule.calls)


def _is_meant(call: CallIdentity, request: Outgoing) -> bool:
    fields = (
        (call.callers, (request.caller,)),
        (call.callees, (request.target,)),
        (call.targets, (request.target,)),
        (call.asserted, request.asserted),
    )
    return all(
        not wanted or any(_is_one_of(one, uri) for one in wanted for uri in given)
        for wanted, given in fields
    )


def _is_one_of(identity: LoadIdentity, uri: str) -> bool:
    if identity.uri:
        return is_same(identity.uri, uri)
    if identity.prefix:
        number = number_of(uri)
        prefix, excepted = _digits(identity.prefix), map(_digits_of_any, identity.excepted)
        return number.startswith(prefix) and not any(
            one and number.startswith(one) for one in excepted
        )
    host = _host_of(uri)
    if identity.domain and host != identity.domain.lower():
        return False
    return not any(
        is_same(one, uri) if ":" in one else host == one.lower() for one in identity.excepted
    )


def is_same(one: str, other: str) -> bool:
    """Whether two URIs are of one user, or of one number however it is written."""
    number = number_of(one)
    is_global = number.startswith("+") or "tel" in (one[:3].lower(), other[:3].lower())
    if number and number == number_of(other) and is_global:
        return True
    try:
        first, second = Uri.parse(one), Uri.parse(other)
    except ParseError:
        return False
    return (first.user, first.host.lower()) == (second.user, second.host.lower())


def number_of(uri: str) -> str:
    """Return the number a URI stands for, without separators; empty for none."""
    scheme, _, rest = uri.partition(":")
    user = rest.partition(";")[0].partition("@")[0]
    is_number = scheme.lower() in ("tel", "sip", "sips") and (
        "@" in rest or scheme.lower() == "tel"
    )
    digits = _digits(user)
    return digits if is_number and digits.removeprefix("+").isdigit() else ""


def _digits(text: str) -> str:
    return text.translate(_SEPARATORS)


def _digits_of_any(excepted: str) -> str:
    """Return the digits of a prefix or of a URI that a kind of numbers leaves out."""
    return number_of(excepted) if ":" in excepted else _digits(excepted)


def _host_of(uri: str) -> str:
    try:
        return Uri.parse(uri).host.lower()
    except ParseError:
        return ""
