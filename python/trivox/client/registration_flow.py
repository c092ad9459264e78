"""One flow of an account's registration: its route, its machine, its timers (RFC 5626 §4)."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Final, Protocol, final

from trivox._native import EVENT_PONG
from trivox.actor.correlation import log_fields
from trivox.errors import TrivoxError
from trivox.sip.keep_alive import (
    CONNECTION_INTERVAL,
    DATAGRAM_INTERVAL,
    KeepAlive,
    KeepAliveAction,
)
from trivox.sip.outputs import SendRequest
from trivox.sip.registration import (
    RETRY_BASE_OF_SPARE,
    Registration,
    RegistrationChanged,
    RegistrationState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import SipEvent
    from trivox.actor.listeners import StartSoon
    from trivox.call.host import Route, Timer
    from trivox.client.account import Account

_LOGGER: Final = logging.getLogger("trivox.account")
BOUND: Final = frozenset({RegistrationState.REGISTERED, RegistrationState.REFRESHING})


class FlowHost(Protocol):
    """The client, seen from the flows of its accounts."""

    @property
    def start_soon(self) -> StartSoon:
        """Starts a task in the client's supervisor."""
        ...

    def now(self) -> float:
        """Return the time."""
        ...

    def fraction(self) -> float:
        """Return a fresh random number from 0 to 1."""
        ...

    def new_token(self) -> int:
        """Return a token nobody had."""
        ...

    def call_at(self, at: float, act: Callable[[], None]) -> Timer:
        """Call `act` at that time."""
        ...

    async def route_registration(self, account: Account, proxy: str | None) -> Route:
        """Resolve the registrar or the proxy before it."""
        ...

    def new_registration(self, account: Account, route: Route, reg_id: int) -> Registration:
        """Make the machine that keeps one flow registered."""
        ...

    def enter_registration(self, flow: RegistrationFlow) -> None:
        """Give a flow the events of its token."""
        ...

    def leave_registration(self, flow: RegistrationFlow) -> None:
        """Expect nothing more for a flow."""
        ...

    def send_registration(self, flow: RegistrationFlow, route: Route, output: SendRequest) -> int:
        """Send a REGISTER; returns its transaction."""
        ...

    def watch_connection(
        self, token: int, route: Route, *, heard: Callable[[], None], closed: Callable[[], None]
    ) -> bool | None:
        """Tell of each sign of life and of the end of a connection.

        Returns whether a ping is answered there; None for a WebSocket, which pings by itself.
        """
        ...

    def forget_connection(self, token: int, route: Route) -> None:
        """Tell nothing more of a connection that was watched."""
        ...

    def is_open(self, route: Route) -> bool:
        """Tell whether messages can leave by this route."""
        ...

    def ping_by_stun(self, token: int, route: Route, *, is_again: bool) -> None:
        """Send a keep-alive over UDP that is answered by an EVENT_PONG of that token."""
        ...

    def forget_ping(self, token: int) -> None:
        """Expect no answer to the keep-alives of a token any more."""
        ...

    def ping(self, route: Route) -> None:
        """Send a keep-alive (RFC 5626 §3.5.1)."""
        ...

    def close_connection(self, route: Route) -> None:
        """Close the connection of a route."""
        ...


