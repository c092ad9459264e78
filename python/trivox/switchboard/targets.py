"""Where a request goes: the contacts of a user, or the other side of a dialog (RFC 3261 §16.4, §16.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox.errors import InvalidUriError, NotSupportedError, TransportError
from trivox.switchboard.identity import Refusal

if TYPE_CHECKING:
    from trivox._native import Message, Uri
    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address, Flow
    from trivox.switchboard.flow_token import Routes
    from trivox.switchboard.gruu import Gruus
    from trivox.switchboard.identity import Identity
    from trivox.switchboard.location import Binding, LocationTable


@dataclass(frozen=True, slots=True)
class Target:
    """One place to forward to."""

    uri: str
    flow: Flow
    destination: Address
    path: tuple[str, ...] = ()
    """Route values before those of the request (RFC 3327 §5.4)."""


@final
class Targets:
    """Finds targets in the location table, and by the flows that our own Route values name."""

    def __init__(
        self, endpoint: Endpoint, identity: Identity, location: LocationTable, gruus: Gruus
    ) -> None:
        self._gruus = gruus
        self._endpoint = endpoint
        self._identity = identity
        self._location = location

    def find(
        self, message: Message, uri: Uri, routes: Routes, now: float
    ) -> list[Target] | Refusal:
        """Return where a request goes, or why nowhere.

        Raises:
            ParseError: A header does not parse.
        """
        named = self._gruus.find_untrusted(uri, now) if self._identity.is_own_uri(uri) else None
        if named is not None:
            return self._named_target(named)
        if message.to_tag:
            return self._inside_target(message, uri, routes, now)
        if not self._identity.is_own_uri(uri) or not self._identity.is_user(uri.user):
            return Refusal(404)
        found = [self._binding_target(one) for one in self._location.reachable(uri.user, now)]
        known = [target for target in found if target is not None]
        return self._unthrottled(known, now) if known else Refusal(480)

    def _named_target(self, named: Binding | int) -> list[Target] | Refusal:
        """Return the one device that a GRUU names (RFC 5627 §6), whatever way it has by now."""
        target = Refusal(named) if isinstance(named, int) else self._binding_target(named)
        if isinstance(target, Refusal):
            return target
        return [target] if target is not None else Refusal(480)

    def _unthrottled(self, targets: list[Target], now: float) -> list[Target] | Refusal:
        """Leave out who asked for less (RFC 7339 §5.3); 503 without Retry-After if that is all."""
        core = self._endpoint.core
        left = [target for target in targets if not core.is_throttled(target.destination, now)]
        return left or Refusal(503)

    def _inside_target(
        self, message: Message, uri: Uri, routes: Routes, now: float
    ) -> list[Target] | Refusal:
        """Find the other side of a dialog: by the flow we noted, or by its registered contact."""
        if routes.hop is not None:
            target = self._hop_target(message.uri, routes)
        else:
            binding = self._location.find_contact(uri, now)
            if binding is None:
                return Refusal(404)
            target = self._binding_target(binding)
        return [target] if target is not None else Refusal(480)

    def _hop_target(self, uri: str, routes: Routes) -> Target | None:
        assert routes.hop is not None, "the caller has looked"
        hop = routes.hop
        flow = self._endpoint.flow(hop.flow)
        if flow is not None and flow.remote is not None:
            return Target(uri, flow, flow.remote)
        next_uri = routes.rest[0].partition("<")[2].partition(">")[0] if routes.rest else uri
        try:
            target = self._endpoint.resolve_now(next_uri)
            if target is not None and target.address[0] == hop.address[0]:
                return Target(uri, self._endpoint.flow_to(target), target.address)
        except (InvalidUriError, NotSupportedError, TransportError):
            target = None
        return Target(uri, flow, hop.address) if flow is not None else None

    def _binding_target(self, binding: Binding) -> Target | None:
        flow = self._endpoint.flow(binding.flow)
        if binding.is_connection:
            if flow is None or flow.remote is None:
                return None
            return Target(binding.contact, flow, flow.remote, binding.path)
        if binding.transport != "udp":
            try:
                target = self._endpoint.resolve_now(binding.hop)
                found = None if target is None else self._endpoint.flow_to(target)
            except (InvalidUriError, NotSupportedError, TransportError):
                return None
            flow = found
        if flow is None:
            return None
        return Target(binding.contact, flow, binding.destination, binding.path)
