"""SIP ⇄ calls: which call or request an event belongs to, and by which flow an answer leaves."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox._native import (
    EVENT_REQUEST,
    EVENT_RESPONSE,
    EVENT_TIMEOUT,
    EVENT_TRANSPORT_ERROR,
    NameAddr,
)
from trivox.call._paths import note_flow_back, note_flow_lost
from trivox.call.call import Call
from trivox.call.states import CallState
from trivox.client.failover import Failover
from trivox.client.hops import Hops
from trivox.client.load_filters import Outstanding
from trivox.client.named_hops import NamedHops, Waiting
from trivox.client.tenants import Tenants
from trivox.errors import ParseError, TrivoxError
from trivox.sip.capabilities import required_but_unknown
from trivox.sip.outputs import Forget, SendAck, SendCancel, SendRequest, SendResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message, SipEvent
    from trivox.actor.listeners import StartSoon
    from trivox.call.host import Route
    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address, Flow
    from trivox.sip.events import SessionOutput
    from trivox.sip.invite_session import InviteSession
    from trivox.sip.outputs import Headers

_LATE: Final = frozenset({EVENT_RESPONSE, EVENT_TIMEOUT})


class TokenOwner(Protocol):
    """What gets the events that carry its token."""

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take one event."""
        ...

    def abandon(self) -> None:
        """Wait for nothing more: the client is closed, and no message will come."""
        ...


