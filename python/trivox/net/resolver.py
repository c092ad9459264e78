"""From a SIP URI to where it is: transport, host, port, addresses (RFC 3263 without NAPTR, SRV)."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox._native import Uri
from trivox.errors import ConnectionNetworkError, InvalidUriError, NotSupportedError, ParseError

if TYPE_CHECKING:
    from trivox.net.transport import Address

TRANSPORTS: Final = ("udp", "tcp", "ws")
DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "ws": 80}
_LIFETIME: Final = 60.0  # seconds; getaddrinfo tells no time to live
_CAPACITY: Final = 1024

LookUp = Callable[[str, int], Awaitable[list["tuple[str, int]"]]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the transport and the addresses to try, best first."""

    transport: str
    host: str
    """As the URI names it, for the Host header of a WebSocket."""
    addresses: tuple[Address, ...]

    @property
    def address(self) -> Address:
        """The first address."""
        return self.addresses[0]


def numeric_host(host: str) -> str | None:
    """Return an IP address in its canonical form; None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def parse_endpoint(uri: str) -> tuple[str, str, int]:
    """Take (transport, host, port) from a SIP URI, with the defaults filled in.

    Raises:
        InvalidUriError: It is no SIP URI, or has no host.
        NotSupportedError: It wants a transport that is not built: sips, tls, wss, sctp.
    """
    try:
        parsed = Uri.parse(uri)
    except ParseError as error:
        raise InvalidUriError(f"{uri!r} is not a SIP URI") from error
    if parsed.scheme == "sips":
        raise NotSupportedError(f"{uri!r} needs TLS, which is not built")
    if parsed.scheme != "sip" or not parsed.host:
        raise InvalidUriError(f"{uri!r} is not a SIP URI")
    parameters = parsed.parameters
    transport = (parameters.get("transport") or "udp").lower()
    if transport not in TRANSPORTS:
        raise NotSupportedError(f"the transport {transport!r} of {uri!r} is not built")
    host = (parameters.get("maddr") or parsed.host).strip("[]")
    port = DEFAULT_PORTS[transport] if parsed.port is None else parsed.port
    return transport, host, port


@final
class Resolver:
    """Turns SIP URIs into targets; names are looked up once a minute.

    Args:
        look_up: Returns the addresses of a host name, or raises OSError.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._known: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}

    def resolve_now(self, uri: str) -> Target | None:
        """Resolve without waiting; None when the host is a name. Raises as `resolve` does."""
        transport, host, port = parse_endpoint(uri)
        numeric = numeric_host(host)
        return None if numeric is None else Target(transport, host, ((numeric, port),))

    async def resolve(self, uri: str, now: float) -> Target:
        """Resolve a URI, by the system's resolver when its host is a name.

        Raises:
            InvalidUriError, NotSupportedError: As `parse_endpoint`.
            ConnectionNetworkError: The name has no address.
        """
        transport, host, port = parse_endpoint(uri)
        numeric = numeric_host(host)
        if numeric is not None:
            return Target(transport, host, ((numeric, port),))
        known = self._known.get((host, port))
        if known is not None and now < known[0]:
            return Target(transport, host, known[1])
        try:
            addresses = tuple(dict.fromkeys(await self._look_up(host, port)))
        except (OSError, UnicodeError) as error:
            raise ConnectionNetworkError(f"the host {host!r} has no address") from error
        if not addresses:
            raise ConnectionNetworkError(f"the host {host!r} has no address")
        if len(self._known) >= _CAPACITY:
            self._known.clear()
        self._known[host, port] = (now + _LIFETIME, addresses)
        return Target(transport, host, addresses)
