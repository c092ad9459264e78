"""Record-Route entries that remember a flow, so that requests in a dialog find it (RFC 5626 §5.2)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.net.route import sip_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address, Flow
    from trivox.switchboard.identity import Identity

_SIGNATURE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Hop:
    """A flow and the address at its far end."""

    flow: int
    address: Address


@dataclass(frozen=True, slots=True)
class Routes:
    """A Route set without the entries that were ours."""

    rest: tuple[str, ...]
    hop: Hop | None
    """What the last entry of ours remembers: the side of the dialog the request goes to."""


@final
class FlowTokens:
    """Makes and reads the Record-Route entries of this switchboard.

    A token names a flow and an address, and is signed: nobody can make us send anywhere else.
    """

    def __init__(self, endpoint: Endpoint, identity: Identity) -> None:
        self._endpoint = endpoint
        self._identity = identity

    def record_route(self, came_by: Hop, leaves_by: Hop) -> str:
        """Return two entries, the one for the far side first: each side sees a transport it has."""
        entries = [self._entry(hop) for hop in (leaves_by, came_by)]
        return ", ".join(entry for entry in entries if entry)

    def strip(self, routes: Sequence[str]) -> Routes:
        """Take our own entries off the top of a Route set (RFC 3261 §16.4)."""
        hop: Hop | None = None
        for index, route in enumerate(routes):
            try:
                uri = Uri.parse(NameAddr.parse(route).uri)
            except ParseError:
                return Routes(tuple(routes[index:]), hop)
            found = self._read_untrusted(uri.user)
            if found is None and not self._identity.is_own_uri(uri):
                return Routes(tuple(routes[index:]), hop)
            hop = found or hop
        return Routes((), hop)

    def _entry(self, hop: Hop) -> str:
        flow = self._endpoint.flow(hop.flow)
        if flow is None:
            return ""
        token = self._token(hop)
        local = self._local(flow, hop)
        return f"<{sip_uri(local, flow.transport, token)};lr>"

    def _local(self, flow: Flow, hop: Hop) -> Address:
        local = self._endpoint.local_address(flow, hop.address)
        self._identity.add_address(local)
        return local

    def _token(self, hop: Hop) -> str:
        host, port = hop.address
        data = f"{hop.flow},{port},{host}".encode()
        return base64.urlsafe_b64encode(self._identity.sign(data) + data).decode().rstrip("=")

    def _read_untrusted(self, token: str) -> Hop | None:
        try:
            padded = token.encode("ascii") + b"=" * (-len(token) % 4)
            signed = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        signature, data = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not data or self._identity.sign(data) != signature:
            return None
        flow, port, host = data.decode().split(",", 2)
        return Hop(int(flow), (host, int(port)))