@final
class Exchange:
    """The client's `TransactionUser`: it knows who owns which token, and the hop to each far end.

    Args:
        take_request: Takes what begins something new.
        call_at: Calls back at a time of Trio's clock.
        linger: 64·T1 in seconds: so long a late 2xx may come (RFC 3261 §13.2.2.4).
    """

    def __init__(
        self,
        *,
        take_request: Callable[[SipEvent, float], None],
        call_at: Callable[[float, Callable[[], None]], object],
        linger: float,
    ) -> None:
        self._take_request = take_request
        self.linger = linger
        self._call_at = call_at
        self._owners: dict[int, TokenOwner] = {}
        self._by_transaction: dict[int, Call] = {}
        self._late: dict[int, LateAnswers] = {}
        self._hops = Hops()
        self._outstanding = Outstanding()
        self._tenants = Tenants(lambda flow: self.endpoint.release(flow))
        self._tokens = itertools.count(1)
        self._numbers = itertools.count(-1, -1)
        self._lost_flows: set[int] = set()
        self._turn_time: float | None = None
        self._quiet = trio.lowlevel.ParkingLot()
        self.flow_closed: Callable[[int], None] = lambda _flow: None
        """Told of each connection that is gone."""
        self.endpoint: Endpoint
        self.failover: Failover
        self.named_hops: NamedHops

    def open(self, endpoint: Endpoint, start_soon: StartSoon) -> None:
        """Take the endpoint that messages go by, and where tasks are started."""
        self.endpoint = endpoint
        self.failover = Failover(endpoint, self._is_wanted, partial(next, self._numbers))
        self.named_hops = NamedHops(endpoint, self.failover, start_soon)

    @property
    def live_tokens(self) -> int:
        """Calls, requests and registrations that still expect a message."""
        return len(self._owners) + len(self._late)

    def now(self) -> float:
        """Return Trio's time; within a batch, the batch's."""
        return trio.current_time() if self._turn_time is None else self._turn_time

    def new_token(self) -> int:
        """Return a token nobody had."""
        return next(self._tokens)

    def enter(self, token: int, owner: TokenOwner) -> None:
        """Give the events of a token to `owner`."""
        self._owners[token] = owner

    def enter_incoming(self, call: Call, tx: int, flow: int, source: Address) -> None:
        """Enter an incoming call: until it is answered its events carry only the transaction."""
        self._owners[call.token] = call
        self._by_transaction[tx] = call
        self._hops.begin(call.token, (flow, source))
        self._tenants.move(call.token, flow)

    def release(self, token: int) -> None:
        """Forget a token."""
        self._owners.pop(token, None)
        self._tenants.leave(token)
        self._outstanding.forget(token)
        if token not in self._late:
            self._forget_way(token)
        if not self._owners and self._quiet:
            self._quiet.unpark_all()

    def hop_of(self, call: Call) -> tuple[int, Address] | None:
        """Return the flow and source of the last message of a call; None before the first."""
        return self._hops.last(call.token)

    def settle(self, call: Call) -> None:
        """Forget an ended call, as soon as no message of it is owed or expected any more."""
        if call.end is None or not call._signalling_is_over:
            return
        transaction = call._invite_transaction
        if self._by_transaction.get(transaction) is call:
            del self._by_transaction[transaction]
        late = call._late_answers() if call.token in self._owners else None
        if late is not None:
            self._late[call.token] = LateAnswers(self, call.token, *late)
            self._forget_late(call.token)
        self.release(call.token)

    def _forget_late(self, token: int) -> None:
        """Forget what is left of a call, once no further 2xx can come."""
        late, now = self._late[token], self.now()
        if now < late.until or late.is_waiting:
            again = late.until if now < late.until else now + self.linger
            self._call_at(again, partial(self._forget_late, token))
            return
        late.forget_branches()
        del self._late[token]
        self._forget_way(token)

    def _forget_way(self, token: int) -> None:
        self._hops.forget(token)
        self.failover.forget(token)

    async def wait_quiet(self) -> None:
        """Wait until no call, request or registration expects a message."""
        while self._owners:
            await self._quiet.park()

    def abandon(self) -> None:
        """End what still waits for a message, so that no task of the program waits for ever."""
        for owner in tuple(self._owners.values()):
            owner.abandon()

    # What the endpoint calls.

    def handle_sip(self, events: list[SipEvent], now: float) -> None:
        """Take the events of one batch."""
        self._turn_time = now
        try:
            for event in events:
                own = self.failover.take(event, now) if self.failover.attempts else event
                if own is not None:
                    self._handle(own, now)
        finally:
            self._turn_time = None

    def handle_flow_closed(self, flow: int, *, is_peers: bool) -> None:
        """Tell the calls that lived on it, if we cannot open it; else the next request does so."""
        self.flow_closed(flow)
        if is_peers:
            if not self._lost_flows:
                # Many connections may break at once: the calls are gone through once.
                self._call_at(self.now(), self._tell_lost_flows)
            self._lost_flows.add(flow)

    def _tell_lost_flows(self) -> None:
        lost, self._lost_flows = self._lost_flows, set()
        for token in self._hops.on(lost):
            owner = self._owners.get(token)
            if isinstance(owner, Call) and self._is_cut_off(owner):
                note_flow_lost(owner)

    def _is_cut_off(self, call: Call) -> bool:
        """Whether a call without its connection has no other way: no route we could open."""
        routes = call._route_set
        try:
            return not routes or self.endpoint.resolve_now(_uri_of(routes[0])) is None
        except TrivoxError:
            return True

    def _handle(self, event: SipEvent, now: float) -> None:
        _, token, tx, _, _, message, flow, source = event
        if self._outstanding.waiting:
            self._outstanding.take(event, now)
        owner = self._owners.get(token) if token else None
        if owner is None:
            owner = self._by_transaction.get(tx)
        if owner is None:
            self._handle_unowned(event, now)
        elif isinstance(owner, Call):
            if message is not None:
                self._hops.note(owner.token, (flow, source), message)
                self._tenants.move(owner.token, flow)
                if owner._lost_paths:
                    note_flow_back(owner)
            owner.handle_sip(event, now)
            # Settled as it ended, as a rule; one that owed a message then is so now.
            if owner.end is not None and owner.token in self._owners:
                self.settle(owner)
        else:
            if message is not None:
                self._hops.note(token, (flow, source), message)
                self._tenants.move(token, flow)
            owner.handle_sip(event, now)

    def _handle_unowned(self, event: SipEvent, now: float) -> None:
        kind, token, _, _, _, message, flow, source = event
        if token in self._late:
            if message is not None:
                self._hops.note(token, (flow, source), message)
            self._late[token].handle_sip(event, now)
        elif kind == EVENT_REQUEST:
            self._take_request(event, now)
        elif kind == EVENT_RESPONSE and message is not None:
            # Late, and of nobody's any more: the core has bound the dialog that it makes.
            _, _, call_id, local_tag, remote_tag, *_ = message.key()
            self.endpoint.forget(Forget(call_id, local_tag, remote_tag))

    # What calls, requests and registrations send.

    def send(
        self,
        token: int,
        route: Route,
        output: SendRequest | SendAck | SendCancel | SendResponse,
    ) -> int:
        """Hand a message to its flow; returns the client transaction, 0 for none of its own."""
        match output:
            case SendResponse():
                self.endpoint.respond(output, token=token)
                return 0
            case SendCancel():
                return self.endpoint.cancel(self.failover.renamed(output), token=token)
            case SendAck():
                hop = self._hop(token, route, output)
                if hop is not None:
                    renamed = self.failover.renamed(output)
                    self.endpoint.acknowledge(renamed, flow=hop[0], destination=hop[1])
                return 0
            case SendRequest() if output.to_tag is None:
                tx = self.failover.send(token, route, output) or self._fail(token, output.method)
                if route.claim is not None:
                    self._outstanding.sent(token, tx, route.claim)
                return tx
            case SendRequest():
                hop = self._hop(token, route, output)
                if hop is None:
                    return self._ask_the_way(token, route, output)
                return self.endpoint.request(output, token=token, flow=hop[0], destination=hop[1])

    def respond(
        self, tx: int, status: int, reason: str, headers: Headers = (), *, to_tag: str
    ) -> None:
        """Answer a request that belongs to nobody."""
        self.endpoint.respond(SendResponse(tx, status, reason, headers, b"", to_tag), token=0)

    def _hop(
        self, token: int, route: Route, output: SendRequest | SendAck
    ) -> tuple[Flow, Address] | None:
        flow, source = self._way_of(token, route, output)
        try:
            return self.endpoint.next_hop(
                _next_uri(output), flow=flow, source=source, is_secure=route.is_secure
            )
        except (TrivoxError, OSError):
            return None  # the far end named a hop we have no way to

    def _way_of(
        self, token: int, route: Route, output: SendRequest | SendAck
    ) -> tuple[int, Address]:
        """Return by which flow, and from where, the dialog of a request last heard something."""
        return self._hops.of(token, output.to_tag) or (route.flow, route.destination)

    def _ask_the_way(self, token: int, route: Route, output: SendRequest) -> int:
        """Send to a name when it is looked up, or fail where there is no name to look up."""
        uri = _next_uri(output)
        if not self.named_hops.is_name(uri):
            return self._fail(token, output.method)
        tx = next(self._numbers)
        flow, source = self._way_of(token, route, output)
        waiting = Waiting(tx, token, output, uri, flow, source, route.is_secure)
        self.named_hops.send(waiting, lambda tx: self._tell_failure(token, tx, output.method))
        return tx

    def _is_wanted(self, token: int) -> bool:
        """Whether a request that failed is worth another try: not for a call that is ending."""
        owner = self._owners.get(token)
        if isinstance(owner, Call):
            state = owner._state_now()
            return state is not CallState.DISCONNECTING and not state.is_terminal
        return owner is not None

    def _fail(self, token: int, method: str) -> int:
        """Let a request without a way fail as one whose connection is gone, a moment later."""
        tx = next(self._numbers)
        self._call_at(self.now(), lambda: self._tell_failure(token, tx, method))
        return tx

    def _tell_failure(self, token: int, tx: int, method: str) -> None:
        event: SipEvent = (EVENT_TRANSPORT_ERROR, token, tx, method, 0, None, 0, ("", 0))
        self._handle(event, self.now())


