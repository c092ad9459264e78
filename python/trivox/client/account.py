"""An account: one identity of a client, and its registration."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox._native import Uri
from trivox.actor.correlation import log_fields
from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.call.argument_rules import checked_number
from trivox.client.credentials import AccountSecrets
from trivox.errors import AuthenticationError, InvalidUriError, RegistrationError, TransportError
from trivox.sip.outputs import SendRequest
from trivox.sip.registration import Registration, RegistrationChanged, RegistrationState

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from trivox._native import SipEvent
    from trivox.call.call import Call
    from trivox.call.host import Route, Timer
    from trivox.call.settings import CallSettings
    from trivox.client.config import AccountConfig
    from trivox.client.dialling import Dialling
    from trivox.net.transport import Address

_LOGGER: Final = logging.getLogger("trivox.account")
_UNAUTHENTIC: Final = (401, 403, 407)
_UNREGISTER_LIMIT: Final = 2.0
"""Seconds leaving `registered()` waits for the registrar's answer."""


@dataclass(frozen=True, slots=True)
class RegistrationInfo:
    """What the registrar granted: `expires` seconds from now, for `contact`."""

    contact: str
    expires: float


class AccountHost(Protocol):
    """The client, seen from its accounts."""

    def now(self) -> float:
        """Return the time."""
        ...

    def call_at(self, at: float, act: Callable[[], None]) -> Timer:
        """Call `act` at that time."""
        ...

    async def route_registration(self, account: Account) -> Route:
        """Resolve the registrar or the proxy before it."""
        ...

    def new_registration(self, account: Account, route: Route) -> Registration:
        """Make the machine that keeps an account registered."""
        ...

    def enter_registration(self, account: Account) -> None:
        """Give the account the events of its token."""
        ...

    def leave_registration(self, account: Account) -> None:
        """Expect nothing more for the account."""
        ...

    def send_registration(self, account: Account, route: Route, output: SendRequest) -> int:
        """Send a REGISTER; returns its transaction."""
        ...

    def create_call(
        self, destination: str, settings: CallSettings | None, *, account: Account | None
    ) -> Call:
        """Make a call of an account."""
        ...

    def dial(
        self, destination: str, settings: CallSettings | None, *, account: Account | None
    ) -> Dialling:
        """Call from an account."""
        ...


