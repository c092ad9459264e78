"""Load filters that a client obeys (RFC 7200): what a server wants held back stays here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, final

from trivox._native import EVENT_RESPONSE, NameAddr, Uri
from trivox.errors import HeldBackError, ParseError
from trivox.sip.load_control import LoadControl
from trivox.sip.load_filter import Claim, LoadFilter, Outgoing, is_same, number_of
from trivox.sip.party import ASSERTED, read_parties_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from trivox._native import SipEvent
    from trivox.actor.listeners import StartSoon
    from trivox.call.host import Route
    from trivox.client.subscription import Subscription
    from trivox.sip.load_control import LoadRule

_CHALLENGES: Final = frozenset({401, 407})


def present() -> float:
    """Return the present by the system's clock, seconds since 1970: validities are dates."""
    return time.time()


@final
class LoadFilters:
    """All filters that a client obeys.

    Args:
        now: Seconds on the monotonic clock.
        draw: Returns a number from 0 to 1, another each time.
    """

    def __init__(self, now: Callable[[], float], draw: Callable[[], float]) -> None:
        self.now = now
        self._draw = draw
        self.followed: list[ObeyedFilters] = []
        self.held_back = 0
        """Requests that were not sent."""

    def check(self, method: str, target: str, route: Route) -> Claim | None:
        """Let a request leave, or raise HeldBackError; returns its place in windows, if it has one.

        Args:
            method: Its method.
            target: Its Request-URI.
            route: Where it goes, and as whom.
        """
        request = _outgoing(method, target, route)
        now, today = self.now(), present()
        meant = [one for one in self.followed if not one.lets_pass(target)]
        for one in meant:
            rule = one.filter.refusal(request, now, today, self._draw)
            if rule is not None:
                self.held_back += 1
                one.held_back += 1
                raise _held_back(rule, request)
        claim = Claim(now)
        places = [one.filter.count(request, now, today, claim) for one in meant]
        return claim if any(places) else None


@final
class Outstanding:
    """Requests that have a place in a window, by token, until their final response."""

    def __init__(self) -> None:
        self.waiting: dict[int, tuple[int, Claim]] = {}

    def sent(self, token: int, tx: int, claim: Claim) -> None:
        """Take that the request of a claim has left, or left again with a password."""
        if not claim.is_settled:  # what keeps alive what it began has no place
            claim.take()
            self.waiting[token] = tx, claim

    def take(self, event: SipEvent, now: float) -> None:
        """Take what comes of a request."""
        kind, token, tx, _, status, *_ = event
        waiting = self.waiting.get(token)
        if waiting is None or waiting[0] != tx or (kind == EVENT_RESPONSE and status < 200):
            return
        self.forget(token)
        if status in _CHALLENGES:
            waiting[1].wait(now)

    def forget(self, token: int) -> None:
        """Take that nobody waits for the request any more."""
        waiting = self.waiting.pop(token, None)
        if waiting is not None:
            waiting[1].settle()


@final
class ObeyedFilters:
    """The filters of one server: `async with client.obey_load_filters(uri) as filters:`.

    Entering subscribes to them, leaving ends that and drops them. They are dropped too when the
    server ends the subscription for good; while it is begun anew they stand.

    Attributes:
        held_back: Requests that were not sent.
    """

    def __init__(
        self,
        desk: LoadFilters,
        subscription: Subscription,
        start_soon: StartSoon,
        exempt: tuple[str, ...],
    ) -> None:
        self.filter = LoadFilter()
        self.held_back = 0
        self._desk = desk
        self._subscription = subscription
        self._start_soon = start_soon
        self._exempt = exempt

    @property
    def rules(self) -> tuple[LoadRule, ...]:
        """The rules that stand now."""
        return self.filter.rules

    async def __aenter__(self) -> ObeyedFilters:
        """Subscribe. Raises SubscriptionError, TransportError."""
        await self._subscription.__aenter__()
        self._desk.followed.append(self)
        self._start_soon(self._follow, name="load filters")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drop the filters, and end the subscription."""
        self._drop()
        await self._subscription.__aexit__(kind, value, traceback)

    def lets_pass(self, target: str) -> bool:
        """Whether a target is one that the program never holds back."""
        return any(_is_exempt(one, target) for one in self._exempt)

    async def _follow(self) -> None:
        async for told in self._subscription:
            if isinstance(told.value, LoadControl):
                self.filter.take(told.value, told.notifier)
        self._drop()

    def _drop(self) -> None:
        self.filter.clear()
        if self in self._desk.followed:
            self._desk.followed.remove(self)


def _outgoing(method: str, target: str, route: Route) -> Outgoing:
    identity = route.identity
    told = [value for name, value in identity.headers if name == ASSERTED]
    first = identity.routes[0] if identity.routes else f"<{target}>"
    return Outgoing(
        method=method,
        caller=identity.uri,
        target=target,
        asserted=tuple(party.uri for party in read_parties_untrusted(told)),
        hops=frozenset({_host_of(first), route.destination[0].lower()}),
    )


def _held_back(rule: LoadRule, request: Outgoing) -> HeldBackError:
    text = f"{request.method} {request.target} is held back by the load filter {rule.id!r}"
    target = rule.alternative_target if rule.alternative == "redirect" else ""
    return HeldBackError(text, rule=rule.id, alternative=target)


def _is_exempt(one: str, target: str) -> bool:
    if ":" in one:
        return is_same(one, target)
    number = number_of(f"tel:{one}")
    if number and number == number_of(target):
        return True
    try:
        return Uri.parse(target).user == one
    except ParseError:
        return False


def _host_of(value: str) -> str:
    try:
        return Uri.parse(NameAddr.parse(value).uri).host.lower()
    except ParseError:
        return ""
