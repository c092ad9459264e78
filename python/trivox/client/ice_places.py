"""Where the servers for ICE are: their names resolved, each on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from trivox.call.ice_servers import IcePlaces, IceServer
from trivox.errors import TrivoxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trivox.net.target import Target
    from trivox.net.transport import Address


async def find_servers(
    servers: tuple[IceServer, ...],
    resolve: Callable[[str], Awaitable[Target]],
    authorities: Callable[[], list[bytes]],
) -> IcePlaces:
    """Resolve all servers at once; the first address of each is the one that is asked.

    Args:
        servers: With names or addresses.
        resolve: Resolves a SIP URI. Raises TrivoxError.
        authorities: Whom relays over TLS are proved by, in DER; asked where there are such.
    """
    places: dict[str, Address] = {}
    failures: list[str] = []

    async def find(server: IceServer) -> None:
        try:
            target = await resolve(server.sip_uri)
        except (TrivoxError, OSError) as error:
            failures.append(f"{server.url}: {error}")
        else:
            places[server.url] = target.addresses[0]

    async with trio.open_nursery() as nursery:
        for server in servers:
            nursery.start_soon(find, server)
    found = [(server, places[server.url]) for server in servers if server.url in places]
    return IcePlaces(
        relays=tuple(
            (
                server.url,
                address[0],
                address[1],
                server.username,
                server.password,
                server.way,
                server.host,
            )
            for server, address in found
            if server.is_relay
        ),
        stun=tuple((address[0], address[1]) for server, address in found if not server.is_relay),
        trusted=tuple(authorities()) if any(one.way == "tls" for one, _ in found) else (),
        failures=tuple(failures),
    )
