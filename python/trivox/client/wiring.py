"""What holds a client together: endpoint, engine, timers, identifiers; the host of its calls."""

from __future__ import annotations

import contextvars
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, final

from trivox.call.trickle_memory import TrickleMemory
from trivox.client._messaging import written_at
from trivox.client.exchange import Exchange
from trivox.client.ice_places import find_servers
from trivox.client.identifiers import Identifiers
from trivox.client.load_filters import LoadFilters
from trivox.client.referring import follow_reports, refer_beside
from trivox.client.registering import Registering
from trivox.client.routes import Routes
from trivox.client.targets import target_of
from trivox.client.timers import Timers
from trivox.client.tracing import Tracer
from trivox.net.endpoint import Endpoint
from trivox.net.sockets import SystemSockets
from trivox.sip.target_filter import TargetFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trivox._native import SipEvent
    from trivox.actor.isolation import Isolation
    from trivox.actor.listeners import StartSoon
    from trivox.actor.supervisor import Supervisor
    from trivox.call.call import Call
    from trivox.call.client_events import ClientEvent
    from trivox.call.host import Route
    from trivox.call.ice_servers import IcePlaces, IceServer
    from trivox.call.referral import ReferralWay
    from trivox.call.settings import CallSettings
    from trivox.call.trace import TraceRecord
    from trivox.call.transfer import OutgoingTransfer
    from trivox.client.account import Account
    from trivox.client.config import ClientConfig
    from trivox.client.dialling import Dialling
    from trivox.client.reports import Reports
    from trivox.client.subscriptions import Subscriptions
    from trivox.client.timers import Deadline
    from trivox.media.engine import Media
    from trivox.net.dns_records import Dns
    from trivox.net.tracing import TraceHook
    from trivox.net.transport import Address, SocketFactory
    from trivox.sip.outputs import Headers, SendAck, SendCancel, SendRequest

_MOST_SERVERS: Final = 4096
"""Addresses of servers without a limit; what the DNS says of a trunk may change with each answer."""
_UNTRACED: Final[deque[TraceRecord]] = deque(maxlen=0)
"""What calls keep of their messages where none are kept."""


class Owner(Protocol):
    """The client, seen from its wiring."""

    config: ClientConfig

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Accounts by address of record."""
        ...

    def _enter(self, call: Call) -> None:
        """Take a call into `calls`."""
        ...

    def _leave(self, call: Call) -> None:
        """Drop an ended call from `calls`."""
        ...

    def _emit(self, event: ClientEvent) -> None:
        """Tell listeners and subscriptions."""
        ...

    def _isolation_for(self, call: Call) -> Isolation:
        """Return the place where what this call's listeners raise ends."""
        ...

    def create_call(
        self,
        destination: str,
        settings: CallSettings | None = None,
        *,
        account: Account | None = None,
    ) -> Call:
        """Make an outgoing call."""
        ...

    def dial(
        self,
        destination: str,
        settings: CallSettings | None = None,
        *,
        account: Account | None = None,
    ) -> Dialling:
        """Make one that is connected on entry."""
        ...


