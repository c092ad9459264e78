"""SUBSCRIBEs that come in: which are offered to the program, and how many there may be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, final

from trivox.call.messages import headers_of, party_untrusted
from trivox.client.watcher import SubscriptionRequested, Watcher
from trivox.errors import ConnectionNetworkError
from trivox.sip.event_headers import read_event_untrusted, seconds_untrusted
from trivox.sip.notifier import Notifier
from trivox.sip.subscription_table import NotifierState

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message, SipEvent
    from trivox.call.host import Route, Timer
    from trivox.client.account import Account
    from trivox.client.client import Client
    from trivox.client.wiring import Wiring
    from trivox.sip.outputs import Forget, Headers, SendRequest, SendResponse

UNDECIDED: Final = 8.0
"""Seconds a program has for its yes; then 603."""
LEAST_EXPIRES: Final = 60
"""Seconds below which a subscription would cost more than it tells: 423 (RFC 6665 §4.2.1.1)."""

Refusal = tuple[int, str, "Headers"]


@final
class Watchers:
    """Knows who subscribed here; the host of each."""

    def __init__(self, client: Client, wiring: Wiring) -> None:
        self._client = client
        self._wiring = wiring
        self._all: dict[Watcher, str] = {}
        self._by_source: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    @property
    def allow_events(self) -> Headers:
        """The Allow-Events header: what can be subscribed to, and `refer` inside calls."""
        return (("Allow-Events", ", ".join((*self._client.config.event_packages, "refer"))),)

    def take(self, event: SipEvent, request: Message, account: Account | None) -> Refusal | None:
        """Offer a new SUBSCRIBE to the program, or return how it is refused."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        watcher = self.admit(event, request, account)
        if not isinstance(watcher, Watcher):
            return watcher
        self._offer(watcher, request)
        return None

    def admit(
        self, event: SipEvent, request: Message, account: Account | None
    ) -> Watcher | Refusal:
        """Return who subscribes, not answered yet, or how it is refused: where there are too many."""
        _, _, tx, _, _, _, _, source = event
        config, wiring, new_id = self._client.config, self._wiring, self._wiring.new_id
        is_full = len(self._all) >= config.max_subscriptions
        if is_full or self._by_source[source[0]] >= config.max_subscriptions_per_source:
            return 503, "Service Unavailable", wiring.retry_after
        try:
            route = wiring.routes.back(request, event, account)
        except (ConnectionNetworkError, OSError):
            return 503, "Service Unavailable", ()
        notifier = Notifier(
            request, tx, identity=route.identity, local_tag=new_id(), cnonce=new_id()
        )
        token = wiring.exchange.new_token()
        from_uri = party_untrusted(request.dialog()[3])[1] or ""
        watcher = Watcher(self, notifier, token, route, uri=request.uri, from_uri=from_uri)
        self._all[watcher] = source[0]
        self._by_source[source[0]] += 1
        wiring.exchange.enter(token, watcher)
        return watcher

    def close(self) -> None:
        """End all: their subscribers may come again at once, to another server (RFC 6665 §4.1.3)."""
        for watcher in tuple(self._all):
            watcher.terminate("deactivated")

    def _refusal(self, request: Message) -> Refusal | None:
        config = self._client.config
        event = read_event_untrusted(request)
        if event is None or event.package not in config.event_packages:
            return 489, "Bad Event", self.allow_events
        if not self._client._has_listener(SubscriptionRequested):
            return 403, "Forbidden", ()
        expires = seconds_untrusted(request.header("Expires"))
        if expires is not None and 0 < expires < LEAST_EXPIRES:
            return 423, "Interval Too Brief", (("Min-Expires", str(LEAST_EXPIRES)),)
        return None

    def _offer(self, watcher: Watcher, request: Message) -> None:
        now = self.now()
        self.call_at(now + UNDECIDED, lambda: _expire_offer(watcher))
        self._client._emit(
            SubscriptionRequested(
                at=now,
                event=watcher.event,
                uri=watcher.uri,
                from_uri=watcher.from_uri,
                headers=headers_of(request),
                body=request.body,
                watcher=watcher,
            )
        )

    # The host of a watcher.

    def now(self) -> float:
        """Return Trio's time; within a batch of events, the batch's."""
        return self._wiring.now()

    def call_at(self, at: float, act: Callable[[], None]) -> Timer:
        """Call `act` at that time."""
        return self._wiring.call_at(at, act)

    def leave(self, watcher: Watcher, token: int) -> None:
        """Forget one that is over."""
        source = self._all.pop(watcher)
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]
        self._wiring.exchange.release(token)

    def send(self, token: int, route: Route, output: SendRequest) -> int:
        """Send a NOTIFY."""
        return self._wiring.exchange.send(token, route, output)

    def respond(self, output: SendResponse, token: int) -> None:
        """Answer a SUBSCRIBE."""
        self._wiring.endpoint.respond(output, token=token)

    def forget(self, output: Forget) -> None:
        """Drop a dialog from the core's table."""
        self._wiring.endpoint.forget(output)


def _expire_offer(watcher: Watcher) -> None:
    if watcher.state.value is NotifierState.OFFERED:
        watcher._undecided()
