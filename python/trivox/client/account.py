"""An account: one identity of a client, and its registration."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox._native import Uri
from trivox.actor.correlation import log_fields
from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.client.credentials import AccountSecrets
from trivox.client.registration_events import RegistrationFailed
from trivox.client.registration_flow import BOUND, FlowHost, RegistrationFlow
from trivox.errors import AuthenticationError, InvalidUriError, RegistrationError, TransportError
from trivox.errors.checks import checked_kind, checked_number
from trivox.net.tls_identity import is_identified
from trivox.sip.registration import RegistrationChanged, RegistrationState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from trivox.call.call import Call
    from trivox.call.client_events import ClientEvent
    from trivox.call.settings import CallSettings
    from trivox.client.config import AccountConfig
    from trivox.client.dialling import Dialling
    from trivox.net.transport import Address

_LOGGER: Final = logging.getLogger("trivox.account")
_UNAUTHENTIC: Final = (401, 403, 407)
_BY_RANK: Final = (
    RegistrationState.REGISTERED,
    RegistrationState.REFRESHING,
    RegistrationState.REGISTERING,
    RegistrationState.UNREGISTERING,
    RegistrationState.FAILED,
    RegistrationState.UNREGISTERED,
)
"""Of several flows the best one says where the account stands."""
_REPLACED: Final = "has been replaced by another account"
_UNREGISTER_LIMIT: Final = 2.0
"""Seconds leaving `registered()` waits for the registrar's answer."""


@dataclass(frozen=True, slots=True)
class RegistrationInfo:
    """What the registrar granted: `expires` seconds from now, for `contact`."""

    contact: str
    expires: float


class AccountHost(FlowHost, Protocol):
    """The client, seen from its accounts."""

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

    def tell(self, event: ClientEvent) -> None:
        """Tell the program."""
        ...


@final
class Account:
    """Made by `ClientConfig.accounts` or `Client.add_account`."""

    def __init__(self, host: AccountHost, config: AccountConfig) -> None:
        self._host = host
        self.config: Final = config
        self.secrets: Final = AccountSecrets(config)
        self._flows: Final = tuple(
            RegistrationFlow(host, self, number, proxy)
            for number, proxy in enumerate((config.proxy, *config.flow_proxies), 1)
        )
        self._registration = ReadonlyWatchable(RegistrationState.UNREGISTERED)
        self._expires_at: ReadonlyWatchable[float | None] = ReadonlyWatchable(None)
        self._parked = trio.lowlevel.ParkingLot()
        self._is_replaced = False
        self._last = RegistrationChanged(RegistrationState.UNREGISTERED)

    def __repr__(self) -> str:
        return f"<Account {self.uri} {self._registration.value}>"

    @property
    def uri(self) -> str:
        """Address of record."""
        return self.config.uri

    @property
    def offered_media(self) -> tuple[str, ...] | None:
        """The kinds of media its calls offer, by its settings."""
        return self.config.settings.offered_media

    @property
    def contact(self) -> str:
        """Our Contact at the registrar, by the flow in use; empty before the first `register()`."""
        flow = self.flow or self._flows[0]
        return flow.contact

    @property
    def contacts(self) -> tuple[str, ...]:
        """Our Contacts by all flows that were opened."""
        return tuple(flow.contact for flow in self._flows if flow.route is not None)

    @property
    def flow(self) -> RegistrationFlow | None:
        """The flow that requests of this account leave by: the first that is up (RFC 5626 §4.3)."""
        return next((flow for flow in self._flows if flow.is_usable), None)

    @property
    def flows(self) -> tuple[RegistrationState, ...]:
        """Where each flow of the registration stands."""
        return tuple(flow.state for flow in self._flows)

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

    def is_trusted_at(self, address: Address, names: Callable[[], tuple[str, ...]]) -> bool:
        """Whether the account trusts its servers and one of them is there.

        Args:
            address: Of the far end.
            names: Returns what the certificate of its connection proves it to be.
        """
        if not self.config.trusted:
            return False
        return address[0] in self.secrets.servers or is_identified(self.secrets.domain, names())

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
        await self.secrets.prepare()
        while self._registration.value is RegistrationState.UNREGISTERING:
            await self._parked.park()  # one REGISTER at a time (RFC 3261 §10.2)
        if self._is_replaced:
            raise RegistrationError(f"{self.uri} {_REPLACED}: use the one of add_account()")
        await self._open_flows(expires or self.config.expires)
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

    async def _open_flows(self, expires: int) -> None:
        """Register by every flow there is a way for. Raises what the last one met if none has."""
        closed: list[RegistrationFlow] = []
        failure: Exception | None = None
        for flow in self._flows:
            try:
                await flow.open()
            except (TransportError, OSError) as error:
                failure = error
                closed.append(flow)
            else:
                flow.register(expires)
        if failure is not None and len(closed) == len(self._flows):
            raise failure
        for flow in closed:
            flow.open_later(expires)

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
        for flow in self._flows:
            flow.unregister()

    async def _keep_registered(self) -> None:
        """Register if nobody has asked for it; a refusal is logged and tried again in time."""
        if any(flow.route is not None for flow in self._flows):
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

    def _retire(self) -> None:
        """Register no more, and send nothing: the binding is another account's now."""
        self._is_replaced = True
        for flow in self._flows:
            flow.abandon(_REPLACED)

    def _end_waits(self, error: Exception) -> None:
        """End who waits for a state that cannot come: the client is closed."""
        for watchable in (self._registration, self._expires_at):
            watchable.observers().close(error)

    def _take_change(self, flow: RegistrationFlow, change: RegistrationChanged) -> None:
        """Take that one flow went on: the account is registered while one of them is."""
        if change.state is RegistrationState.FAILED and change.status in _UNAUTHENTIC:
            self.secrets.doubt()
        for one in self._flows:
            one.note_others(are_bound=any(f.is_bound for f in self._flows if f is not one))
        state = next(one for one in _BY_RANK if one in self.flows)
        if state is change.state or flow.is_bound:
            self._last = change
        if state is RegistrationState.REGISTERED and change.state is state:
            assign(self._expires_at, self._host.now() + change.expires)
        elif state not in BOUND:
            assign(self._expires_at, None)
        assign(self._registration, state)
        self._parked.unpark_all()
        self._tell_failure(change)

    def _tell_failure(self, change: RegistrationChanged) -> None:
        """Tell the program of a REGISTER that failed; not that the client is closed."""
        wait = change.retry_after
        is_final = change.state is RegistrationState.FAILED and change.status > 0
        if wait is None and not is_final:
            return
        what = f"{change.status} {change.reason}" if change.status else change.reason
        then = "given up" if wait is None else f"again in {wait:.0f} s"
        _LOGGER.warning("%s: REGISTER failed: %s, %s", self.uri, what, then, extra=log_fields())
        self._host.tell(
            RegistrationFailed(
                at=self._host.now(),
                account=self,
                sip_code=change.status,
                reason=change.reason,
                retry_after=wait,
                is_registered=self._registration.value in BOUND,
            )
        )


def account_of(given: Account | None, accounts: Mapping[str, Account]) -> Account | None:
    """Return the account that was given, else the first there is, else None.

    Raises:
        InvalidArgumentsError: What was given is none.
    """
    if given is None:
        return next(iter(accounts.values()), None)
    return checked_kind(given, Account, "account")


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