@final
class Account:
    """Made by `ClientConfig.accounts` or `Client.add_account`."""

    def __init__(self, host: AccountHost, config: AccountConfig, token: int) -> None:
        self._host = host
        self.config: Final = config
        self.token: Final = token
        self.contact = ""
        """Our Contact at the registrar; empty before the first `register()`."""
        self.secrets: Final = AccountSecrets(config)
        self._registration = ReadonlyWatchable(RegistrationState.UNREGISTERED)
        self._expires_at: ReadonlyWatchable[float | None] = ReadonlyWatchable(None)
        self._machine: Registration | None = None
        self._route: Route | None = None
        self._timer: Timer | None = None
        self._parked = trio.lowlevel.ParkingLot()
        self._last = RegistrationChanged(RegistrationState.UNREGISTERED)

    def __repr__(self) -> str:
        return f"<Account {self.uri} {self._registration.value}>"

    @property
    def uri(self) -> str:
        """Address of record."""
        return self.config.uri

    @property
    def registration(self) -> ReadonlyWatchable[RegistrationState]:
        """Where the registration stands."""
        return self._registration

    @property
    def expires_at(self) -> ReadonlyWatchable[float | None]:
        """Trio time at which the binding ends unless refreshed; None when there is none."""
        return self._expires_at

    @property
    def registrar(self) -> str:
        """URI of the registrar; empty for a trunk."""
        own = self.config.registrar
        return f"{self.scheme}:{self.domain}" if own is None else own

    def is_trusted_at(self, address: Address) -> bool:
        """Whether an address is a server of this account and the account trusts its servers."""
        return self.config.trusted and address[0] in self.secrets.servers

    @property
    def trunk(self) -> str:
        """URI of what calls of a trunk come from: its proxy, or else its domain."""
        return self.config.proxy or f"{self.scheme}:{self.domain}"

    @property
    def scheme(self) -> str:
        """Scheme of the address of record: sip or sips."""
        return Uri.parse(self.uri).scheme

    @property
    def domain(self) -> str:
        """Host, port and transport of the address of record."""
        parsed = Uri.parse(self.uri)
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        port = f":{parsed.port}" if parsed.port else ""
        transport = parsed.parameters.get("transport")
        return f"{host}{port}" + (f";transport={transport}" if transport else "")

    async def register(self, *, expires: int | None = None) -> RegistrationInfo:
        """Register and return what was granted; refreshed in time from then on.

        If cancelled, the registration goes on in the background.

        Args:
            expires: Seconds asked for; None: as configured.

        Raises:
            InvalidArgumentsError: `expires` is less than a second.
            RegistrationError: Refused, no answer, or the account has no registrar.
            AuthenticationError: The credentials callback failed.
            TransportError, InvalidUriError: The registrar cannot be reached or resolved.
        """
        if expires is not None:
            checked_number(expires, "expires", least=1, unit=" second; unregister() removes it")
        if not self.registrar:
            raise RegistrationError("a trunk has no registrar: set AccountConfig.registrar")
        await trio.lowlevel.checkpoint()
        if self._machine is None:
            self._route = await self._host.route_registration(self)
            self.contact = self._route.identity.contact
            self._machine = self._host.new_registration(self, self._route)
            self._host.enter_registration(self)
        else:
            await self.secrets.prepare()
        self._carry_out(self._machine.register(expires or self.config.expires, self._host.now()))
        while self._registration.value in (
            RegistrationState.REGISTERING,
            RegistrationState.REFRESHING,
        ):
            await self._parked.park()
        last = self._last
        if self._registration.value is not RegistrationState.REGISTERED:
            raise RegistrationError(
                f"{self.uri} was not registered: {last.reason or 'no answer'}{self._hint(last)}",
                sip_code=last.status,
                retry_after=last.retry_after,
            )
        return RegistrationInfo(self.contact, last.expires)

    def _hint(self, last: RegistrationChanged) -> str:
        """Say what to do about a refusal."""
        if last.status not in _UNAUTHENTIC:
            return ""
        if self.secrets.digest is None:
            return " (the account has no password: set AccountConfig.password)"
        return " (check the user, the password and the realms of the account)"

    async def unregister(self) -> None:
        """Remove the binding. Nothing when there is none; if cancelled it goes on by itself."""
        await trio.lowlevel.checkpoint()
        self._begin_unregistering()
        while self._registration.value is RegistrationState.UNREGISTERING:
            await self._parked.park()

    def _begin_unregistering(self) -> None:
        """Send the REGISTER that removes the binding, without waiting."""
        if self._machine is not None:
            self._carry_out(self._machine.unregister(self._host.now()))

    async def _keep_registered(self) -> None:
        """Register if nobody has asked for it; a refusal is logged and tried again in time."""
        if self._machine is not None:
            return
        try:
            await self.register()
        except (
            RegistrationError,
            AuthenticationError,
            TransportError,
            InvalidUriError,
        ) as error:
            _LOGGER.warning("%s", error, extra=log_fields())

    def registered(self) -> Registered:
        """Register for as long as the block lasts: `async with account.registered():`."""
        return Registered(self)

    def create_call(self, destination: str, settings: CallSettings | None = None) -> Call:
        """Make a call from this account; see `Client.create_call`."""
        return self._host.create_call(destination, settings, account=self)

    def dial(self, destination: str, settings: CallSettings | None = None) -> Dialling:
        """Call from this account; see `Client.dial`."""
        return self._host.dial(destination, settings, account=self)

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take an event that carries this account's token."""
        if self._machine is not None:
            self._carry_out(self._machine.handle(event, now))

    def _carry_out(self, outputs: tuple[SendRequest | RegistrationChanged, ...]) -> None:
        assert self._machine is not None, "its own machine asked for it"
        assert self._route is not None, "the route is known before the machine is made"
        for output in outputs:
            if isinstance(output, SendRequest):
                self._machine.sent(self._host.send_registration(self, self._route, output))
            else:
                self._take_change(output)
        self._set_timer()

    def _take_change(self, change: RegistrationChanged) -> None:
        self._last = change
        if change.state is RegistrationState.FAILED and change.status in _UNAUTHENTIC:
            self.secrets.doubt()
        is_bound = change.state in (RegistrationState.REGISTERED, RegistrationState.REFRESHING)
        if change.state is RegistrationState.REGISTERED:
            assign(self._expires_at, self._host.now() + change.expires)
        elif not is_bound:
            assign(self._expires_at, None)
        assign(self._registration, change.state)
        self._parked.unpark_all()
        if change.state in (RegistrationState.UNREGISTERED, RegistrationState.FAILED):
            self._host.leave_registration(self)
        else:
            self._host.enter_registration(self)

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
        if self._machine is not None:
            self._carry_out(self._machine.handle_timeout(self._host.now()))


@final
class Registered:
    """Made by `Account.registered`."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def __aenter__(self) -> Account:
        """Register. Raises RegistrationError."""
        await self._account.register()
        return self._account

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unregister; waits for the answer only when leaving normally, and not for long."""
        self._account._begin_unregistering()
        if value is None:
            with trio.move_on_after(_UNREGISTER_LIMIT):
                await self._account.unregister()
