"""The servers at which a call's media finds addresses that far ends can reach: STUN and TURN."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from trivox.errors import InvalidArgumentsError

_URL: Final = re.compile(
    r"(?P<kind>stun|turn):(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:?\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<query>\?transport=udp)?"
)
MOST_RELAYS: Final = 4
"""Relays of a client; each of its calls by ICE asks all of them."""
_PORT: Final = 3478
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class IceServer:
    """Name a STUN server, which tells how others see us, or a TURN server, which relays.

    Attributes:
        url: "stun:host:port" (RFC 7064) or "turn:host:port" (RFC 7065), port 3478 unless said.
            Relays are reached over UDP.
        username: Who we are at a relay.
        password: Its password (long-term credentials, RFC 8489 §9.2); never shown in `repr`.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        found = _URL.fullmatch(self.url) if isinstance(self.url, str) else None
        if found is None or not 0 < int(found["port"] or _PORT) <= _LAST_PORT:
            raise InvalidArgumentsError(
                f"{self.url!r} is no server for ICE: write stun:host:port or turn:host:port, "
                "which are reached over UDP"
            )
        if found["kind"] == "stun" and found["query"]:
            raise InvalidArgumentsError(f"{self.url!r}: a stun URL has no transport")
        if not isinstance(self.username, str) or not isinstance(self.password, str):
            raise InvalidArgumentsError("username and password of an IceServer are text")
        if self.is_relay != bool(self.username):
            raise InvalidArgumentsError(
                "a turn server needs a username, and a stun server has none"
            )

    @property
    def is_relay(self) -> bool:
        """Whether it relays."""
        return self.url.startswith("turn:")

    @property
    def sip_uri(self) -> str:
        """The same place as a SIP URI, for the resolver."""
        found = _URL.fullmatch(self.url)
        assert found is not None, "it was checked"
        return f"sip:{found['host']}:{found['port'] or _PORT};transport=udp"


@dataclass(frozen=True, slots=True)
class IcePlaces:
    """Where servers are.

    Attributes:
        relays: (name, host, port, username, password) of each relay.
        stun: (host, port) of each STUN server.
        failures: What could not be found.
    """

    relays: tuple[tuple[str, str, int, str, str], ...] = field(default=(), repr=False)
    stun: tuple[tuple[str, int], ...] = ()
    failures: tuple[str, ...] = ()