@final
class Wiring:
    """The `CallHost` of a client's calls."""

    advertised: str
    """Host told to others in place of the local one."""
    ice_servers: tuple[IceServer, ...]
    """Where addresses for ICE are asked."""
    start_soon: StartSoon
    """Starts a task in the supervisor; there from `open` on."""
    subscriptions: Subscriptions
    """Who gets which NOTIFY; set by who takes requests, as the next one."""
    reports: Reports
    """What is told of REFERs to who subscribes to that."""

    def __init__(
        self,
        owner: Owner,
        *,
        media: Media,
        seed: bytes,
        sockets: SocketFactory | None,
        trace: TraceHook | None,
        dns: Dns | None,
    ) -> None:
        config = owner.config
        self.owner = owner
        self.advertised, self.ice_servers = config.advertised or "", config.ice_servers
        self.media = media
        self.context = contextvars.copy_context()
        self.timers = Timers()
        self.new_id = Identifiers(seed + b"names")
        self.take_request: Callable[[SipEvent, float], None] = lambda _event, _now: None
        self.exchange = Exchange(
            take_request=lambda event, now: self.take_request(event, now),
            call_at=self.timers.call_at,
            linger=64 * config.t1,
        )
        self.now = self.exchange.now
        self.trickle_memory = TrickleMemory(self.now)
        self._sockets = sockets or SystemSockets()
        self._tracer = Tracer(trace) if config.keep_trace else None
        self.endpoint = Endpoint(
            self.exchange,
            listen=config.listen,
            seed=seed,
            advertised=config.advertised,
            t1=config.t1,
            t2=config.t2,
            t4=config.t4,
            trace=self._tracer or trace,
            sockets=self._sockets,
            limits=config.limits,
            door=config.door,
            tls=config.tls,
            dns=dns,
            origins=config.origins,
            targets=TargetFilter(is_on=config.filter_targets, allowed=config.allowed_networks),
        )
        self.routes = Routes(self.endpoint, config, LoadFilters(self.now, self.new_id.fraction))
        self.routes.learned = self.exempt
        self._servers: dict[str, None] = {}
        self.respond = self.endpoint.respond
        self.forget = self.endpoint.forget
        self.registering = Registering(self, seed)

    async def open(self, supervisor: Supervisor) -> None:
        """Start what runs under the supervisor. Raises OSError, InvalidUriError."""
        self.start_soon = supervisor.start_soon
        self.exchange.open(self.endpoint, supervisor.start_soon)
        config = self.owner.config
        config.door.apply(
            self.endpoint.core,
            retry_after=config.retry_after,
            calls_per_second=config.max_calls_per_second,
            has_dialogs=True,
        )
        self.exempt(())
        supervisor.start_soon(self.timers.run, name="trivox timers")
        await supervisor.start(self.media.run)
        await supervisor.start(self.endpoint.run)

    def exempt(self, servers: Iterable[str]) -> None:
        """Let servers that the program named bring more than strangers may."""
        new = dict.fromkeys(server for server in servers if server not in self._servers)
        self._servers.update(new)
        while len(self._servers) > _MOST_SERVERS:
            # One that is still in use is learned again with its next look-up.
            del self._servers[next(iter(self._servers))]
        if new or not servers:
            self.owner.config.door.exempt(self.endpoint.core, self._servers)

    async def wait_quiet(self) -> None:
        """Wait until nothing is owed or expected and everything is written."""
        await self.exchange.wait_quiet()
        await self.endpoint.wait_written()

    # CallHost

    @property
    def hangup_timeout(self) -> float:
        """Seconds leaving a call waits for its end."""
        return self.owner.config.hangup_timeout

    @property
    def retry_after(self) -> Headers:
        """The Retry-After header of our 503s."""
        return (("Retry-After", str(self.owner.config.retry_after)),)

    def written_at(self) -> str:
        """Return the present, for people to read."""
        return written_at()

    def call_at(self, at: float, act: Callable[[], None]) -> Deadline:
        """Call `act` at that time."""
        return self.timers.call_at(at, act)

    def trace_of(self, call_id: str) -> deque[TraceRecord]:
        """Return the kept messages of a Call-ID; empty unless they are kept."""
        return self._tracer.records(call_id) if self._tracer is not None else _UNTRACED

    def isolation_for(self, call: Call) -> Isolation:
        """Return the place where what this call's listeners raise ends."""
        return self.owner._isolation_for(call)

    def enter(self, call: Call) -> None:
        """Take an outgoing call in."""
        self.owner._enter(call)
        self.exchange.enter(call.token, call)

    def leave(self, call: Call) -> None:
        """Let an ended call go; its last messages are still carried."""
        self.owner._leave(call)
        self.exchange.settle(call)

    def failure_of(self, flow: int) -> Exception | None:
        """Return what broke a connection of ours."""
        return self.endpoint.failure_of(flow)

    def send(self, call: Call, output: SendRequest | SendAck | SendCancel) -> int:
        """Hand a message to the call's flow."""
        route = call._route
        assert route is not None, "a call that sends has its route"
        return self.exchange.send(call.token, route, output)

    def screen(self, route: Route, sdp: str) -> str:
        """Return a received description without addresses that media must not be sent to."""
        targets = self.endpoint.hops.filter
        return targets.screen(sdp, source=route.destination[0], local_host=route.local_host)

    def leads_back(self, uri: str, route: Route) -> bool:
        """Tell whether a URI leads to where a call came from."""
        return self.endpoint.hops.leads_to(uri, route.flow, route.destination)

    async def find_servers(self, servers: tuple[IceServer, ...]) -> IcePlaces:
        """Resolve the names of servers."""
        endpoint = self.endpoint
        return await find_servers(servers, endpoint.resolve, endpoint.tls.authorities)

    def media_hosts(self, route: Route, transport: str) -> tuple[str, ...]:
        """Return the local addresses of a call's media: with "ice" the far end may choose."""
        own = route.local_host
        return self.endpoint.hops.media_hosts(own) if transport == "ice" else (own,)

    async def route_to(self, call: Call) -> Route:
        """Resolve an outgoing call's destination."""
        account = self._account_of(call)
        return await self.routes.towards(
            call.destination, account, call.settings, call._named_by, method="INVITE"
        )

    async def route_on(self, call: Call, target: str) -> Route:
        """Resolve a target that the far end of a call has named."""
        account, named_by = self._account_of(call), self.exchange.hop_of(call)
        return await self.routes.towards(target, account, call.settings, named_by, method="INVITE")

    def target_of(self, call: Call, destination: str) -> str:
        """Return the URI of a destination within the call's account."""
        return target_of(destination, self._account_of(call))

    def refer(
        self,
        call: Call,
        target: str,
        settings: CallSettings,
        named_by: tuple[int, Address] | None = None,
    ) -> Call:
        """Make the call that the far end of `call` asks for."""
        new_call = self.owner.create_call(target, settings, account=self._account_of(call))
        new_call._named_by = named_by or self.exchange.hop_of(call)
        return new_call

    def refer_beside(self, call: Call, transfer: OutgoingTransfer, headers: Headers) -> None:
        """Send a REFER out of the dialog of the call it is about."""
        account, desk = self._account_of(call), self.subscriptions
        self.start_soon(
            refer_beside, self, desk, call, account, transfer, headers, name=f"REFER of {call.id}"
        )

    def follow_reports(self, call: Call, transfer: OutgoingTransfer, uri: str) -> None:
        """Subscribe to where the far end says how a transfer goes."""
        account, desk = self._account_of(call), self.subscriptions
        self.start_soon(
            follow_reports, self, desk, call, account, transfer, uri, name=f"reports to {call.id}"
        )

    def keep_reports(self, way: ReferralWay) -> ReferralWay | None:
        """Keep what is told of a REFER for whoever subscribes to it."""
        return self.reports.keep(way)

    def _account_of(self, call: Call) -> Account | None:
        return self.owner.accounts.get(call.account.uri) if call.account else None
