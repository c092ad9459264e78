"""The client: what a program holds in its hands to call and to be called."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, final

import trio

from trivox.actor.emitter import Emitter
from trivox.actor.isolation import Isolation
from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.call._endings import refuse
from trivox.call._requests import checked_method
from trivox.call.argument_rules import checked_body
from trivox.call.call import Call
from trivox.call.client_events import ClientEvent, ListenerFailed
from trivox.call.header_rules import (
    HeaderArguments,
    checked_headers,
    checked_mime_type,
)
from trivox.call.settings import CallSettings
from trivox.call.states import CallDirection
from trivox.client._joining import ClientJoining
from trivox.client._listening import ClientListening
from trivox.client._messaging import ClientMessaging
from trivox.client._subscribing import ClientSubscribing
from trivox.client.account import Account, account_of
from trivox.client.arrivals import Arrivals
from trivox.client.config import described
from trivox.client.dialling import Dialling
from trivox.client.outside import ask_outside
from trivox.client.routes import IS_CLOSED
from trivox.client.serving import Handler, serve
from trivox.client.states import ClientState
from trivox.client.streams import StreamManager
from trivox.client.takers import IncomingCalls
from trivox.client.targets import target_of
from trivox.client.wiring import Wiring
from trivox.errors import ConnectionInterruptedError, RequiredParameterError
from trivox.errors.checks import checked_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trivox.actor.supervisor import Supervisor
    from trivox.call.messages import SipResponse
    from trivox.client.config import AccountConfig, AccountGrant, ClientConfig
    from trivox.media.engine import Media
    from trivox.net.dns_records import Dns
    from trivox.net.statistics import EndpointStatistics
    from trivox.net.tracing import TraceHook
    from trivox.net.transport import SocketFactory

E = TypeVar("E", bound=ClientEvent)


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """Figures of a client: live calls, timers, tokens, and what its sockets and engine count.

    `refused_by_identity` are calls that were one too many for who made them, `held_back` requests
    of ours that load filters did not let out.
    """

    calls: int
    timers: int
    tokens: int
    engine: Mapping[str, int]
    sip: EndpointStatistics
    refused_by_identity: int = 0
    held_back: int = 0


@final
class Client(ClientSubscribing, ClientMessaging, ClientJoining, ClientListening):
    """Places and takes calls. Made by `open_client`."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        supervisor: Supervisor,
        media: Media,
        seed: bytes,
        sockets: SocketFactory | None,
        trace: TraceHook | None,
        dns: Dns | None,
    ) -> None:
        self.config = config
        self._supervisor = supervisor
        self._state = ReadonlyWatchable(ClientState.CONNECTING)
        self._isolation = self._new_isolation("client", None)
        self._emitter: Emitter[ClientEvent] = Emitter(
            isolation=self._isolation, start_soon=supervisor.start_soon
        )
        self._calls: dict[str, Call] = {}
        self._by_call_id: dict[str, dict[str, Call]] = {}
        """The same by Call-ID: whoever names a dialog has nobody search through all of them."""
        self._accounts: dict[str, Account] = {}
        self._wiring = Wiring(self, media=media, seed=seed, sockets=sockets, trace=trace, dns=dns)
        self._arrivals = Arrivals(self, self._wiring)
        self._arrivals.note_calls()
        self._streams = StreamManager(self._wiring.new_id, self._isolation)
        self._emptied = trio.lowlevel.ParkingLot()
        for account in config.accounts:
            self.add_account(account)

    @property
    def state(self) -> ReadonlyWatchable[ClientState]:
        """CONNECTING while opening, CONNECTED, DISCONNECTING while closing, DISCONNECTED."""
        return self._state

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Accounts by address of record, read-only."""
        return MappingProxyType(self._accounts)

    @property
    def calls(self) -> Mapping[str, Call]:
        """Live calls by id, read-only."""
        return MappingProxyType(self._calls)

    @property
    def streams(self) -> StreamManager:
        """Makes the streams to add to calls."""
        return self._streams

    @property
    def listening_on(self) -> tuple[str, ...]:
        """The bound addresses as SIP URIs, port 0 resolved."""
        return self._wiring.endpoint.listening_on

    def add_account(self, config: AccountConfig | AccountGrant) -> Account:
        """Add an account; one with the same address of record is replaced.

        What is replaced registers no more, and its binding is left to the new account; its calls
        go on.

        Args:
            config: Its description, or what `Switchboard.account()` returns.

        Raises:
            InvalidArgumentsError: It is neither.
        """
        config = described(config)
        account = Account(self._wiring.registering, config)
        account.secrets.learned = self._wiring.exempt
        replaced = self._accounts.get(config.uri)
        self._accounts[config.uri] = account
        if replaced is not None:
            replaced._retire()
        self._arrivals.attribution.add(account)
        return account

    def create_call(
        self,
        destination: str,
        settings: CallSettings | None = None,
        *,
        account: Account | None = None,
    ) -> Call:
        """Make an outgoing call without sending anything; `start()` places it.

        Args:
            destination: A SIP URI, or a user or number in the account's domain.
            settings: None: the account's, else the client's.
            account: None: the first account, if there is any.

        Raises:
            InvalidUriError: The destination is of no use.
            InvalidArgumentsError: The settings or the account are of another class.
        """
        account = account_of(account, self._accounts)
        target = target_of(destination, account)
        if settings is not None:
            checked_kind(settings, CallSettings, "settings")
        else:
            config = account.config if account is not None else None
            settings = config.settings if config is not None else self.config.call_settings
        wiring = self._wiring
        return Call(
            wiring,
            id=wiring.new_id(),
            token=wiring.exchange.new_token(),
            direction=CallDirection.OUTGOING,
            destination=target,
            sip_call_id=wiring.new_id(),
            settings=settings,
            account=account,
        )

    def dial(
        self,
        destination: str,
        settings: CallSettings | None = None,
        *,
        account: Account | None = None,
    ) -> Dialling:
        """Call and wait until connected: `async with client.dial(…) as call:`; leaving hangs up.

        Entering raises CallFailedError (BusyError, DeclinedError, …), or CallEndedError when the
        call was hung up here, or lost, before it connected. If the callee answers and hangs up at
        once, the block is entered with a call that has ended, even if media was not set up yet.
        """
        return Dialling(self.create_call(destination, settings, account=account))

    def incoming_calls(self, *, max_waiting: int = 1024) -> IncomingCalls:
        """Iterate over incoming calls, from now on. Each must be answered, rejected or left."""
        return IncomingCalls(self._arrivals.takers, max_waiting)

    async def serve(
        self,
        handler: Handler,
        *,
        max_calls: int | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run `handler(call)` for each incoming call, one task each, in `async with call`.

        Accounts that name their registrar are registered, if nobody has done it before.

        What a handler raises ends its call (500 or BYE), is logged and emitted as HandlerFailed;
        that its own call ended is no failure. Returns when the client drains and all are done.
        Cancelling it cancels the handlers, whose calls are hung up.

        Args:
            handler: An async function of one Call.
            max_calls: Handlers at a time; None: no limit.
            task_status: Started when calls can come.
        """
        for account in self._accounts.values():
            if account.config.registrar:
                self._supervisor.start_soon(account._keep_registered)
        await serve(self._arrivals, handler, max_calls=max_calls, task_status=task_status)

    async def request(
        self,
        method: str,
        uri: str,
        *,
        headers: HeaderArguments = None,
        body: str | bytes | None = None,
        content_type: str | None = None,
        account: Account | None = None,
    ) -> SipResponse:
        """Send a request outside of calls, OPTIONS or MESSAGE, and return its final response.

        Cancelling it does not unsend the request.

        Raises:
            InvalidArgumentsError: The method is one that calls and accounts send, or the body too
                long; InvalidHeaderError, InvalidUriError: another argument is wrong.
            ConnectionTimeoutError: No response came (Timer F).
            TransportError: It could not be sent.
        """
        checked_method(method)
        pairs = checked_headers(headers)
        data = checked_body(body)
        if content_type is not None:
            pairs += (("Content-Type", checked_mime_type(content_type)),)
        elif data:
            raise RequiredParameterError("a body needs its content_type")
        account = account_of(account, self._accounts)
        target = target_of(uri, account)
        return await ask_outside(self._wiring, method, target, pairs, data, account)

    async def drain(self, *, grace: float = 300.0) -> None:
        """Refuse new calls (503, Retry-After) and wait until the others are done.

        Args:
            grace: Seconds after which those that are left are hung up.
        """
        self._arrivals.close()
        with trio.move_on_after(grace):
            await self._wait_empty()
        for call in tuple(self._calls.values()):
            refuse(call, 503, self._arrivals.retry_after)
        await self._wait_empty()

    def reload_certificates(self) -> None:
        """Read the files of `tls` anew: for connections from now on; those that are open stay.

        Raises:
            InvalidArgumentsError: One of them is of no use; what was there before is used further.
        """
        self._wiring.endpoint.tls.reload()

    def statistics(self) -> ClientStatistics:
        """Return the figures as they are now."""
        wiring = self._wiring
        return ClientStatistics(
            calls=len(self._calls),
            timers=len(wiring.timers),
            tokens=wiring.exchange.live_tokens,
            engine=wiring.media.sessions.counts(),
            sip=wiring.endpoint.statistics(),
            refused_by_identity=self._arrivals.quota.refused,
            held_back=self._wiring.routes.filters.held_back,
        )

    # For the other modules of this package.

    def _enter(self, call: Call) -> None:
        """Take a call into `calls`."""
        self._calls[call.id] = call
        self._by_call_id.setdefault(call.sip_call_id, {})[call.id] = call
        self._arrivals.note_calls()

    def _leave(self, call: Call) -> None:
        """Drop an ended call from `calls`."""
        self._calls.pop(call.id, None)
        same = self._by_call_id.get(call.sip_call_id)
        if same is not None:
            same.pop(call.id, None)
            if not same:
                del self._by_call_id[call.sip_call_id]
        self._arrivals.quota.leave(call.id)
        self._arrivals.note_calls()
        if not call._is_taken:
            self._arrivals.takers.withdraw(call)
        if self._emptied and not self._calls:
            self._emptied.unpark_all()

    def _calls_by(self, sip_call_id: str) -> Iterable[Call]:
        """Return the live calls of that Call-ID; a stranger may have begun several."""
        return self._by_call_id.get(sip_call_id, {}).values()

    def _emit(self, event: ClientEvent) -> None:
        """Emit an event of the client's own."""
        if self._emitter.wants(type(event)):
            self._emitter.emit(event)

    def _has_listener(self, kind: type[ClientEvent]) -> bool:
        """Whether somebody hears events of that class."""
        return self._emitter.wants(kind)

    def _isolation_for(self, call: Call) -> Isolation:
        """Return the place where what a call's listeners raise ends."""
        return self._new_isolation(f"call {call.id}", call)

    async def _open(self) -> None:
        """Bind and start. Raises OSError, InvalidUriError."""
        await self._wiring.open(self._supervisor)
        self._arrivals.attribution.open(self._supervisor.start_soon)
        assign(self._state, ClientState.CONNECTED)

    async def _close(self) -> None:
        """End all calls and wait for it, shielded, at most `shutdown_grace`."""
        assign(self._state, ClientState.DISCONNECTING)
        self._arrivals.close()
        self._arrivals.subscriptions.close()
        self._arrivals.watchers.close()
        for call in tuple(self._calls.values()):
            refuse(call, 503, self._arrivals.retry_after)
        for account in self._accounts.values():
            account._begin_unregistering()
        with trio.move_on_after(self.config.shutdown_grace, shield=True):
            await self._wiring.wait_quiet()
        self._wiring.routes.is_closed = True
        self._wiring.exchange.abandon()
        assign(self._state, ClientState.DISCONNECTED)
        self._end_waits(ConnectionInterruptedError(IS_CLOSED))

    def _end_waits(self, error: Exception) -> None:
        """End who waits for what cannot come any more."""
        self._emitter.end()
        for account in self._accounts.values():
            account._end_waits(error)
        self._state.observers().close(error)

    async def _wait_empty(self) -> None:
        await trio.lowlevel.checkpoint()
        while self._calls:
            await self._emptied.park()

    def _new_isolation(self, owner: str, call: Call | None) -> Isolation:
        # Weakly, so that what a call was watched with does not keep it alive after its end.
        concerned = weakref.ref(call) if call is not None else None

        def report(callback: object, event: object, error: Exception) -> None:
            if not isinstance(event, ListenerFailed):
                now = self._wiring.now()
                about = concerned() if concerned is not None else None
                self._emit(
                    ListenerFailed(at=now, call=about, listener=callback, event=event, error=error)
                )

        def fail_call(error: Exception) -> None:
            about = concerned() if concerned is not None else None
            if about is not None:
                about._fail_by_listener(error)

        policy, call_id = self.config.listener_errors, "" if call is None else call.id
        return Isolation(policy, owner, call_id, report, fail_call, self._supervisor.crash)
