"""The servers at which a call's media finds addresses that far ends can reach: STUN and TURN."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from trivox.errors import InvalidArgumentsError

_URL: Final = re.compile(
    r"(?P<kind>stun|turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:?\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
RelayPlace = tuple[str, str, int, str, str, str, str]
MOST_RELAYS: Final = 4
"""Relays of a client; each of its calls by ICE asks all of them."""
_PORTS: Final = {"stun": 3478, "turn": 3478, "turns": 5349}
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class IceServer:
    """Name a STUN server, which tells how others see us, or a TURN server, which relays.

    Attributes:
        url: "stun:host:port" (RFC 7064), "turn:host:port" or "turns:host:port" (RFC 7065); port
            3478 unless said, 5349 with "turns". A "turn" relay is reached over UDP, with
            "?transport=tcp" over TCP; a "turns" relay over TLS, and must prove its name to the
            authorities of the client's `tls`.
        username: Who we are at a relay.
        password: Its password (long-term credentials, RFC 8489 §9.2); never shown in `repr`.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        found = _URL.fullmatch(self.url) if isinstance(self.url, str) else None
        if found is None or not 0 < int(found["port"] or _LAST_PORT) <= _LAST_PORT:
            raise InvalidArgumentsError(
                f"{self.url!r} is no server for ICE: write stun:host:port, turn:host:port, "
                "turn:host:port?transport=tcp or turns:host:port"
            )
        if found["kind"] == "stun" and found["transport"]:
            raise InvalidArgumentsError(f"{self.url!r}: a stun URL has no transport")
        if found["kind"] == "turns" and found["transport"] == "udp":
            raise InvalidArgumentsError(f"{self.url!r}: relays are not reached over DTLS")
        if not isinstance(self.username, str) or not isinstance(self.password, str):
            raise InvalidArgumentsError("username and password of an IceServer are text")
        if self.is_relay != bool(self.username):
            raise InvalidArgumentsError(
                "a turn server needs a username, and a stun server has none"
            )

    @property
    def is_relay(self) -> bool:
        """Whether it relays."""
        return self.url.startswith("turn")

    @property
    def way(self) -> str:
        """How it is reached: "udp", "tcp" or "tls"."""
        if self.url.startswith("turns:"):
            return "tls"
        return "tcp" if self.url.endswith("=tcp") else "udp"

    @property
    def host(self) -> str:
        """Its name or address, as the URL has it."""
        return self._parts["host"]

    @property
    def sip_uri(self) -> str:
        """The same place as a SIP URI, for the resolver."""
        found = self._parts
        return f"sip:{found['host']}:{found['port'] or _PORTS[found['kind']]};transport=udp"

    @property
    def _parts(self) -> re.Match[str]:
        found = _URL.fullmatch(self.url)
        assert found is not None, "it was checked"
        return found


@dataclass(frozen=True, slots=True)
class IcePlaces:
    """Where servers are.

    Attributes:
        relays: Each relay's name, IP address, port, username, password, way, and the name in its
            certificate.
        stun: (host, port) of each STUN server.
        trusted: The authorities that relays over TLS are proved by, in DER.
        failures: What could not be found.
    """

    relays: tuple[RelayPlace, ...] = field(default=(), repr=False)
    stun: tuple[tuple[str, int], ...] = ()
    trusted: tuple[bytes, ...] = field(default=(), repr=False)
    failures: tuple[str, ...] = ()
