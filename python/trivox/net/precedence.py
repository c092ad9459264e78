"""Which address of a host to try first (RFC 6724 §6): by what the machine has a way to, and how."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Prefix, precedence, label (RFC 6724 §2.1); IPv4 stands in its mapped form.
_POLICY: Final = tuple(
    (ipaddress.IPv6Network(prefix), precedence, label)
    for prefix, precedence, label in (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 35, 4),
        ("2002::/16", 30, 2),
        ("2001::/32", 5, 5),
        ("fc00::/7", 3, 13),
        ("::/96", 1, 3),
        ("fec0::/10", 1, 11),
        ("3ffe::/16", 1, 12),
        ("::/0", 40, 1),
    )
)
_LINK, _GLOBAL = 2, 14  # scopes (RFC 6724 §3.1, §3.2)
_Rank = tuple[bool, bool, bool, int, int]


@final
class Precedence:
    """Orders the addresses of one host.

    Args:
        route: Returns the local address of the route to another, or raises OSError.
    """

    def __init__(self, route: Callable[[str], str]) -> None:
        self._route = route

    def order(self, hosts: Sequence[str]) -> tuple[str, ...]:
        """Return them best first; those that nothing tells apart stay as they are (rule 10)."""
        return tuple(sorted(hosts, key=self._rank)) if len(hosts) > 1 else tuple(hosts)

    def _rank(self, host: str) -> _Rank:
        target = ipaddress.ip_address(host)
        precedence, label = _policy(target)
        scope = _scope(target)
        try:
            own = ipaddress.ip_address(self._route(host).partition("%")[0])
        except (OSError, ValueError):
            return True, True, True, -precedence, scope  # rule 1: nothing there is reached
        is_scope_other, is_label_other = scope != _scope(own), label != _policy(own)[1]
        return False, is_scope_other, is_label_other, -precedence, scope  # rules 2, 5, 6, 8


def _policy(address: IPAddress) -> tuple[int, int]:
    """Return the precedence and the label of an address."""
    wide = address
    if isinstance(wide, ipaddress.IPv4Address):
        wide = ipaddress.IPv6Address(f"::ffff:{wide}")
    return next((first, label) for net, first, label in _POLICY if wide in net)


def _scope(address: IPAddress) -> int:
    is_near = address.is_link_local or address.is_loopback
    return _LINK if is_near else _GLOBAL
