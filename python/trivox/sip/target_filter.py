"""Which addresses the network may send us to: nobody outside aims our messages into a private net.

A Contact, a Record-Route, a Refer-To, a 3xx, a `maddr`, the `c=` of a session description: each is
written by whoever sent the message, and following it blindly turns a server into a way past the
firewall it stands behind. Addresses the program gave are its own business and never come here.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterable

    IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
    IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressScope(StrEnum):
    """How far an address reaches."""

    PUBLIC = "public"
    PRIVATE = "private"
    """RFC 1918, RFC 4193 and the shared space of RFC 6598."""
    LINK_LOCAL = "link_local"
    """RFC 3927 and fe80::/10: where the metadata services of clouds live too."""
    LOOPBACK = "loopback"
    UNUSABLE = "unusable"
    """Unspecified, multicast, broadcast: the address of nobody."""


_PRIVATE: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_NOBODY: Final = ipaddress.ip_network("0.0.0.0/8")
_BROADCAST: Final = ipaddress.ip_address("255.255.255.255")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_MOST_KNOWN: Final = 4096
_ADDRESS_LINE: Final = re.compile(
    r"^(c=|a=rtcp:\d+[ ]+)IN IP[46] ([0-9A-Fa-f:.]+)([^\r\n]*)", re.MULTILINE
)
_CANDIDATE: Final = re.compile(
    r"^a=candidate:\S+ +\d+ +\S+ +\d+ +([0-9A-Fa-f:.]+) [^\r\n]*(?:\r\n|\n|\Z)", re.MULTILINE
)


def address_of(host: str) -> IPAddress | None:
    """Return the address a host means, IPv4 within IPv6 taken out; None for a name."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if within is not None:
            return within
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def scope_of(address: IPAddress) -> AddressScope:
    """Return how far an address reaches."""
    if address.is_loopback:
        return AddressScope.LOOPBACK
    if address.is_link_local:
        return AddressScope.LINK_LOCAL
    if address.is_multicast or address == _BROADCAST or address.is_unspecified:
        return AddressScope.UNUSABLE
    if address.version == _NOBODY.version and address in _NOBODY:
        return AddressScope.UNUSABLE
    if any(address in network for network in _PRIVATE if network.version == address.version):
        return AddressScope.PRIVATE
    return AddressScope.PUBLIC


@final
class TargetFilter:
    """Judge addresses that a message named, by the flow that carried the message.

    A public address is always allowed. A loopback, private or link-local one is allowed exactly
    when our end of that flow is itself of that kind: then its sender is in there with us. What is
    nobody's address never is.
    """

    def __init__(self, *, is_on: bool = True, allowed: Iterable[str] = ()) -> None:
        """Take the policy.

        Args:
            is_on: False lets everything pass.
            allowed: Networks that are always allowed, "10.1.0.0/16".

        Raises:
            ValueError: One of them is no network.
        """
        self.is_on = is_on
        self._allowed: tuple[IPNetwork, ...] = tuple(ipaddress.ip_network(one) for one in allowed)
        self._known: dict[tuple[str, str], bool] = {}
        self.refused = 0
        """Targets refused so far."""

    def allows(self, host: str, local_host: str) -> bool:
        """Tell whether a target may be sent to; counts a refusal.

        Args:
            host: The target, as a number; a name is to be resolved first and is not judged.
            local_host: Our end of the flow that carried it, never a wildcard.
        """
        if not self.is_on:
            return True
        key = (host, local_host)
        verdict = self._known.get(key)
        if verdict is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            verdict = self._known[key] = self._judge(host, local_host)
        if not verdict:
            self.refused += 1
        return verdict

    def screen(self, sdp: str, *, source: str, local_host: str) -> str:
        """Return a session description without addresses we may not send media to.

        A forbidden `c=` becomes the address the message came from, where media of a far end behind
        a NAT comes from too; a forbidden ICE candidate is taken out.

        Args:
            sdp: As received.
            source: Host the message came from.
            local_host: Our end of its flow.
        """
        if not self.is_on:
            return sdp
        is_plain = "IN IP6 " not in sdp and "a=candidate:" not in sdp
        if is_plain and sdp.count("IN IP4 ") == sdp.count(f"IN IP4 {source}\r\n"):
            return sdp
        family = "IP6" if ":" in source else "IP4"

        def connection(found: re.Match[str]) -> str:
            prefix, host, rest = found.groups()
            address = address_of(host)
            # c=0.0.0.0 is the old way to say hold, and no address to send to.
            if address is None or address.is_unspecified or self.allows(host, local_host):
                return found[0]
            return f"{prefix}IN {family} {source}{rest}"

        def candidate(found: re.Match[str]) -> str:
            is_name = address_of(found[1]) is None
            return found[0] if is_name or self.allows(found[1], local_host) else ""

        return _CANDIDATE.sub(candidate, _ADDRESS_LINE.sub(connection, sdp))

    def _judge(self, host: str, local_host: str) -> bool:
        address = address_of(host)
        if address is None:
            return True
        if any(address in one for one in self._allowed if one.version == address.version):
            return True
        scope = scope_of(address)
        if scope is AddressScope.PUBLIC:
            return True
        local = address_of(local_host)
        is_usable = scope is not AddressScope.UNUSABLE
        return is_usable and local is not None and scope_of(local) is scope
