"""What comes in by the flows, given to the SIP core; and the turns of what waits at its door."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox._native import EVENT_FLOW_BROKEN, EVENT_REQUEST
from trivox.net.target import WEBSOCKETS

if TYPE_CHECKING:
    from trivox._native import Message, SipCore, SipEvent
    from trivox.net.flows import AnyFlow
    from trivox.net.tcp import TcpFlow
    from trivox.net.tls import TlsContexts
    from trivox.net.tracing import Tap
    from trivox.net.transport import Address, TransactionUser
    from trivox.net.udp import UdpFlow

# Taken from a socket in one turn: as a rule all there is, and no more than takes some ms.
_MOST_DATAGRAMS: Final = 8192
# As `sending.rs` has it for the sockets that the extension sends by.
_NO_WAY: Final = frozenset({
    errno.EACCES, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTUNREACH,
    errno.EINVAL, errno.EMSGSIZE, errno.ENETUNREACH,
})  # fmt: skip


class Loop(Protocol):
    """The endpoint, seen from its intake."""

    core: SipCore
    tls: TlsContexts

    def turn(self, events: list[SipEvent], now: float) -> None:
        """Give events to the user and send what comes of it."""
        ...

    def keep(self, identifier: int) -> None:
        """Let a connection be silent without limit."""
        ...

    def learn_alias(self, flow: TcpFlow, request: Message) -> None:
        """Take a request of one who has proved who it is: it may offer its connection."""
        ...

    def touch(self) -> None:
        """See to it that what was given to `core` leaves within this scheduler turn."""
        ...


@final
class Intake:
    """The `FlowOwner` of an endpoint."""

    def __init__(self, loop: Loop, user: TransactionUser, tap: Tap | None) -> None:
        self.is_stopping = False
        self.crowd = trio.Event()
        self._loop = loop
        self._user = user
        self._tap = tap

    def flow_opened(self, flow: AnyFlow) -> None:
        """Make a new flow known to the core."""
        self._loop.core.open_flow(flow.id, flow.transport, flow.local)
        if flow.transport == "tls" and not flow.accepted and self._loop.tls.can_listen:
            # We show who we are: the far end may send requests back by it (RFC 5923 §8.1).
            self._loop.core.offer_reuse(flow.id)

    def flow_closed(self, flow: AnyFlow) -> None:
        """Fail what was under way on a connection that is gone, and tell the user."""
        if self._tap is not None:
            self._tap.closed(flow)
        if self.is_stopping:
            return
        now = trio.current_time()
        self._loop.turn(self._loop.core.close_flow(flow.id, now), now)
        is_peers = flow.accepted and flow.transport in WEBSOCKETS
        self._user.handle_flow_closed(flow.id, is_peers=is_peers)
        self._loop.touch()

    def datagrams_wait(self, flow: UdpFlow) -> None:
        """Take what waits at a UDP socket: all of it, so that no BYE waits behind a crowd."""
        descriptor = flow.descriptor()
        if descriptor is None or self._tap is not None:
            batch = flow.receive()
            if batch:
                self.receive_datagrams(flow, batch)
            else:
                self.sent_back(flow)
            return
        now = trio.current_time()
        core = self._loop.core
        taken, events = core.receive_ready(flow.id, descriptor, _MOST_DATAGRAMS, now)
        if taken:
            self._loop.turn(events, now)
        else:
            self.sent_back(flow)

    def sent_back(self, flow: UdpFlow) -> None:
        """Fail what the network could not deliver (RFC 3261 §18.4)."""
        core = self._loop.core
        known = [core.undelivered(quoted, is_final) for quoted, is_final in flow.undelivered()]
        if any(known):
            now = trio.current_time()
            self._loop.turn(core.handle_timeout(now), now)

    def unsent(self, data: bytes, error: int) -> None:
        """Fail what this system has no way to send by, or a rule of it forbids for long."""
        core = self._loop.core
        if error in _NO_WAY:
            core.unsendable(data)
        elif error == errno.EPERM:
            core.undelivered(data, is_final=False)
        self._loop.touch()

    def receive_datagrams(self, flow: AnyFlow, batch: list[tuple[bytes, Address]]) -> None:
        """Take datagrams, or WebSocket messages."""
        now = trio.current_time()
        if self._tap is not None:
            for data, source in batch:
                self._tap.received(now, flow, source, data)
        events = self._loop.core.receive_batch(flow.id, batch, now)
        if flow.transport != "udp":
            self._keep_if_used(flow.id, events)
        self._loop.turn(events, now)

    def receive_stream(self, flow: TcpFlow, data: bytes) -> bool:
        """Take bytes of a connection; tell whether a whole message was among them."""
        now = trio.current_time()
        if self._tap is not None:
            self._tap.received_piece(now, flow, flow.remote, data)
        core = self._loop.core
        before = core.received
        events = core.receive_stream(flow.id, data, flow.remote, now)
        if any(event[0] == EVENT_FLOW_BROKEN for event in events):
            flow.wire.finish()
            events = [event for event in events if event[0] != EVENT_FLOW_BROKEN]
        self._keep_if_used(flow.id, events)
        if flow.accepted and flow.wire.peer_names:
            for event in events:
                if event[0] == EVENT_REQUEST and event[5] is not None:
                    self._loop.learn_alias(flow, event[5])
        is_complete = core.received != before
        self._loop.turn(events, now)
        return is_complete

    def _keep_if_used(self, flow: int, events: list[SipEvent]) -> None:
        """Keep a connection by which something of a token's came, and not one that repeats another's."""
        if any(event[1] and event[6] == flow for event in events):
            self._loop.keep(flow)

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """While requests wait at the door, let some in each scheduler turn."""
        core = self._loop.core
        while True:
            await self.crowd.wait()
            while core.waiting:
                # What goes on goes before what begins: handlers run, datagrams are taken.
                await trio.lowlevel.checkpoint()
                now = trio.current_time()
                self._loop.turn(core.admit(now), now)
            self.crowd = trio.Event()
