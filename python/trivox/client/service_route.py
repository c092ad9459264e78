"""The route set of requests outside dialogs: the proxy, then what the registrar asks for."""

from __future__ import annotations

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError


def routes_by(proxy: str | None, service_route: tuple[str, ...]) -> tuple[str, ...]:
    """Return the Route values of a request (RFC 3261 §8.1.1.1, RFC 3608 §6.1).

    Args:
        proxy: URI of the outbound proxy, which comes first unless the registrar names it itself.
        service_route: Service-Route of the registration.
    """
    usable = tuple(route for route in service_route if _host_port(route) is not None)
    if not proxy:
        return usable
    first = f"<{proxy}>" if ";lr" in proxy else f"<{proxy};lr>"
    if usable and _host_port(usable[0]) == _host_port(first):
        return usable
    return (first, *usable)


def _host_port(route: str) -> tuple[str, int | None] | None:
    try:
        uri = Uri.parse(NameAddr.parse(route).uri)
    except ParseError:
        return None
    return uri.host, uri.port
