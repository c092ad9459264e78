"""Who we are to a peer: what Via, Contact, Record-Route and SDP carry."""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, Final, final
from urllib.parse import quote

from trivox.errors import InvalidArgumentsError
from trivox.net.route import RouteTable, host_port, is_ipv6, is_wildcard, sip_uri
from trivox.net.target import WEBSOCKETS, numeric_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.net.transport import Address, Flow, SocketFactory

_USER: Final = "-_.!~*'()&=+$,;?/"
"""What stands unescaped in the user part of a URI, beside letters and digits (RFC 3261 §25.1)."""
_LAST_PORT: Final = 65_535
_PORT_DIGITS: Final = 5
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-.]*[A-Za-z0-9])?\.?")
_HOSTS_LIFETIME: Final = 30.0  # seconds; an interface that comes or goes is noticed within it


@final
class OwnAddress:
    """Our addresses as peers see them: of the route to the peer, or the advertised one.

    A WebSocket client has no address to be reached at and goes by a random name under `.invalid`
    (RFC 7118 §5).
    """

    def __init__(
        self,
        advertised: str | None,
        seed: bytes,
        sockets: SocketFactory,
        listening_port: Callable[[str, str], int | None],
        now: Callable[[], float],
    ) -> None:
        """Take what is known about us.

        Args:
            advertised: Host, or host:port, told in place of our own.
            seed: Random bytes the name under `.invalid` is derived from.
            sockets: Know the route to a peer, and the addresses of the machine.
            listening_port: Port that connections (transport, host) are accepted at.
            now: The time in seconds.
        """
        self._advertised = _split(advertised)
        self._routes = RouteTable(sockets.route_to)
        self._sockets = sockets
        self._hosts: tuple[str, ...] = ()
        self._hosts_until = -math.inf
        self._listening_port = listening_port
        self._now = now
        name = hashlib.blake2b(seed[:64], digest_size=6, person=b"ws name").hexdigest()
        self._websocket_name = f"{name}.invalid"

    def route(self, peer: str) -> str:
        """Return the local host of the route to `peer`."""
        return self._routes.local_host(peer, self._now())

    def hosts(self) -> tuple[str, ...]:
        """Return the addresses of the machine, asked for twice a minute at most."""
        now = self._now()
        if now >= self._hosts_until:
            self._hosts = self._sockets.local_hosts()
            self._hosts_until = now + _HOSTS_LIFETIME
        return self._hosts

    def address(self, flow: Flow, peer: Address) -> Address:
        """Return the address that `peer` reaches us at: never a wildcard."""
        host, port = flow.local
        if is_wildcard(host):
            host = self.route(peer[0])
        if flow.transport != "udp":
            port = self._listening_port(flow.transport, host) or port
        advertised, advertised_port = self._advertised
        if advertised and (not numeric_host(advertised) or is_ipv6(advertised) == is_ipv6(host)):
            return advertised, advertised_port or port
        return host, port

    def sent_by(self, flow: Flow, peer: Address) -> str:
        """Return the sent-by of our Via (RFC 3261 §18.1.1, RFC 7118 §5)."""
        if self._is_websocket_client(flow):
            return self._websocket_name
        return host_port(self.address(flow, peer))

    def contact(self, flow: Flow, peer: Address, user: str, *, is_secure: bool = False) -> str:
        """Return `<sip:user@host:port;transport=…>` for a Contact to `peer`.

        With `is_secure` it is `sips`, where TLS is understood and not named (RFC 5630 §3.1.4).
        """
        user = quote(user, safe=_USER, errors="surrogateescape")
        scheme = "sips" if is_secure else "sip"
        prefix = f"{user}@" if user else ""
        if self._is_websocket_client(flow):
            return f"<{scheme}:{prefix}{self._websocket_name};transport=ws>"
        address = self.address(flow, peer)
        if is_secure:
            suffix = ";transport=ws" if flow.transport in WEBSOCKETS else ""
            return f"<sips:{prefix}{host_port(address)}{suffix}>"
        return f"<{sip_uri(address, flow.transport, user)}>"

    def _is_websocket_client(self, flow: Flow) -> bool:
        return flow.transport in WEBSOCKETS and not flow.accepted


def _split(advertised: str | None) -> tuple[str, int]:
    """Split an advertised address into host and port; port 0 when it names none."""
    if not advertised:
        return "", 0
    if numeric_host(advertised.strip("[]")):
        return advertised.strip("[]"), 0
    host, colon, port = advertised.rpartition(":")
    if not colon:
        host, port = advertised, "0"
    is_number = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    is_port = is_number and 0 <= int(port) <= _LAST_PORT and (int(port) > 0 or not colon)
    bare = host.strip("[]")
    if not is_port or not (numeric_host(bare) or _HOST_NAME.fullmatch(bare)):
        raise InvalidArgumentsError(
            f"advertised is {advertised!r}; give a host, or host:port, as others are to reach us"
        )
    return bare, int(port)
