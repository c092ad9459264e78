"""What a call asks of the client it lives in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from contextvars import Context

    from trivox.actor.isolation import Isolation
    from trivox.actor.listeners import StartSoon
    from trivox.call.call import Call
    from trivox.call.ice_servers import IcePlaces, IceServer
    from trivox.call.referral import ReferralWay
    from trivox.call.settings import CallSettings
    from trivox.call.trace import TraceRecord
    from trivox.call.transfer import OutgoingTransfer
    from trivox.call.trickle_memory import TrickleMemory
    from trivox.media.engine import Media
    from trivox.net.target import Target
    from trivox.net.transport import Address
    from trivox.sip.identity import LocalIdentity
    from trivox.sip.load_filter import Claim
    from trivox.sip.outputs import Forget, Headers, SendAck, SendCancel, SendRequest, SendResponse


class Timer(Protocol):
    """A deadline that may be withdrawn."""

    def cancel(self) -> None:
        """Withdraw it; after it fired, do nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call's messages go, and who we are there.

    Attributes:
        flow: Number of the flow the first message goes by, or came by.
        destination: The far end, or the proxy before it, as seen from that flow.
        local_host: Local address of the route to it: never a wildcard.
        identity: From, Contact and credentials of this call.
        target: Every address its first request may go to; None: the far end called us.
        is_secure: The call is to, or came to, a `sips` URI: nothing of it leaves without TLS.
        claim: Its place in the windows of load filters, if they have one.
    """

    flow: int
    destination: Address
    local_host: str
    identity: LocalIdentity
    target: Target | None = None
    is_secure: bool = False
    claim: Claim | None = None


class CallHost(Protocol):
    """The client, seen from its calls."""

    @property
    def media(self) -> Media:
        """The engine and its event task."""
        ...

    @property
    def advertised(self) -> str:
        """Host told to others in place of the local one; empty for none."""
        ...

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """Where addresses for ICE are asked."""
        ...

    @property
    def trickle_memory(self) -> TrickleMemory:
        """Who is known to take candidates after an offer."""
        ...

    async def find_servers(self, servers: tuple[IceServer, ...]) -> IcePlaces:
        """Resolve the names of servers; what cannot be found is among the failures."""
        ...

    @property
    def context(self) -> Context:
        """The context the client was opened in; listeners of incoming calls run in copies."""
        ...

    @property
    def hangup_timeout(self) -> float:
        """Seconds leaving a call waits for its end."""
        ...

    @property
    def retry_after(self) -> Headers:
        """The Retry-After header of a 503."""
        ...

    def leads_back(self, uri: str, route: Route) -> bool:
        """Whether what is sent to a URI goes where a call came from, as far as we know by now."""
        ...

    def media_hosts(self, route: Route, transport: str) -> tuple[str, ...]:
        """Return the local addresses of a call's media: all that can be used with "ice"."""
        ...

    def now(self) -> float:
        """Return Trio's time; within a batch of events, the batch's."""
        ...

    def new_id(self) -> str:
        """Return a fresh random identifier: a tag, a Call-ID."""
        ...

    def written_at(self) -> str:
        """Return the present by the system's clock, as RFC 3339 writes it: for people to read."""
        ...

    def call_at(self, at: float, act: Callable[[], None]) -> Timer:
        """Call `act` at that time, in the client's loop."""
        ...

    async def route_to(self, call: Call) -> Route:
        """Resolve a call's destination. Raises InvalidUriError, ConnectionNetworkError."""
        ...

    async def route_on(self, call: Call, target: str) -> Route:
        """Resolve another target that the far end of a call has named. Raises as `route_to`."""
        ...

    def enter(self, call: Call) -> None:
        """Take a call into `calls`."""
        ...

    def target_of(self, call: Call, destination: str) -> str:
        """Return the URI of a destination within the call's account. Raises InvalidUriError."""
        ...

    def refer(
        self,
        call: Call,
        target: str,
        settings: CallSettings,
        named_by: tuple[int, Address] | None = None,
    ) -> Call:
        """Make, but not start, the call that the far end of `call` asks for.

        Args:
            call: The call it is about.
            target: Where the new one goes.
            settings: Of the new one.
            named_by: Flow and source of a REFER beside the call; None: it came within.
        """
        ...

    def refer_beside(self, call: Call, transfer: OutgoingTransfer, headers: Headers) -> None:
        """Send the REFER of a transfer out of the dialog, and settle it (RFC 7647 §4)."""
        ...

    def follow_reports(self, call: Call, transfer: OutgoingTransfer, uri: str) -> None:
        """Subscribe to where the far end says how a transfer goes, and tell that (RFC 7614 §4.4)."""
        ...

    def keep_reports(self, way: ReferralWay) -> ReferralWay | None:
        """Keep what is told of a REFER for whoever subscribes to it (RFC 7614 §4.7).

        Returns:
            How the REFER is answered and reported on then; None when too many are kept.
        """
        ...

    def leave(self, call: Call) -> None:
        """Drop an ended call from `calls`; its messages are still carried."""
        ...

    def failure_of(self, flow: int) -> Exception | None:
        """Return what broke a connection of ours; None when that is not known."""
        ...

    def send(self, call: Call, output: SendRequest | SendAck | SendCancel) -> int:
        """Hand a message to the call's flow; returns the transaction, 0 for none of its own."""
        ...

    def respond(self, output: SendResponse, *, token: int) -> bool:
        """Answer a request of the call of that token; False when its transaction is over."""
        ...

    def screen(self, route: Route, sdp: str) -> str:
        """Return a received description without addresses that media must not be sent to."""
        ...

    def forget(self, output: Forget) -> None:
        """Drop a dialog from the core's table."""
        ...

    def trace_of(self, call_id: str) -> deque[TraceRecord]:
        """Return the kept messages of a Call-ID; empty unless the client keeps them."""
        ...

    def isolation_for(self, call: Call) -> Isolation:
        """Return the place where what this call's listeners raise ends."""
        ...

    @property
    def start_soon(self) -> StartSoon:
        """Starts a task in the client's supervisor."""
        ...


class AccountFace(Protocol):
    """An account, as far as its calls know it."""

    @property
    def uri(self) -> str:
        """Address of record."""
        ...

    @property
    def offered_media(self) -> tuple[str, ...] | None:
        """The kinds of media its calls offer, unless their settings say otherwise."""
        ...
