"""Sockets ⇄ the native SIP core: the one drain loop of a client or a switchboard.

Input → core → events → transaction user → output, all in one synchronous turn; one task sleeps
until the core's next deadline. Nothing here knows calls, dialogs or media.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, final

import trio

from trivox._native import SipCore
from trivox.errors import ConnectionNetworkError, TrivoxError
from trivox.net.door import DoorLimits
from trivox.net.flows import FlowTable
from trivox.net.intake import Intake
from trivox.net.limits import StreamLimits
from trivox.net.naming import new_resolver
from trivox.net.next_hop import NextHops
from trivox.net.own_address import OwnAddress
from trivox.net.sockets import SystemSockets
from trivox.net.statistics import EndpointStatistics
from trivox.net.tls import TlsConfig, TlsContexts
from trivox.net.tracing import Tap, TraceHook
from trivox.net.udp import UdpFlow
from trivox.sip.target_filter import TargetFilter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from trivox._native import Message, SipEvent
    from trivox.net.dns_records import Dns
    from trivox.net.pages import PageHandler
    from trivox.net.target import Target
    from trivox.net.tcp import TcpFlow
    from trivox.net.transport import Address, Flow, SocketFactory, TransactionUser
    from trivox.sip.outputs import Forget, Remember, SendAck, SendCancel, SendRequest, SendResponse


@final
class Endpoint:
    """The sockets of one program and the SIP core behind them.

    `run` binds and serves until cancelled. Commands (`request`, `respond`, …) are synchronous and
    hand the message over before the end of the scheduler turn. All must be called in the Trio
    thread that runs it.
    """

    def __init__(
        self,
        user: TransactionUser,
        *,
        listen: Sequence[str],
        seed: bytes,
        advertised: str | None = None,
        t1: float = 0.5,
        t2: float = 4.0,
        t4: float = 5.0,
        trace: TraceHook | None = None,
        sockets: SocketFactory | None = None,
        limits: StreamLimits | None = None,
        door: DoorLimits | None = None,
        tls: TlsConfig | None = None,
        dns: Dns | None = None,
        pages: PageHandler | None = None,
        origins: Collection[str] | None = None,
        targets: TargetFilter | None = None,
    ) -> None:
        """Take the settings; nothing is bound before `run`.

        Args:
            user: Gets the events.
            listen: SIP URIs to bind, `sip:host:port;transport=udp|tcp|tls|ws|wss`; port 0 is any.
            seed: Random bytes that branches, tags and names are derived from.
            advertised: Host, or host:port, that peers are told in place of our own.
            t1: RFC 3261 timer T1 in seconds.
            t2: RFC 3261 timer T2 in seconds.
            t4: RFC 3261 timer T4 in seconds.
            trace: Sees every message in and out.
            sockets: Where sockets come from; the system by default.
            limits: Limits on connections.
            door: Limits on new requests.
            tls: Certificates; by default none of ours, and the system's roots.
            dns: Answers the resolver; by default dnspython if it is installed, or else the system.
            pages: Answers plain HTTP requests at a WebSocket port.
            origins: Allowed WebSocket Origins; None allows all.
            targets: Judges the targets that the network names; None: the default one.
        """
        door = door or DoorLimits()
        self.core = SipCore(seed, t1=t1, t2=t2, t4=t4, max_transactions=door.max_transactions)
        door.apply(self.core)
        self.listening_on: tuple[str, ...] = ()
        self._user = user
        self._listen = tuple(listen)
        self._tap = Tap(trace, self.local_address) if trace is not None else None
        self._sockets = sockets or SystemSockets()
        self.tls = TlsContexts(tls)
        self._resolver = new_resolver(dns, self._sockets, random.Random(seed).random)
        self._intake = Intake(self, user, self._tap)
        self._flows = FlowTable(
            self._intake,
            self._sockets,
            limits or StreamLimits(),
            receive_buffer=door.receive_buffer,
            seed=seed,
            tls=self.tls,
            pages=pages,
            origins=origins,
        )
        self._own = OwnAddress(
            advertised, seed, self._sockets, self._flows.listening_port, self.now
        )
        self.hops = NextHops(self._flows, self._resolver, self._own, targets or TargetFilter())
        self._turn_time: float | None = None
        self._wake = trio.Event()
        self._timer = trio.CancelScope()
        self._messages_out = self._unroutable = 0

    @trio.lowlevel.enable_ki_protection
    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Bind, then serve until cancelled.

        Raises:
            OSError: An address cannot be bound.
            InvalidUriError, NotSupportedError: An address is none we can listen on.
        """
        failure: OSError | TrivoxError | None = None
        try:
            async with trio.open_nursery() as nursery:
                self._flows.start(nursery)
                try:
                    self.listening_on = await self._flows.listen(self._listen, self.resolve)
                except (OSError, TrivoxError) as error:  # raised below, outside of a group
                    failure = error
                    nursery.cancel_scope.cancel()
                else:
                    nursery.start_soon(self._keep_time)
                    nursery.start_soon(self._intake.run)
                    task_status.started()
        finally:
            self._intake.is_stopping = True
            self._flows.close()
        if failure is not None:
            raise failure

    # What carries out the outputs of `trivox.sip`.

    def request(self, output: SendRequest, *, token: int, flow: Flow, destination: Address) -> int:
        """Start a client transaction; its responses carry `token`. Returns its number."""
        if token:
            self.keep(flow.id)
        transaction = self.core.request(
            output.method,
            output.uri,
            flow.id,
            destination,
            self._own.sent_by(flow, destination),
            output.headers,
            output.body,
            token,
            self.now(),
        )
        self.touch()
        return transaction

    def acknowledge(self, output: SendAck, *, flow: Flow, destination: Address) -> None:
        """Send the ACK for a 2xx, and again for each repetition of it."""
        self.core.acknowledge(
            output.tx,
            output.to_tag,
            output.uri,
            flow.id,
            destination,
            self._own.sent_by(flow, destination),
            output.headers,
            output.body,
            self.now(),
        )
        self.touch()

    def cancel(self, output: SendCancel, *, token: int) -> int:
        """Cancel an INVITE that has had a provisional response."""
        self.touch()
        return self.core.cancel(output.tx, output.headers, token, self.now())

    def respond(self, output: SendResponse, *, token: int) -> bool:
        """Answer a request; False when its transaction is over already."""
        sent = self.core.respond(
            output.tx,
            output.status,
            output.reason,
            output.headers,
            output.body,
            output.to_tag,
            token,
            self.now(),
        )
        self.touch()
        return sent

    def remember(self, output: Remember, *, token: int) -> None:
        """Put a dialog into the core's table; its requests carry `token`."""
        self.core.bind(output.call_id, output.local_tag, output.remote_tag, token)

    def forget(self, output: Forget) -> None:
        """Drop a dialog from the core's table."""
        self.core.forget(output.call_id, output.local_tag, output.remote_tag)

    async def resolve(self, uri: str) -> Target:
        """Resolve a SIP URI to a transport and addresses.

        Raises:
            InvalidUriError, NotSupportedError: It is no URI we can send to.
            ConnectionNetworkError: Its host has no address, or the DNS does not answer.
        """
        return await self._resolver.resolve(uri)

    def resolve_now(self, uri: str) -> Target | None:
        """Resolve a SIP URI without waiting; None when its host is a name."""
        return self._resolver.resolve_now(uri)

    def flow(self, identifier: int) -> Flow | None:
        """Return a live flow by the number events carry."""
        return self._flows.get(identifier)

    def flow_to(self, target: Target) -> Flow:
        """Return the flow to a target: a UDP socket, an open connection, or one begun now.

        A connection begun now queues what is sent until it is made; if it cannot be made, its
        requests fail with EVENT_TRANSPORT_ERROR.

        Raises:
            ConnectionNetworkError: No socket could be had for it.
            NotSupportedError: It needs the `ws` extra.
        """
        return self.hops.flow_to(target)

    def next_hop(
        self, uri: str, *, flow: int, source: Address, is_secure: bool = False
    ) -> tuple[Flow, Address] | None:
        """Return where an in-dialog request goes, without waiting.

        The dialog's own connection while it lives, and where it led if we had opened it; else the
        first route or remote target `uri` if it is numeric or its address is remembered, and the
        target filter lets it pass; else, over UDP, where the last message came from (a far end
        behind a NAT). None when there is no way.

        Args:
            uri: The next hop (RFC 3261 §12.2.1.1): the first route, or the remote target.
            flow: The flow that the dialog's last message came by.
            source: Where it came from.
            is_secure: A dialog of a `sips` URI: nothing of it leaves without TLS (RFC 5630 §3.1.3).
        """
        return self.hops.next_hop(uri, flow, source, is_secure=is_secure)

    def local_host(self, flow: Flow | None, peer: str) -> str:
        """Return our end of the route to a host: what media binds, never the advertised one."""
        return self.hops.local_host(flow, peer)

    def keep(self, identifier: int) -> None:
        """Let a connection be silent without limit: a dialog or a registration lives on it."""
        flow = self._flows.get(identifier)
        if flow is not None and not isinstance(flow, UdpFlow) and not flow.wire.patience.is_kept:
            flow.wire.keep()

    def release(self, identifier: int) -> None:
        """Let an accepted connection be silent for a limited time only: nothing lives on it any more."""
        flow = self._flows.get(identifier)
        if flow is not None and not isinstance(flow, UdpFlow) and flow.accepted:
            flow.wire.release()

    def peer_names(self, identifier: int) -> tuple[str, ...]:
        """Return what the far end's certificate proves it to be; empty without one."""
        flow = self._flows.get(identifier)
        return () if flow is None or isinstance(flow, UdpFlow) else flow.wire.peer_names

    def failure_of(self, identifier: int) -> ConnectionNetworkError | None:
        """Return what broke a connection of ours, chained to its cause; None for any other flow."""
        cause = self._flows.failure_of(identifier)
        if cause is None:
            return None
        why = cause.__cause__ or cause
        text = getattr(why, "verify_message", "") or str(why) or type(why).__name__
        error = ConnectionNetworkError(f"connection failed: {text}")
        error.__cause__ = why
        return error

    def learn_alias(self, flow: TcpFlow, request: Message) -> None:
        """Send requests back by a connection whose far end offers that and has proved who it is."""
        self._flows.aliases.learn_untrusted(flow, request)

    def close_flow(self, identifier: int) -> None:
        """Close a connection; its transactions fail."""
        flow = self._flows.get(identifier)
        if flow is not None and flow.remote is not None:
            flow.close()

    def local_address(self, flow: Flow, peer: Address) -> Address:
        """Return the address that `peer` reaches us at, for SDP and the like: never a wildcard."""
        return self._own.address(flow, peer)

    def contact(self, flow: Flow, peer: Address, user: str, *, is_secure: bool = False) -> str:
        """Return `<sip:user@host:port;transport=…>` for a Contact to `peer`, `sips` if secure."""
        return self._own.contact(flow, peer, user, is_secure=is_secure)

    def flush(self) -> None:
        """Hand what the core has to send to the flows."""
        if self._tap is None:
            self._messages_out += self._flows.send_ready(self.core)
        find = self._flows.get
        for identifier, destination, data in self.core.take_output():
            flow = find(identifier)
            if flow is None:
                self._unroutable += 1
                continue
            flow.send(data, destination)
            self._messages_out += 1
            if self._tap is not None:
                self._tap.sent(self.now(), flow, destination, data)

    async def wait_written(self) -> None:
        """Wait until what was sent on connections has been written to their sockets."""
        self.flush()
        await self._flows.wait_written()

    def statistics(self) -> EndpointStatistics:
        """Return the counters as they are now."""
        return EndpointStatistics(
            flows=len(self._flows),
            messages_out=self._messages_out,
            datagrams_dropped=self._flows.dropped,
            datagrams_lost=self._flows.overflows,
            messages_unroutable=self._unroutable,
            connections_refused=self._flows.refused,
            targets_refused=self.hops.filter.refused,
            core=self.core.statistics(),
        )

    # The loop.

    @trio.lowlevel.enable_ki_protection
    async def _keep_time(self) -> None:
        while True:
            deadline = self.core.next_deadline()
            with trio.CancelScope() as self._timer:
                if deadline is not None:
                    self._timer.deadline = deadline
                await self._wake.wait()
            self._wake = trio.Event()
            now = trio.current_time()
            self.turn(self.core.handle_timeout(now), now)

    def turn(self, events: list[SipEvent], now: float) -> None:
        """Give events to the user and send what comes of it: one clock for all of it."""
        self._turn_time = now
        try:
            if events:
                self._user.handle_sip(events, now)
            self.flush()
        finally:
            self._turn_time = None
        deadline = self.core.next_deadline()
        if deadline is not None and deadline < self._timer.deadline:
            self._timer.deadline = deadline
        if self.core.waiting:
            self._intake.crowd.set()

    def touch(self) -> None:
        """See to it that what was given to `core` directly leaves within this scheduler turn."""
        if self._turn_time is None:
            self._wake.set()

    def now(self) -> float:
        """Return the time of this turn, or the present."""
        return trio.current_time() if self._turn_time is None else self._turn_time
