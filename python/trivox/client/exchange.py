"""SIP ⇄ calls: which call or request an event belongs to, and by which flow an answer leaves."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox._native import EVENT_REQUEST, EVENT_TRANSPORT_ERROR, NameAddr
from trivox.call.call import Call
from trivox.errors import ParseError
from trivox.sip.outputs import SendAck, SendCancel, SendRequest, SendResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message, SipEvent
    from trivox.call.host import Route
    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address, Flow
    from trivox.sip.outputs import Headers

_LOGGER: Final = logging.getLogger("trivox.client")
_LINGER: Final = 32.0
"""64·T1 in seconds: so long a late 2xx of another branch may come (RFC 3261 §13.2.2.4)."""


class TokenOwner(Protocol):
    """What gets the events that carry its token."""

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take one event."""
        ...


@final
class Exchange:
    """The client's `TransactionUser`: it knows who owns which token, and the hop to each far end."""

    def __init__(
        self,
        *,
        take_request: Callable[[SipEvent, float], None],
        call_at: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._take_request = take_request
        self._call_at = call_at
        self._owners: dict[int, TokenOwner] = {}
        self._by_transaction: dict[int, Call] = {}
        self._hops: dict[int, tuple[int, Address]] = {}
        self._tokens = itertools.count(1)
        self._failures = itertools.count(-1, -1)
        self._turn_time: float | None = None
        self._quiet = trio.lowlevel.ParkingLot()
        self.endpoint: Endpoint

    @property
    def live_tokens(self) -> int:
        """Calls, requests and registrations that still expect a message."""
        return len(self._owners)

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
        self._hops[call.token] = (flow, source)

    def release(self, token: int) -> None:
        """Forget a token."""
        self._owners.pop(token, None)
        self._hops.pop(token, None)
        if not self._owners:
            self._quiet.unpark_all()

    def settle(self, call: Call) -> None:
        """Forget an ended call, as soon as no message of it is owed or expected any more."""
        if call.end is None or not call.signalling_is_over:
            return
        transaction = call.invite_transaction
        if self._by_transaction.get(transaction) is call:
            del self._by_transaction[transaction]
        if call.may_hear_late_answers and call.token in self._owners:
            self._call_at(self.now() + _LINGER, lambda: self._let_go(call))
            self._owners[call.token] = LateAnswers(call)
            self._note_quiet()
        else:
            self.release(call.token)

    def _let_go(self, call: Call) -> None:
        call.forget_branches()
        self.release(call.token)

    async def wait_quiet(self) -> None:
        """Wait until no call, request or registration expects a message."""
        while not self.is_quiet:
            await self._quiet.park()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing but late answers is expected."""
        return all(isinstance(owner, LateAnswers) for owner in self._owners.values())

    def _note_quiet(self) -> None:
        self._quiet.unpark_all()

    # What the endpoint calls.

    def handle_sip(self, events: list[SipEvent], now: float) -> None:
        """Take the events of one batch."""
        self._turn_time = now
        try:
            for event in events:
                self._handle(event, now)
        finally:
            self._turn_time = None

    def handle_flow_closed(self, flow: int) -> None:
        """Do nothing: the next request opens a connection anew (RFC 3261 §18.4)."""

    def _handle(self, event: SipEvent, now: float) -> None:
        kind, token, tx, _, _, message, flow, source = event
        owner = self._owners.get(token) if token else None
        if owner is None:
            owner = self._by_transaction.get(tx)
        if owner is not None:
            if message is not None and isinstance(owner, Call):
                self._hops[owner.token] = (flow, source)
            owner.handle_sip(event, now)
            if isinstance(owner, Call) and owner.end is not None:
                self.settle(owner)
        elif kind == EVENT_REQUEST:
            self._take_request(event, now)

    # What calls, requests and registrations send.

    def send(
        self,
        token: int,
        route: Route,
        output: SendRequest | SendAck | SendCancel | SendResponse,
        *,
        in_dialog: bool,
    ) -> int:
        """Hand a message to its flow; returns the client transaction, 0 for none of its own."""
        match output:
            case SendResponse():
                self.endpoint.respond(output, token=token)
                return 0
            case SendCancel():
                return self.endpoint.cancel(output, token=token)
            case SendAck():
                hop = self._hop(token, route, output, in_dialog=True)
                if hop is not None:
                    self.endpoint.acknowledge(output, flow=hop[0], destination=hop[1])
                return 0
            case SendRequest():
                hop = self._hop(token, route, output, in_dialog=in_dialog)
                if hop is None:
                    return self._fail(token, output.method)
                return self.endpoint.request(output, token=token, flow=hop[0], destination=hop[1])

    def respond(
        self, tx: int, status: int, reason: str, headers: Headers = (), *, to_tag: str
    ) -> None:
        """Answer a request that belongs to nobody."""
        self.endpoint.respond(SendResponse(tx, status, reason, headers, b"", to_tag), token=0)

    def _hop(
        self, token: int, route: Route, output: SendRequest | SendAck, *, in_dialog: bool
    ) -> tuple[Flow, Address] | None:
        if in_dialog:
            flow, source = self._hops.get(token, (route.flow, route.destination))
            next_uri = _uri_of(output.route[0]) if output.route else output.uri
            return self.endpoint.next_hop(next_uri, flow=flow, source=source)
        known = self.endpoint.flow(route.flow)
        return None if known is None else (known, route.destination)

    def _fail(self, token: int, method: str) -> int:
        """Let a request without a way fail as one whose connection is gone, a moment later."""
        tx = next(self._failures)
        event: SipEvent = (EVENT_TRANSPORT_ERROR, token, tx, method, 0, None, 0, ("", 0))

        def tell() -> None:
            self._handle(event, self.now())

        self._call_at(self.now(), tell)
        return tx


@final
class LateAnswers:
    """Stands in for an ended call: a 2xx of another branch is still acknowledged and ended."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take one event."""
        self._call.handle_sip(event, now)


def _uri_of(value: str) -> str:
    try:
        return NameAddr.parse(value).uri
    except ParseError:
        return value


def vet(request: Message) -> tuple[int, str, Headers] | None:
    """Return how a request is to be refused before anybody looks at it; None for a good one."""
    wrong = request.validate()
    if wrong is not None:
        return (*wrong, ())
    required = request.values("Require")
    if required:
        return 420, "Bad Extension", (("Unsupported", ", ".join(required)),)
    return None
