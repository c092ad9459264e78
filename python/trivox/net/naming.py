"""Which resolver an endpoint gets: the DNS where it can be had, else the system's."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from trivox.net.dns_client import DnsClient, SystemDns, is_local_name
from trivox.net.dns_records import DnsFailedError
from trivox.net.precedence import Precedence
from trivox.net.resolver import Resolver
from trivox.net.sockets import SystemSockets

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.net.dns_records import Dns
    from trivox.net.transport import SocketFactory


def new_resolver(
    dns: Dns | None,
    sockets: SocketFactory,
    draw: Callable[[], float],
) -> Resolver:
    """Make a resolver.

    Args:
        dns: Answers all questions; None: see below.
        sockets: The network. On the system's it is the DNS, by dnspython if the `dns` extra is
            installed, and the system's resolver for the rest; another knows its own names.
        draw: Returns random numbers from 0 to 1.
    """
    precedence = Precedence(sockets.route_to)
    if dns is not None:
        return Resolver(dns, has_records=True, draw=draw, precedence=precedence)
    system = SystemDns(sockets.resolve)
    if isinstance(sockets, SystemSockets):
        with suppress(ImportError, DnsFailedError):
            return Resolver(
                DnsClient(system),
                has_records=True,
                draw=draw,
                is_local=is_local_name,
                precedence=precedence,
            )
    return Resolver(system, has_records=False, draw=draw)
