"""Where requests leave by: to a target of ours, within a dialog, and to one the network named."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from trivox._native import Uri
from trivox.errors import (
    ConnectionNetworkError,
    InvalidUriError,
    NotSupportedError,
    ParseError,
    TargetRefusedError,
)
from trivox.net.eyeballs import first_to_stand, rivals, wins_alone
from trivox.net.interfaces import beside
from trivox.net.route import host_port, is_ipv6, is_wildcard
from trivox.net.target import SECURE
from trivox.net.tls_identity import is_identified
from trivox.net.udp import UdpFlow

if TYPE_CHECKING:
    from trivox.net.dns_cache import Blocklist
    from trivox.net.flows import AnyFlow, FlowTable
    from trivox.net.own_address import OwnAddress
    from trivox.net.resolver import Resolver
    from trivox.net.target import Target
    from trivox.net.transport import Address, Flow
    from trivox.sip.target_filter import TargetFilter


@final
class NextHops:
    """Finds flows, also for requests within dialogs, and refuses targets that nobody may name.

    Args:
        flows: All there are.
        resolver: Knows names.
        own: Knows our end of routes.
        targets: Judges addresses by the flow that carried them.
    """

    def __init__(
        self, flows: FlowTable, resolver: Resolver, own: OwnAddress, targets: TargetFilter
    ) -> None:
        self._flows = flows
        self._resolver = resolver
        self._own = own
        self.filter: Final = targets

    @property
    def blocklist(self) -> Blocklist:
        """Targets that failed a moment ago."""
        return self._resolver.blocklist

    def live_flow(self, flow: int) -> AnyFlow | None:
        """Return a flow, made anew to the same far end if it was ours and is closed."""
        known = self._flows.get(flow)
        if known is None:
            with suppress(OSError, NotSupportedError):
                known = self._flows.reopened(flow, self._own.route)
        return known

    def flow_to(self, target: Target) -> AnyFlow:
        """Return the flow to a target; see `Endpoint.flow_to`."""
        remote = target.address
        try:
            if target.transport == "udp":
                return self._flows.datagram_flow(remote[0], self._own.route)
            return self._flows.connection_to(
                target.transport, remote, host=target.host, route=self._own.route
            )
        except OSError as error:
            raise ConnectionNetworkError(f"no way to {host_port(remote)}") from error

    def first_flow(self, target: Target) -> tuple[AnyFlow, Address]:
        """Return the flow to the first address of a target that there is a way to.

        Raises:
            ConnectionNetworkError: There is a way to none.
            NotSupportedError: It needs the `ws` extra.
        """
        failure: ConnectionNetworkError | None = None
        for address in target.addresses:
            try:
                return self.flow_to(dataclasses.replace(target, addresses=(address,))), address
            except ConnectionNetworkError as error:
                failure = failure or error
        raise failure or ConnectionNetworkError(f"{target.host} has no address")

    async def quickest_flow(self, target: Target) -> tuple[AnyFlow, Address]:
        """Return the flow to the best address, or to the other family's where that stands sooner.

        What did not stand in time is tried last for a while, and closed if nothing waits for it.
        Errors as of `first_flow`.
        """
        pair = rivals(target)
        if pair is None:
            return self.first_flow(target)
        flow, address = self.first_flow(target)
        if address != pair[0] or isinstance(flow, UdpFlow) or await wins_alone(flow):
            return flow, address
        try:
            other = self.flow_to(dataclasses.replace(target, addresses=(pair[1],)))
        except ConnectionNetworkError:
            return flow, address
        if isinstance(other, UdpFlow) or await first_to_stand(flow, other) is flow:
            return flow, address
        if flow.wire.outbox.is_empty:
            flow.close()
        until = trio.current_time() + self.blocklist.LIFETIME
        self.blocklist.add(target.transport, address, until)
        return other, pair[1]

    def next_hop(
        self, uri: str, flow: int, source: Address, *, is_secure: bool = False
    ) -> tuple[AnyFlow, Address] | None:
        """Return where an in-dialog request goes; see `Endpoint.next_hop`."""
        known = self._flows.get(flow)
        own = self.live_flow(flow)
        if own is not None and own.remote is not None:
            hop: tuple[AnyFlow, Address] | None = (own, own.remote)
        else:
            hop = self._by_uri(uri, known, source)
        if hop is None and known is not None:
            hop = known, source
        return None if hop is None or (is_secure and hop[0].transport not in SECURE) else hop

    def local_host(self, flow: Flow | None, peer: str) -> str:
        """Return our end of a flow to a host, or of the route to it; never the advertised one."""
        is_bound = flow is not None and not is_wildcard(flow.local[0])
        return flow.local[0] if flow is not None and is_bound else self._own.route(peer)

    def media_hosts(self, host: str) -> tuple[str, ...]:
        """Return one of our addresses and, if we listen on all of them, the others behind it."""
        if not self._flows.is_everywhere:
            return (host,)
        return beside(host, self._own.hosts())

    def leads_to(self, uri: str, flow: int, source: Address) -> bool:
        """Tell whether a URI leads to where a message came from, without asking anybody.

        By what its connection has proved, by its number, or by what the DNS has said before.
        """
        known = self._flows.get(flow)
        with suppress(InvalidUriError, NotSupportedError, ConnectionNetworkError, ParseError):
            if known is not None and not isinstance(known, UdpFlow) and known.wire.peer_names:
                return is_identified(Uri.parse(uri).host, known.wire.peer_names)
            target = self._resolver.resolve_now(uri) or self._resolver.resolve_known(uri)
            if target is None or known is None:
                return False
            if isinstance(known, UdpFlow):
                return source in target.addresses
            return any(host == source[0] for host, _ in target.addresses)
        return False

    def permit(self, target: Target, flow: int, source: Address) -> Target:
        """Return what of a resolved target may be sent to: of a Refer-To, a 3xx, a name.

        Args:
            target: What the URI resolved to.
            flow: The flow that carried the URI.
            source: Where that message came from.

        Raises:
            TargetRefusedError: None of its addresses may be.
        """
        known = self._flows.get(flow)
        allowed = tuple(
            address for address in target.addresses if self._is_allowed(address[0], known, source)
        )
        if not allowed:
            raise TargetRefusedError(f"{target.host} is no target for what came from {source[0]}")
        if len(allowed) == len(target.addresses):
            return target
        return dataclasses.replace(target, addresses=allowed)

    def _by_uri(
        self, uri: str, known: AnyFlow | None, source: Address
    ) -> tuple[AnyFlow, Address] | None:
        """Return the hop that the far end named, if it may and if nobody need be asked for it."""
        with suppress(InvalidUriError, NotSupportedError, ConnectionNetworkError):
            target = self._resolver.resolve_now(uri)
            if target is None and known is None:
                target = self._resolver.resolve_known(uri)
            if target is None or not self._is_allowed(target.address[0], known, source):
                return None
            is_udp = isinstance(known, UdpFlow) and target.transport == "udp"
            if known is not None and is_udp and _is_same_family(known.local, target.address):
                # The far end knows the dialog by the address that this socket has.
                return known, target.address
            return self.flow_to(target), target.address
        return None

    def _is_allowed(self, host: str, flow: Flow | None, source: Address) -> bool:
        """Judge a target; where a message came from itself is no new target."""
        if host == source[0]:
            return True
        # Of a connection that is gone the route tells which end was ours.
        return self.filter.allows(host, self.local_host(flow, source[0]))


def _is_same_family(one: Address, other: Address) -> bool:
    return is_ipv6(one[0]) == is_ipv6(other[0])
