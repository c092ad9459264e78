"""Which local address a peer can reach us at: a wildcard never leaves the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.net.transport import Address

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})
_LIFETIME: Final = 30.0  # seconds; an interface that goes away is noticed within it
_CAPACITY: Final = 4096


def is_wildcard(host: str) -> bool:
    """Tell whether `host` is an address to bind to and not one to be reached at."""
    return host in _WILDCARDS


def is_ipv6(host: str) -> bool:
    """Tell an IPv6 address from an IPv4 one, both as numbers."""
    return ":" in host


def host_port(address: Address) -> str:
    """Write `host:port`, an IPv6 host in brackets (RFC 5118 §4.1)."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def sip_uri(address: Address, transport: str, user: str = "") -> str:
    """Write `sip:user@host:port;transport=…`."""
    prefix = f"{user}@" if user else ""
    return f"sip:{prefix}{host_port(address)};transport={transport}"


@final
class RouteTable:
    """The local host of the route to each peer, looked up once in a while and remembered.

    Args:
        look_up: Returns the local host for a peer's host or raises OSError; for real sockets
            a connected UDP socket tells it without sending anything.
    """

    def __init__(self, look_up: Callable[[str], str]) -> None:
        self._look_up = look_up
        self._known: dict[str, tuple[float, str]] = {}

    def local_host(self, peer: str, now: float) -> str:
        """Return the local host of the route to `peer`; a loopback address when there is none."""
        known = self._known.get(peer)
        if known is not None and now < known[0]:
            return known[1]
        try:
            host = self._look_up(peer)
        except OSError:
            host = ""
        if not host or is_wildcard(host):
            host = "::1" if is_ipv6(peer) else "127.0.0.1"
        if len(self._known) >= _CAPACITY:
            self._known.clear()
        self._known[peer] = (now + _LIFETIME, host)
        return host
