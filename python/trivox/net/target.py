"""What a SIP URI says about where it leads, before anything is looked up (RFC 3263 §4)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from trivox._native import Uri
from trivox.errors import InvalidUriError, NotSupportedError, ParseError

if TYPE_CHECKING:
    from trivox.net.transport import Address

DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
TRANSPORTS: Final = tuple(DEFAULT_PORTS)
SECURE: Final = frozenset({"tls", "wss"})
WEBSOCKETS: Final = frozenset({"ws", "wss"})
# RFC 3261 §26.2.2: `sips` with transport=tcp is TLS over TCP; `ws` is taken the same way.
_SECURED: Final = {None: None, "tcp": "tls", "tls": "tls", "ws": "wss", "wss": "wss"}


@dataclass(frozen=True, slots=True)
class Destination:
    """A SIP URI, read: what is to be looked up, and what the far end must prove to be."""

    transport: str | None
    """None where the URI leaves it open."""
    host: str
    """What is looked up: the maddr, or else the host; an IP address in canonical form."""
    port: int | None
    name: str
    """The domain the URI names: what a certificate must say (RFC 5922 §4)."""
    is_secure: bool
    """A `sips` URI: every hop is TLS (RFC 5630 §3.1.3)."""

    @property
    def fixed_transport(self) -> str:
        """The transport where nothing is looked up: UDP, or TLS for `sips` (RFC 3263 §4.1)."""
        return self.transport or ("tls" if self.is_secure else "udp")

    @property
    def fixed_port(self) -> int:
        """The port where nothing is looked up."""
        return DEFAULT_PORTS[self.fixed_transport] if self.port is None else self.port


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the transport and the addresses to try, best first."""

    transport: str
    host: str
    """As the URI names it: for a certificate, and for the Host header of a WebSocket."""
    addresses: tuple[Address, ...]

    @property
    def address(self) -> Address:
        """The first address."""
        return self.addresses[0]

    @property
    def is_secure(self) -> bool:
        """Whether it is reached by TLS."""
        return self.transport in SECURE


def numeric_host(host: str) -> str | None:
    """Return an IP address in its canonical form; None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def is_sips(uri: str) -> bool:
    """Tell a `sips` URI, whose messages must not leave without TLS (RFC 5630 §3.1.3)."""
    return uri[:5].lower() == "sips:"


def read_destination(uri: str) -> Destination:
    """Take from a SIP URI what says where it leads.

    Raises:
        InvalidUriError: It is no SIP URI, has no host, or an address that needs an interface.
        NotSupportedError: It wants a transport that is not built, or `sips` over UDP.
    """
    try:
        parsed = Uri.parse(uri)
    except ParseError as error:
        raise InvalidUriError(f"{uri!r} is not a SIP URI") from error
    if parsed.scheme not in ("sip", "sips") or not parsed.host:
        raise InvalidUriError(f"{uri!r} is not a SIP URI")
    parameters = parsed.parameters
    transport = (parameters.get("transport") or "").lower() or None
    if transport is not None and transport not in TRANSPORTS:
        known = ", ".join(TRANSPORTS)
        raise NotSupportedError(f"there is no transport {transport!r} ({uri!r}): use {known}")
    is_secure = parsed.scheme == "sips"
    if is_secure:
        if transport not in _SECURED:
            raise NotSupportedError(f"{uri!r} wants TLS, which {transport} has not")
        transport = _SECURED[transport]
    host = (parameters.get("maddr") or parsed.host).strip("[]")
    if _needs_interface(host):
        raise InvalidUriError(f"{uri!r} has a link-local address: use a global one")
    return Destination(
        transport, numeric_host(host) or host, parsed.port, parsed.host.strip("[]"), is_secure
    )


def _needs_interface(host: str) -> bool:
    """Tell an address that means nothing without the name of an interface (RFC 4007 §6)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.version == 6 and address.is_link_local


def parse_endpoint(uri: str) -> tuple[str, str, int]:
    """Take (transport, host, port) of an address to listen on, with the defaults filled in.

    Raises:
        InvalidUriError, NotSupportedError: As `read_destination`.
    """
    destination = read_destination(uri)
    return destination.fixed_transport, destination.host, destination.fixed_port
