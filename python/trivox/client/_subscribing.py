"""Subscribing to events, as a part of the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.argument_rules import checked_names
from trivox.client.account import account_of
from trivox.client.load_filters import ObeyedFilters
from trivox.client.subscriptions import asked_for
from trivox.sip.load_control import LOAD_CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.call.header_rules import HeaderArguments
    from trivox.client.account import Account
    from trivox.client.arrivals import Arrivals
    from trivox.client.subscription import Subscription
    from trivox.client.wiring import Wiring


class ClientSubscribing:
    """The part of a client that is about other people's events."""

    _accounts: dict[str, Account]
    _arrivals: Arrivals
    _wiring: Wiring

    def subscribe(
        self,
        uri: str,
        event: str,
        *,
        expires: int = 3600,
        accept: Iterable[str] | None = None,
        headers: HeaderArguments = None,
        body: str | bytes | None = None,
        content_type: str | None = None,
        account: Account | None = None,
    ) -> Subscription:
        """Be told of an event: `async with client.subscribe(uri, "message-summary") as it:`.

        Entering sends SUBSCRIBE and raises SubscriptionError if it is refused; then iterate over
        what is told. It is refreshed in time; leaving ends it (RFC 6665 §4.1).

        Args:
            uri: Whose state: a SIP URI, or a user of the account's domain.
            event: The package: "message-summary", "dialog", …
            expires: Seconds asked for at a time.
            accept: Types of body; None: the package's own, or any.
            headers: Of each SUBSCRIBE.
            body: Of the first SUBSCRIBE, a filter.
            content_type: Its type.
            account: As whom; None: the first account, if there is any.

        Raises:
            InvalidArgumentsError, InvalidUriError, InvalidHeaderError: An argument is wrong.
        """
        account = account_of(account, self._accounts)
        asked = asked_for(
            uri,
            event,
            account,
            expires=expires,
            accept=accept,
            headers=headers,
            body=body,
            content_type=content_type,
        )
        return self._arrivals.subscriptions.new(asked)

    def obey_load_filters(
        self, uri: str, *, exempt: Iterable[str] = (), account: Account | None = None
    ) -> ObeyedFilters:
        """Send less where a server asks for it: `async with client.obey_load_filters(uri):`.

        Entering subscribes to the server's filters (`load-control`, RFC 7200). While inside, what
        they do not accept of calls, messages, subscriptions and other requests outside of dialogs
        is not sent and raises HeldBackError, a call fails with 503. Leaving drops them.

        Args:
            uri: Of the server.
            exempt: URIs, users or numbers that are never held back, such as those of emergencies.
            account: As whom; None: the first account, if there is any.

        Raises:
            InvalidArgumentsError, InvalidUriError: An argument is wrong.
        """
        subscription = self.subscribe(uri, LOAD_CONTROL, account=account)
        wiring = self._wiring
        spared = checked_names(exempt, "exempt")
        return ObeyedFilters(wiring.routes.filters, subscription, wiring.start_soon, tuple(spared))
