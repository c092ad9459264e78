"""Limits at the door of an endpoint: what is let in, how fast, and how many may wait."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from trivox.errors import InvalidArgumentsError
from trivox.sip.quota import Quota

if TYPE_CHECKING:
    from trivox._native import SipCore

_REQUESTS_PER_SOURCE: Final = 500.0
_OWN_NETWORKS: Final = (
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""Loopback, and what is private or of the link: whoever is there is let in by its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """Limits on what comes from outside; times in seconds.

    A turn of the endpoint takes a few new requests; the others wait, first come, first served.
    Under overload they are refused from their raw bytes: 503 with Retry-After, or in silence.
    What is inside a dialog, responses, CANCEL and OPTIONS neither wait nor are refused.
    """

    refusals_per_second: int = 200
    """503s sent in one second; further refusals of that second are dropped and counted."""
    waiting: int = 1024
    """New requests that may wait for a turn; more are refused."""
    waiting_seconds: float = 0.4
    """Longest wait for a turn, below the T1 after which the far end repeats itself."""
    target_delay: float = 0.05
    """A wait above this for `overload_seconds` is overload: the room shrinks to two turns."""
    overload_seconds: float = 0.2
    """How long the wait may be above `target_delay`."""
    requests_per_source: float | None = _REQUESTS_PER_SOURCE
    """New requests a second from one IPv4 address or IPv6 /64; None: no limit."""
    unlimited_networks: tuple[str, ...] | None = None
    """Networks, "192.0.2.0/24", whose sources have no such limit.

    None: the client's own trunks, registrars and proxies, by the addresses they resolve to; and
    loopback and private networks while that limit is the default one.
    """
    source_ban: float = 10.0
    """How long new requests of a source that exceeds its limit are dropped."""
    sources: int = 4096
    """Sources remembered; the one longest unheard makes room."""
    identity_calls: int | None = None
    """Calls at once of one identity: the user whose password was proved, who a trusted peer vouches
    for (P-Asserted-Identity), or the name in a certificate; more are answered 480. None: no limit."""
    identity_call_time: float = 14_400.0
    """Seconds after which a switchboard counts a call no longer whose end it has not seen: after the
    last 2xx to an INVITE or UPDATE in it, or earlier, as its session timer says; 0: it counts only
    calls that ring. A client knows when its calls end."""
    identity_calls_per_second: float | None = None
    """New calls a second of one identity; more are answered 480. None: no limit."""
    identities: int = 10_000
    """Identities whose calls a second are remembered; the one longest quiet makes room."""
    unknown_dialogs: float | None = 200.0
    """Requests a second that name a dialog we do not have and yet reach the program's machines;
    more are answered 481 from the SIP core, within `refusals_per_second`, or dropped; None: no limit."""
    silent: bool = False
    """Give no answer to who is not known and asks for nothing that it may have: to scanners, no OPTIONS,
    refusal, error or keep-alive; one challenge where users have to prove themselves."""
    overload_control: bool = True
    """Offer in our Via to send less outside of dialogs to who asks for it, and do so (RFC 7339)."""
    unacknowledged: int = 2000
    """Calls answered by a 2xx whose ACK is not here; beyond, the one that has waited longest is given
    up, as it is after 64·T1."""
    kept: int = 10_000
    """Requests remembered for 64·T1 after their end, beyond which the oldest is forgotten: so many calls
    that a switchboard has refused, and as many that silent mode leaves unanswered."""
    max_transactions: int = 1_000_000
    """Live transactions beyond which any request outside of them is answered 503."""
    receive_buffer: int = 8 * 1024 * 1024
    """Bytes asked for as the receive buffer of a UDP socket; the system may give less."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name == "unlimited_networks":
                continue
            if isinstance(entry.default, bool):
                if not isinstance(value, bool):
                    raise InvalidArgumentsError(
                        f"door.{entry.name} is {value!r}; give True or False"
                    )
            elif not _is_fit(value, is_whole=isinstance(entry.default, int)):
                raise InvalidArgumentsError(f"door.{entry.name} is {value!r}; give a number from 0")
        if self.identity_calls_per_second == 0:
            raise InvalidArgumentsError(
                "door.identity_calls_per_second is 0; give a number above it, or None for no limit"
            )
        if self.identity_calls is not None and not isinstance(self.identity_calls, int):
            raise InvalidArgumentsError("door.identity_calls is a number of calls: give an int")
        self._networks()

    def quota(self, *, retry_after: int = 5) -> Quota:
        """Return what counts the calls of identities.

        Args:
            retry_after: Seconds told to who has as many calls as it may.
        """
        return Quota(
            per_second=self.identity_calls_per_second,
            at_once=self.identity_calls,
            capacity=self.identities,
            retry_after=retry_after,
        )

    def exempt(self, core: SipCore, servers: Iterable[str]) -> None:
        """Let servers that the program named bring what they like, beside the unlimited networks.

        Anybody can write their address into a datagram: a limit of theirs would be a way to ban
        them. Whoever gives `unlimited_networks` has said who is exempt, and nobody else is.

        Args:
            core: Of an endpoint.
            servers: Addresses of trunks, registrars and proxies.
        """
        networks = self._networks()
        own = [ipaddress.ip_network(server.partition("%")[0]) for server in servers]
        core.set_silence(self.silent, [(net.network_address, net.prefixlen) for net in own])
        if self.unlimited_networks is None:
            networks += own
        core.exempt_sources([(net.network_address, net.prefixlen) for net in networks])

    def _networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Return the networks without a limit. Raises InvalidArgumentsError for what is none."""
        networks = self.unlimited_networks
        if networks is None:
            is_default = self.requests_per_source == _REQUESTS_PER_SOURCE
            networks = _OWN_NETWORKS if is_default else ()
        if isinstance(networks, str) or not isinstance(networks, Iterable):
            raise InvalidArgumentsError("door.unlimited_networks is a tuple of networks")
        try:
            return [ipaddress.ip_network(str(network)) for network in networks]
        except ValueError as error:
            raise InvalidArgumentsError(f"door.unlimited_networks: {error}") from error

    def apply(
        self,
        core: SipCore,
        *,
        retry_after: int = 5,
        calls_per_second: float | None = None,
        has_dialogs: bool = False,
    ) -> None:
        """Set the limits at the door of a core.

        Args:
            core: Of an endpoint.
            retry_after: Seconds that a 503 tells.
            calls_per_second: New calls let in; None for no limit.
            has_dialogs: Whether every dialog is one of the core's; a proxy's are not.
        """
        self.exempt(core, ())
        strangers = self.unknown_dialogs if has_dialogs else None
        core.set_door(
            refusals_per_second=self.refusals_per_second,
            retry_after=retry_after,
            calls_per_second=calls_per_second or 0.0,
            waiting=self.waiting,
            waiting_seconds=self.waiting_seconds,
            target_delay=self.target_delay,
            overload_seconds=self.overload_seconds,
            requests_per_source=self.requests_per_source or 0.0,
            source_ban=self.source_ban,
            sources=self.sources,
            strangers_per_second=math.inf if strangers is None else strangers,
            overload_control=self.overload_control,
            unacknowledged=self.unacknowledged,
            kept=self.kept,
        )


def _is_fit(value: object, *, is_whole: bool) -> bool:
    if value is None:
        return not is_whole
    if isinstance(value, bool) or not isinstance(value, int if is_whole else int | float):
        return False
    return math.isfinite(value) and value >= 0
