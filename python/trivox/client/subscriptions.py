"""The subscriptions of a client's program, and which of them a NOTIFY belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox.call.argument_rules import checked_body, checked_names
from trivox.call.header_rules import HeaderArguments, checked_headers, checked_mime_type, is_token
from trivox.client.subscription import Subscription
from trivox.client.targets import target_of
from trivox.errors import InvalidArgumentsError, RequiredParameterError
from trivox.errors.checks import checked_kind, checked_number
from trivox.sip.event_headers import EventName
from trivox.sip.event_packages import CONTENT_TYPES
from trivox.sip.load_control import LOAD_CONTROL
from trivox.sip.subscription import Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trivox._native import Message
    from trivox.actor.listeners import StartSoon
    from trivox.call.host import Route, Timer
    from trivox.client.account import Account
    from trivox.client.exchange import TokenOwner
    from trivox.client.wiring import Wiring
    from trivox.sip.outputs import Forget, Headers, Remember, SendRequest, SendResponse

    Dialog = tuple[str, str]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a program wants to be told of."""

    target: str
    event: EventName
    expires: int
    accept: tuple[str, ...]
    headers: Headers
    body: bytes
    content_type: str
    account: Account | None


def asked_for(
    uri: str,
    event: str,
    account: Account | None,
    *,
    expires: int,
    accept: Iterable[str] | None,
    headers: HeaderArguments,
    body: str | bytes | None,
    content_type: str | None,
) -> Asked:
    """Check the arguments of `Client.subscribe`. Raises InvalidArgumentsError and its kinds."""
    package, _, identifier = checked_kind(event, str, "event").partition(";id=")
    if not is_token(package) or (identifier and not is_token(identifier)):
        raise InvalidArgumentsError(f"{event!r} is no event: write its package, 'message-summary'")
    if accept is None:
        accept = (CONTENT_TYPES[package],) if package in CONTENT_TYPES else ()
    data = checked_body(body)
    if data and content_type is None:
        raise RequiredParameterError("a body needs its content_type")
    return Asked(
        target=target_of(uri, account),
        event=EventName(package, identifier),
        expires=int(checked_number(expires, "expires", least=1, unit=" second")),
        accept=tuple(checked_mime_type(kind).lower() for kind in checked_names(accept, "accept")),
        headers=checked_headers(headers),
        body=data,
        content_type=checked_mime_type(content_type) if content_type is not None else "",
        account=account,
    )


@final
class Subscriptions:
    """Knows all subscriptions; the host of each.

    Args:
        wiring: Sends, and keeps time.
        limit: Subscriptions at a time.
    """

    def __init__(self, wiring: Wiring, limit: int) -> None:
        self._wiring = wiring
        self._limit = limit
        self._all: set[Subscription] = set()
        self._by_dialog: dict[Dialog, TokenOwner] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def new(self, asked: Asked) -> Subscription:
        """Make one. Raises InvalidArgumentsError when there are too many."""
        return Subscription(self, asked)

    def expect(self, dialog: Dialog, owner: TokenOwner) -> None:
        """Expect the NOTIFYs of a subscription that a REFER makes."""
        self._by_dialog[dialog] = owner

    def expect_no_more(self, dialog: Dialog) -> None:
        """Take that no further one will come."""
        self._by_dialog.pop(dialog, None)

    def find(self, notify: Message) -> TokenOwner | None:
        """Return the subscription of a NOTIFY that no token claims: of the first, or of a fork."""
        _, _, call_id, _, to_tag, *_ = notify.key()
        return self._by_dialog.get((call_id, to_tag))

    def close(self) -> None:
        """End all."""
        for subscription in tuple(self._all):
            subscription.close()

    # The host of a subscription.

    @property
    def leave_timeout(self) -> float:
        """Seconds leaving a subscription waits for its last NOTIFY."""
        return self._wiring.hangup_timeout

    @property
    def start_soon(self) -> StartSoon:
        """Starts a task in the supervisor."""
        return self._wiring.start_soon

    def now(self) -> float:
        """Return Trio's time; within a batch of events, the batch's."""
        return self._wiring.now()

    def call_at(self, at: float, act: Callable[[], None]) -> Timer:
        """Call `act` at that time."""
        return self._wiring.call_at(at, act)

    async def route(self, asked: Asked) -> Route:
        """Resolve where it goes."""
        # What asks for filters is not held back by them.
        method = "" if asked.event.package == LOAD_CONTROL else "SUBSCRIBE"
        return await self._wiring.routes.towards(asked.target, asked.account, method=method)

    def wish(self, asked: Asked, route: Route) -> Wish:
        """Return what is asked for, with fresh names."""
        new_id = self._wiring.new_id
        return Wish(
            identity=route.identity,
            target=asked.target,
            event=asked.event,
            call_id=new_id(),
            local_tag=new_id(),
            cnonce=new_id(),
            jitter=new_id.fraction(),
            expires=asked.expires,
            accept=asked.accept,
            headers=asked.headers,
            body=asked.body,
            content_type=asked.content_type,
        )

    def enter(self, subscription: Subscription, dialog: Dialog) -> int:
        """Expect messages for it; returns its token. Raises InvalidArgumentsError: too many."""
        if subscription not in self._all and len(self._all) >= self._limit:
            raise InvalidArgumentsError(
                f"there are {self._limit} subscriptions: end some, or raise max_subscriptions"
            )
        token = self._wiring.exchange.new_token()
        self._all.add(subscription)
        self._by_dialog[dialog] = subscription
        self._wiring.exchange.enter(token, subscription)
        return token

    def release(self, token: int, dialog: Dialog) -> None:
        """Expect nothing more in that dialog."""
        self._by_dialog.pop(dialog, None)
        self._wiring.exchange.release(token)

    def leave(self, subscription: Subscription) -> None:
        """Forget one that has ended."""
        self._all.discard(subscription)

    def send(self, token: int, route: Route, output: SendRequest) -> int:
        """Send a SUBSCRIBE."""
        return self._wiring.exchange.send(token, route, output)

    def respond(self, output: SendResponse, token: int) -> None:
        """Answer a NOTIFY."""
        self._wiring.endpoint.respond(output, token=token)

    def remember(self, output: Remember, token: int) -> None:
        """Put a dialog into the core's table."""
        self._wiring.endpoint.remember(output, token=token)

    def forget(self, output: Forget) -> None:
        """Drop a dialog from the core's table."""
        self._wiring.endpoint.forget(output)