@final
class RegistrationFlow:
    """Keeps one way to the registrar registered; an account has one or several.

    Args:
        host: The client.
        account: Whose it is.
        reg_id: Its number among the account's, from 1.
        proxy: URI of the edge proxy it goes by; None: the client's way to the registrar.
    """

    def __init__(self, host: FlowHost, account: Account, reg_id: int, proxy: str | None) -> None:
        self._host = host
        self._account = account
        self.reg_id: Final = reg_id
        self.proxy: Final = proxy
        self.token: Final = host.new_token()
        self.route: Route | None = None
        """The way that requests begin on."""
        self.in_use: Route | None = None
        """The way that the registrar answered by: another server's, if the first one failed."""
        self.granted = RegistrationChanged(RegistrationState.UNREGISTERED)
        """What the registrar said last when it accepted."""
        self.last = self.granted
        self._machine: Registration | None = None
        self._is_over = False
        self._timer: Timer | None = None
        self._keep_alive: KeepAlive | None = None
        self._has_stun = False
        self._ping_timer: Timer | None = None

    @property
    def state(self) -> RegistrationState:
        """Where this flow stands."""
        return self.last.state

    @property
    def is_bound(self) -> bool:
        """Whether the registrar has a binding by this flow."""
        return self.last.state in BOUND

    @property
    def contact(self) -> str:
        """Our Contact by this flow; empty before it was opened."""
        return self.route.identity.contact if self.route is not None else ""

    @property
    def is_usable(self) -> bool:
        """Whether requests can leave by it and are expected there."""
        return self.is_bound and self.in_use is not None and self._host.is_open(self.in_use)

    async def open(self) -> None:
        """Find the way, once; anew when its connection is gone. Raises TransportError."""
        if self.in_use is not None and self._host.is_open(self.in_use):
            return
        self.route = await self._host.route_registration(self._account, self.proxy)
        self.in_use = self.route
        if self._machine is None:
            self._machine = self._host.new_registration(self._account, self.route, self.reg_id)
        else:
            self._machine.move(self.route.identity)

    def open_later(self, expires: int) -> None:
        """Try to find the way again after a while: there is none now."""
        if self._is_over:
            return
        self.last = RegistrationChanged(RegistrationState.FAILED, reason="no way to it")
        wait = RETRY_BASE_OF_SPARE * (0.5 + 0.5 * self._host.fraction())
        self._retry(self._host.now() + wait, expires)

    def _retry(self, at: float, expires: int) -> None:
        async def again() -> None:
            try:
                await self.open()
            except (TrivoxError, OSError):
                self.open_later(expires)
            else:
                self.register(expires)

        def due() -> None:
            if self.state is RegistrationState.FAILED:
                self._host.start_soon(again, name=f"flow {self.reg_id} of {self._account.uri}")

        self._timer = self._host.call_at(at, due)

    def register(self, expires: int) -> None:
        """Register for so many seconds; the flow must have been opened."""
        assert self._machine is not None, "opened before"
        self._carry_out(self._machine.register(expires, self._host.now()))

    def unregister(self) -> None:
        """Remove the binding, without waiting."""
        if self._machine is not None:
            self._carry_out(self._machine.unregister(self._host.now()))
        elif not self._is_over:
            self.last = RegistrationChanged(RegistrationState.UNREGISTERED)

    def note_others(self, *, are_bound: bool) -> None:
        """Learn whether another flow of the account is registered."""
        if self._machine is not None:
            self._machine.has_other_flow = are_bound

    def abandon(self, reason: str = "the client was closed") -> None:
        """Fail what waits for an answer, as none will come, and register never more."""
        self._is_over = True
        if self.in_use is not None:
            self._host.forget_connection(self.token, self.in_use)
        for timer in (self._timer, self._ping_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._ping_timer = None
        if self.state is not RegistrationState.UNREGISTERED:
            self._take_change(RegistrationChanged(RegistrationState.FAILED, reason=reason))

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take an event that carries this flow's token."""
        if self._machine is None:
            return
        *_, message, flow, source = event
        if event[0] == EVENT_PONG:
            self._note_pong(has_moved=bool(event[4]))
            return
        used = self.in_use
        if message is not None and used is not None and used.flow != flow:
            self.in_use = dataclasses.replace(used, flow=flow, destination=source)
        self._carry_out(self._machine.handle(event, now))

    def _carry_out(self, outputs: tuple[SendRequest | RegistrationChanged, ...]) -> None:
        if self._is_over:
            return
        assert self._machine is not None, "its own machine asked for it"
        assert self.route is not None, "the route is known before the machine is made"
        for output in outputs:
            if isinstance(output, SendRequest):
                self._machine.sent(self._host.send_registration(self, self.route, output))
            else:
                self._take_change(output)
        self._set_timer()

    def _take_change(self, change: RegistrationChanged) -> None:
        self.last = change
        if change.state is RegistrationState.REGISTERED and change.retry_after is None:
            self.granted = change
            self._keep_open()
        if change.state in (RegistrationState.UNREGISTERED, RegistrationState.FAILED):
            self._stop_pings()
            self._host.leave_registration(self)
        else:
            self._host.enter_registration(self)
        self._account._take_change(self, change)

    def _set_timer(self) -> None:
        assert self._machine is not None, "called by its own machine's outputs"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._machine.next_deadline()
        if deadline is not None:
            self._timer = self._host.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        assert self._machine is not None, "its own machine has set the timer"
        self._machine.jitter = self._host.fraction()
        if self.in_use is not None and self._host.is_open(self.in_use):
            self._carry_out(self._machine.handle_timeout(self._host.now()))
        else:
            self._host.start_soon(self._reopen, name=f"flow {self.reg_id} of {self._account.uri}")

    async def _reopen(self) -> None:
        """Connect anew and go on; when there is no way, the REGISTER fails and is tried again."""
        assert self._machine is not None, "it was registered before"
        try:
            await self.open()
        except (TrivoxError, OSError) as error:
            _LOGGER.warning("no way to register: %s", error, extra=log_fields())
        self._carry_out(self._machine.handle_timeout(self._host.now()))

    # Keep-alive (RFC 5626 §4.4).

    def _keep_open(self) -> None:
        """Watch the connection of a fresh binding, and ping if that was asked for."""
        assert self.in_use is not None, "registered by it"
        if self._keep_alive is not None:
            return
        has_pong = self._host.watch_connection(
            self.token, self.in_use, heard=self._note_heard, closed=self._note_closed
        )
        if has_pong is None:
            return
        wanted = self._account.config.keep_alive
        if wanted is None:
            if not self.granted.is_outbound:
                return
            usual = CONNECTION_INTERVAL if has_pong else DATAGRAM_INTERVAL
            wanted = min(self.granted.flow_timer or usual, usual)
        self._has_stun = not has_pong and self.granted.is_outbound
        self._keep_alive = KeepAlive(wanted, has_pong=has_pong)
        self._keep_alive.start(self._host.now(), self._host.fraction())
        self._set_ping_timer()

    def _stop_pings(self) -> None:
        if self._has_stun:
            self._host.forget_ping(self.token)
        self._keep_alive = None
        self._set_ping_timer()

    def _note_heard(self) -> None:
        if self._keep_alive is not None:
            self._keep_alive.handle_received(self._host.now(), self._host.fraction())

    def _note_pong(self, *, has_moved: bool) -> None:
        """Take an answer over UDP; one that sees us elsewhere ends the flow (RFC 5626 §4.4.2)."""
        if self._keep_alive is None:
            return
        if has_moved:
            _LOGGER.warning(
                "%s reaches its registrar from another address now",
                self._account.uri,
                extra=log_fields(),
            )
            self._note_closed()
            return
        self._keep_alive.handle_pong(self._host.now(), self._host.fraction())
        self._set_ping_timer()

    def _note_closed(self) -> None:
        """Take that the connection is gone: register by another one after the back-off."""
        self._stop_pings()
        if self._machine is not None:
            self._machine.jitter = self._host.fraction()
            self._carry_out(self._machine.flow_lost(self._host.now()))

    def _set_ping_timer(self) -> None:
        if self._ping_timer is not None:
            self._ping_timer.cancel()
            self._ping_timer = None
        deadline = self._keep_alive.next_deadline() if self._keep_alive is not None else None
        if deadline is not None:
            self._ping_timer = self._host.call_at(deadline, self._ping_due)

    def _ping_due(self) -> None:
        self._ping_timer = None
        if self._keep_alive is None or self.in_use is None:
            return
        action = self._keep_alive.handle_timeout(self._host.now(), self._host.fraction())
        if action in (KeepAliveAction.PING, KeepAliveAction.REPEAT):
            if self._has_stun:
                is_again = action is KeepAliveAction.REPEAT
                self._host.ping_by_stun(self.token, self.in_use, is_again=is_again)
            else:
                self._host.ping(self.in_use)
        elif action is KeepAliveAction.DEAD:
            _LOGGER.warning(
                "no pong from the registrar of %s", self._account.uri, extra=log_fields()
            )
            if self._has_stun:
                self._note_closed()
            else:
                self._host.close_connection(self.in_use)
        self._set_ping_timer()
