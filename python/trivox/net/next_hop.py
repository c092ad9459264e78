"""Where a request goes whose target the network named: a Contact, a Route, a Refer-To."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, final

from trivox.errors import (
    ConnectionNetworkError,
    InvalidUriError,
    NotSupportedError,
    TargetRefusedError,
)

if TYPE_CHECKING:
    from trivox.net.resolver import Target
    from trivox.net.transport import Address, Flow
    from trivox.sip.target_filter import TargetFilter


class HopOwner(Protocol):
    """The endpoint, seen from here."""

    def flow(self, identifier: int) -> Flow | None:
        """Return a live flow."""
        ...

    def resolve_now(self, uri: str) -> Target | None:
        """Resolve a SIP URI without waiting; None when its host is a name."""
        ...

    def flow_to(self, target: Target) -> Flow:
        """Return the flow to a target."""
        ...

    def local_host(self, flow: Flow | None, peer: str) -> str:
        """Return our end of a flow to a host, or of the route to it; never the advertised one."""
        ...


@final
class NextHops:
    """Finds the hop of requests within dialogs, and refuses targets that nobody may name.

    Args:
        owner: Has the flows.
        targets: Judges addresses by the flow that carried them.
    """

    def __init__(self, owner: HopOwner, targets: TargetFilter) -> None:
        self._owner = owner
        self.filter: Final = targets

    def next_hop(self, uri: str, flow: int, source: Address) -> tuple[Flow, Address] | None:
        """Return where an in-dialog request goes; see `Endpoint.next_hop`."""
        known = self._owner.flow(flow)
        if known is not None and known.remote is not None:
            return known, known.remote
        with suppress(InvalidUriError, NotSupportedError, ConnectionNetworkError):
            target = self._owner.resolve_now(uri)
            if target is not None and self._is_allowed(target.address[0], known, source):
                return self._owner.flow_to(target), target.address
        return (known, source) if known is not None else None

    def permit(self, target: Target, flow: int, source: Address) -> Target:
        """Return what of a resolved target may be sent to: of a Refer-To, a 3xx, a name.

        Args:
            target: What the URI resolved to.
            flow: The flow that carried the URI.
            source: Where that message came from.

        Raises:
            TargetRefusedError: None of its addresses may be.
        """
        known = self._owner.flow(flow)
        allowed = tuple(
            address for address in target.addresses if self._is_allowed(address[0], known, source)
        )
        if not allowed:
            raise TargetRefusedError(f"{target.host} is no target for what came from {source[0]}")
        if len(allowed) == len(target.addresses):
            return target
        return dataclasses.replace(target, addresses=allowed)

    def _is_allowed(self, host: str, flow: Flow | None, source: Address) -> bool:
        """Judge a target; where a message came from itself is no new target."""
        if host == source[0]:
            return True
        # Of a connection that is gone the route tells which end was ours.
        return self.filter.allows(host, self._owner.local_host(flow, source[0]))
