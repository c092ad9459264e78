"""Where the requests of a client go, and who we are there."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.call.host import Route
from trivox.client.caller import caller_of
from trivox.client.service_route import routes_by
from trivox.errors import ConnectionInterruptedError, ConnectionNetworkError, ParseError
from trivox.net.target import SECURE, is_sips
from trivox.sip.identity import LocalIdentity
from trivox.sip.party import hides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trivox._native import Message, SipEvent
    from trivox.call.settings import CallSettings
    from trivox.client.account import Account
    from trivox.client.config import ClientConfig
    from trivox.client.load_filters import LoadFilters
    from trivox.client.registration_flow import RegistrationFlow
    from trivox.net.endpoint import Endpoint
    from trivox.net.target import Target
    from trivox.net.transport import Address, Flow

_MOST_ROUTES: Final = 1024
"""Routes remembered; they are forgotten together when there are more."""
IS_CLOSED: Final = "the client is closed: open a new one"


@final
class Routes:
    """Makes the routes of calls, requests and registrations.

    Args:
        endpoint: Has the flows and resolves names.
        config: The client's.
        filters: Hold back what others asked us to.
    """

    def __init__(self, endpoint: Endpoint, config: ClientConfig, filters: LoadFilters) -> None:
        self._endpoint = endpoint
        self.filters = filters
        self._config = config
        self._known: dict[tuple[object, ...], Route] = {}
        self.learned: Callable[[Iterable[str]], None] = lambda _: None
        """Told of the addresses of an outbound proxy that no account has."""
        self.is_closed = False

    async def towards(
        self,
        target: str,
        account: Account | None,
        settings: CallSettings | None = None,
        named_by: tuple[int, Address] | None = None,
        *,
        method: str = "",
    ) -> Route:
        """Resolve where a request to `target` goes, and who we are there.

        Args:
            target: The Request-URI.
            account: As whom.
            settings: Of the call.
            named_by: Flow and source of the message that named the target; None: the program did.
            method: Of what begins something, and load filters may hold back; empty: nothing does.

        Raises:
            HeldBackError: A load filter holds it back.
        """
        route = await self._towards(target, account, settings, named_by)
        return self._filtered(method, target, route)

    def _filtered(self, method: str, target: str, route: Route) -> Route:
        if not method or not self.filters.followed:
            return route
        claim = self.filters.check(method, target, route)
        return route if claim is None else dataclasses.replace(route, claim=claim)

    async def _towards(
        self,
        target: str,
        account: Account | None,
        settings: CallSettings | None,
        named_by: tuple[int, Address] | None,
    ) -> Route:
        if self.is_closed:
            raise ConnectionInterruptedError(IS_CLOSED)
        config = self._config
        if account is None:
            proxy = config.outbound_proxy
            return await self._route_by(target, None, settings, proxy, named_by=named_by)
        await account.secrets.prepare()
        own = account.flow
        proxy = (own.proxy if own is not None else account.config.proxy) or config.outbound_proxy
        if own is None or not (own.granted.service_route or own.granted.is_outbound):
            return await self._route_by(target, account, settings, proxy, named_by=named_by)
        assert own.in_use is not None, "a flow that is registered has its route"
        routes = routes_by(proxy, own.granted.service_route)
        flow = self._endpoint.flow(own.in_use.flow)
        is_secure = is_sips(target)
        has_way = flow is not None and (flow.transport in SECURE or not is_secure)
        if own.granted.is_outbound and routes and flow is not None and has_way:
            peer = own.in_use.destination
            return self._route(flow, peer, account, settings, routes, is_secure=is_secure, by=own)
        if proxy or not routes:
            return await self._route_by(target, account, settings, proxy, routes, named_by=named_by)
        # The registrar named the next hop: where it may lead is judged like any other.
        named = await self._endpoint.resolve(NameAddr.parse(routes[0]).uri)
        hop = self._endpoint.hops.permit(named, own.in_use.flow, own.in_use.destination)
        account.secrets.trust(routes[0].strip("<>"), hop.addresses, is_given=True)
        return await self._route_to(target, hop, account, settings, routes)

    async def to_registrar(self, account: Account, proxy: str | None) -> Route:
        """Resolve the registrar or the proxy before it.

        Raises:
            HeldBackError: A load filter that names REGISTER holds it back.
        """
        if self.is_closed:
            raise ConnectionInterruptedError(IS_CLOSED)
        await account.secrets.prepare()
        proxy = proxy or self._config.outbound_proxy
        route = await self._route_by(account.registrar, account, None, proxy)
        return self._filtered("REGISTER", account.registrar, route)

    async def _route_by(
        self,
        target: str,
        account: Account | None,
        settings: CallSettings | None,
        proxy: str | None,
        routes: tuple[str, ...] = (),
        *,
        named_by: tuple[int, Address] | None = None,
    ) -> Route:
        """Resolve a proxy, or the target without one, and begin the flow to it."""
        resolved = await self._endpoint.resolve(proxy or target)
        if named_by is not None and not proxy:
            resolved = self._endpoint.hops.permit(resolved, *named_by)
        if account is not None:
            account.secrets.trust(proxy or target, resolved.addresses, is_given=bool(proxy))
        elif proxy:
            self.learned([host for host, _ in resolved.addresses])
        return await self._route_to(
            target, resolved, account, settings, routes or routes_by(proxy, ())
        )

    async def _route_to(
        self,
        target: str,
        resolved: Target,
        account: Account | None,
        settings: CallSettings | None,
        routes: tuple[str, ...],
    ) -> Route:
        """Begin the flow to the first address there is a way to, or to the quicker family."""
        is_secure = is_sips(target)
        if is_secure and not resolved.is_secure:
            raise ConnectionNetworkError(
                f"{target} wants TLS all the way: the proxy has to have it"
            )
        flow, peer = await self._endpoint.hops.quickest_flow(resolved)
        route = self._route(flow, peer, account, settings, routes, is_secure=is_secure)
        return dataclasses.replace(route, target=resolved)

    def back(self, request: Message, event: SipEvent, account: Account | None) -> Route:
        """Return the route to where an incoming request came from."""
        *_, number, source = event
        flow = self._endpoint.flow(number)
        if flow is None:
            raise ConnectionNetworkError("the connection it came by is gone")
        uri, local = request.uri, self._endpoint.local_host(flow, source[0])
        known = None
        if account is not None:
            is_trusted = account.is_trusted_at(source, partial(self._endpoint.peer_names, number))
            known = (account, account.secrets.digest, is_trusted)
        gruu = _gruu_at(account, number)
        key = (number, source, local, uri, known, gruu)
        route = self._known.get(key)
        if route is None:
            user, is_secure = _user_of(uri), is_sips(uri)
            route = self._route(flow, source, account, None, (), user=user, is_secure=is_secure)
            if gruu:
                identity = dataclasses.replace(route.identity, contact=f"<{gruu}>")
                route = dataclasses.replace(route, identity=identity)
            if len(self._known) >= _MOST_ROUTES:
                self._known.clear()
            self._known[key] = route
        return route

    def _route(
        self,
        flow: Flow,
        peer: Address,
        account: Account | None,
        settings: CallSettings | None,
        routes: tuple[str, ...],
        *,
        user: str = "",
        is_secure: bool,
        by: RegistrationFlow | None = None,
    ) -> Route:
        config = self._config
        own = account.config if account is not None else None
        is_trusted = account is not None and account.is_trusted_at(
            peer, partial(self._endpoint.peer_names, flow.id)
        )
        local = self._endpoint.local_host(flow, peer[0])
        fallback = f"sip:trivox@{_bracketed(local)}"
        caller = caller_of(fallback, own, settings, is_trusted=is_trusted)
        named = user or _user_of(caller.uri)
        contact = self._endpoint.contact(flow, peer, named, is_secure=is_secure)
        if by is not None:
            # Requests within the dialog are to come by this very flow (RFC 5626 §4.3).
            is_hidden = settings is not None and hides(settings.privacy)
            # The public one names us, in its user as in its device (RFC 5627 §4.3).
            gruu = by.granted.temporary_gruu if is_hidden else by.granted.gruu
            contact = f"<{gruu}>" if gruu else contact.replace(">", ";ob>")
        identity = LocalIdentity(
            uri=caller.uri,
            contact=contact,
            display_name=caller.display_name,
            is_trusted=is_trusted,
            headers=caller.headers,
            routes=routes,
            digest=account.secrets.digest if account is not None else None,
            user_agent="" if settings and hides(settings.privacy) else config.user_agent,
            events=(*config.event_packages, "refer"),
        )
        return Route(flow.id, peer, local, identity, is_secure=is_secure)


def _gruu_at(account: Account | None, number: int) -> str:
    """Return the device's own URI where it is reached by the flow it was granted on (§4.3)."""
    own = account.flow if account is not None else None
    if account is None or own is None or own.in_use is None or own.in_use.flow != number:
        return ""
    is_hidden = hides(account.config.settings.privacy)
    return (own.granted.temporary_gruu if is_hidden else own.granted.gruu) or ""


def _user_of(uri: str) -> str:
    try:
        return Uri.parse(uri).user
    except ParseError:
        return ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
