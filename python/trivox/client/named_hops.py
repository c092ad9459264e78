"""Requests within dialogs whose next hop is a name nobody has asked for yet: they wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox.errors import TrivoxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.actor.listeners import StartSoon
    from trivox.client.failover import Failover
    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address
    from trivox.sip.outputs import SendRequest


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request, and what its dialog's last message came by."""

    tx: int
    """What its owner knows it by."""
    token: int
    output: SendRequest
    uri: str
    """Its next hop."""
    flow: int
    source: Address
    is_secure: bool


@final
class NamedHops:
    """Looks up next hops of dialogs whose connection is gone, and sends what waited for them.

    Where it came by is sent to first, always; so this is for a far end that had opened the
    connection, named its host in its Contact or Record-Route, and has closed the connection.
    """

    def __init__(self, endpoint: Endpoint, failover: Failover, start_soon: StartSoon) -> None:
        self._endpoint = endpoint
        self._failover = failover
        self._start_soon = start_soon

    def is_name(self, uri: str) -> bool:
        """Tell whether the host of a next hop has to be looked up."""
        try:
            return self._endpoint.resolve_now(uri) is None
        except TrivoxError:
            return False

    def send(self, waiting: Waiting, fail: Callable[[int], None]) -> None:
        """Send a request as soon as its next hop is known; `fail` is told its number if it is not."""
        self._start_soon(self._send, waiting, fail, name=f"hop {waiting.uri}")

    async def _send(self, waiting: Waiting, fail: Callable[[int], None]) -> None:
        endpoint = self._endpoint
        try:
            named = await endpoint.resolve(waiting.uri)
            target = endpoint.hops.permit(named, waiting.flow, waiting.source)
            if waiting.is_secure and not target.is_secure:
                fail(waiting.tx)
                return
            flow, address = endpoint.hops.first_flow(target)
        except (TrivoxError, OSError):
            fail(waiting.tx)
            return
        tx = endpoint.request(waiting.output, token=waiting.token, flow=flow, destination=address)
        self._failover.rename(waiting.token, waiting.tx, tx)
