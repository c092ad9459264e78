"""What registrations need of the client: ways to registrars, and the life of connections."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, final

from trivox.net.tcp import TcpFlow
from trivox.net.udp import UdpFlow
from trivox.sip.registration import Registration

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.actor.listeners import StartSoon
    from trivox.call.call import Call
    from trivox.call.client_events import ClientEvent
    from trivox.call.host import Route
    from trivox.call.settings import CallSettings
    from trivox.client.account import Account
    from trivox.client.dialling import Dialling
    from trivox.client.registration_flow import RegistrationFlow
    from trivox.client.timers import Deadline
    from trivox.client.wiring import Wiring
    from trivox.sip.outputs import SendRequest

_PING: Final = b"\r\n\r\n"
"""RFC 5626 §3.5.1; a connection answers it with one CRLF."""


@final
class Registering:
    """The `AccountHost` of a client's accounts."""

    def __init__(self, wiring: Wiring, seed: bytes) -> None:
        self._wiring = wiring
        self.seed = seed
        self._watched: dict[int, dict[int, tuple[Callable[[], None], Callable[[], None]]]] = {}
        wiring.exchange.flow_closed = self._tell_closed

    @property
    def start_soon(self) -> StartSoon:
        """Starts a task in the supervisor."""
        return self._wiring.start_soon

    def now(self) -> float:
        """Return the time."""
        return self._wiring.now()

    def fraction(self) -> float:
        """Return a fresh random number from 0 to 1."""
        return self._wiring.new_id.fraction()

    def new_token(self) -> int:
        """Return a token nobody had."""
        return self._wiring.exchange.new_token()

    def call_at(self, at: float, act: Callable[[], None]) -> Deadline:
        """Call `act` at that time."""
        return self._wiring.call_at(at, act)

    async def route_registration(self, account: Account, proxy: str | None) -> Route:
        """Resolve the registrar or the proxy before it."""
        return await self._wiring.routes.to_registrar(account, proxy)

    def new_registration(self, account: Account, route: Route, reg_id: int) -> Registration:
        """Make the machine that keeps one flow registered."""
        new_id = self._wiring.new_id
        config = account.config
        return Registration(
            route.identity,
            account.registrar,
            call_id=new_id(),
            local_tag=new_id(),
            cnonce=new_id(),
            jitter=new_id.fraction(),
            instance=(config.instance_id or self._instance()) if config.uses_outbound else "",
            reg_id=reg_id,
            gruu=config.gruu,
        )

    def enter_registration(self, flow: RegistrationFlow) -> None:
        """Give a flow the events of its token."""
        self._wiring.exchange.enter(flow.token, flow)

    def leave_registration(self, flow: RegistrationFlow) -> None:
        """Expect nothing more for a flow."""
        self._wiring.exchange.release(flow.token)

    def send_registration(self, flow: RegistrationFlow, route: Route, output: SendRequest) -> int:
        """Send a REGISTER."""
        return self._wiring.exchange.send(flow.token, route, output)

    def watch_connection(
        self, token: int, route: Route, *, heard: Callable[[], None], closed: Callable[[], None]
    ) -> bool | None:
        """Tell of each sign of life and of the end of a connection from now on."""
        flow = self._wiring.endpoint.flow(route.flow)
        if flow is None or isinstance(flow, UdpFlow):
            return False
        self._watched.setdefault(flow.id, {})[token] = heard, closed
        if not isinstance(flow, TcpFlow):
            return None
        number = flow.id
        flow.heard = lambda: self._tell_heard(number)
        return True

    def forget_connection(self, token: int, route: Route) -> None:
        """Tell nothing more of a connection that was watched."""
        self._watched.get(route.flow, {}).pop(token, None)

    def is_open(self, route: Route) -> bool:
        """Tell whether messages can leave by this route."""
        return self._wiring.endpoint.flow(route.flow) is not None

    def ping(self, route: Route) -> None:
        """Send a keep-alive."""
        flow = self._wiring.endpoint.flow(route.flow)
        if flow is not None:
            flow.send(_PING, route.destination)

    def ping_by_stun(self, token: int, route: Route, *, is_again: bool) -> None:
        """Send a keep-alive over UDP that is answered by an EVENT_PONG of that token."""
        endpoint = self._wiring.endpoint
        endpoint.core.ping(token, route.flow, route.destination, is_again)
        endpoint.touch()

    def forget_ping(self, token: int) -> None:
        """Expect no answer to the keep-alives of a token any more."""
        self._wiring.endpoint.core.forget_ping(token)

    def close_connection(self, route: Route) -> None:
        """Close the connection of a route."""
        self._wiring.endpoint.close_flow(route.flow)

    def create_call(
        self, destination: str, settings: CallSettings | None, *, account: Account | None
    ) -> Call:
        """Make a call of an account."""
        return self._wiring.owner.create_call(destination, settings, account=account)

    def dial(
        self, destination: str, settings: CallSettings | None, *, account: Account | None
    ) -> Dialling:
        """Call from an account."""
        return self._wiring.owner.dial(destination, settings, account=account)

    def tell(self, event: ClientEvent) -> None:
        """Tell the program."""
        self._wiring.owner._emit(event)

    def _tell_heard(self, flow: int) -> None:
        for heard, _ in tuple(self._watched.get(flow, {}).values()):
            heard()

    def _tell_closed(self, flow: int) -> None:
        for _, closed in self._watched.pop(flow, {}).values():
            closed()

    def _instance(self) -> str:
        """Return a URN for this run of the client (RFC 5626 §4.1: better one that outlives it)."""
        drawn = hashlib.blake2b(self.seed[:64], digest_size=16, person=b"sip.instance").hexdigest()
        # The fixed bits of a random UUID (RFC 9562 §5.4).
        text = f"{drawn[:12]}4{drawn[13:16]}{int(drawn[16], 16) & 3 | 8:x}{drawn[17:]}"
        parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
        return "urn:uuid:" + "-".join(parts)
