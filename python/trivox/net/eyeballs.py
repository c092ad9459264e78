"""Both families at once, a little apart: a broken IPv6 costs a quarter of a second (RFC 8305 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from trivox.net.flows import Connection
    from trivox.net.target import Target
    from trivox.net.transport import Address

HEAD_START: Final = 0.25
"""Seconds that the address tried first has to itself (RFC 8305 §5: Connection Attempt Delay)."""


def rivals(target: Target) -> tuple[Address, Address] | None:
    """Return the two best addresses of a target if they are of one server and of both families.

    None for all others, and over UDP, where nothing tells that a way is good (RFC 7984 §4.2).
    """
    if target.transport == "udp" or len(target.addresses) < 2:
        return None
    first, second = target.addresses[:2]
    is_dual = (":" in first[0]) != (":" in second[0]) and first[1] == second[1]
    return (first, second) if is_dual else None


async def wins_alone(connection: Connection) -> bool:
    """Wait as long as the first may take; tell whether it stands."""
    with trio.move_on_after(HEAD_START):
        await connection.wire.settled.wait()
    return connection.wire.is_open


async def first_to_stand(one: Connection, other: Connection) -> Connection:
    """Wait for the first of two connections that stands; the first one when both fail."""

    async def wait(connection: Connection, rival: Connection) -> None:
        await connection.wire.settled.wait()
        if connection.wire.is_open or rival.wire.settled.is_set():
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, one, other)
        nursery.start_soon(wait, other, one)
    return other if other.wire.is_open and not one.wire.is_open else one