@final
class LateAnswers:
    """What is left of an ended call: a late 2xx is acknowledged, one of another branch ended."""

    __slots__ = ("_exchange", "_route", "_session", "_token", "until")

    def __init__(
        self, exchange: Exchange, token: int, session: InviteSession, route: Route
    ) -> None:
        self._exchange = exchange
        self._token = token
        self._session = session
        self._route = route
        self.until = exchange.now() + exchange.linger

    @property
    def is_waiting(self) -> bool:
        """Whether a re-INVITE is out still; the core tells its end, by a timer if by nothing else."""
        return self._session.is_modifying

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take one event; after a 2xx, or silence, the core listens for 64·T1 from then."""
        if event[0] in _LATE and event[3] == "INVITE":
            self.until = now + self._exchange.linger
        self._carry_out(self._session.handle(event, now))

    def forget_branches(self) -> None:
        """Let the core forget the branches whose BYE was never answered."""
        self._carry_out(self._session.forget_branches())

    def _carry_out(self, outputs: tuple[SessionOutput, ...]) -> None:
        """Send what the session asks for; what it tells concerns nobody any more."""
        for output in outputs:
            if isinstance(output, SendRequest):
                self._session.sent(self._exchange.send(self._token, self._route, output))
            elif isinstance(output, SendAck | SendResponse):
                self._exchange.send(self._token, self._route, output)
            elif isinstance(output, Forget):
                self._exchange.endpoint.forget(output)


def _next_uri(output: SendRequest | SendAck) -> str:
    """Return the next hop: the first route, or else the remote target (RFC 3261 §12.2.1.1)."""
    return _uri_of(output.route[0]) if output.route else output.uri


def _uri_of(value: str) -> str:
    try:
        return NameAddr.parse(value).uri
    except ParseError:
        return value


def vet(request: Message) -> tuple[int, str, Headers] | None:
    """Return how a request is to be refused before anybody looks at it; None for a good one.

    What breaks the grammar was refused by the core.
    """
    unknown = required_but_unknown(request)
    if unknown:
        return 420, "Bad Extension", (("Unsupported", ", ".join(unknown)),)
    for value in request.values("Content-Encoding"):
        if value.lower() != "identity":
            return 415, "Unsupported Media Type", (("Accept-Encoding", "identity"),)
    return None
