"""All flows of one endpoint: sockets bound, connections accepted and made, each with its number."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox.errors import ConnectionNetworkError, InvalidArgumentsError, NotSupportedError
from trivox.net.aliases import Aliases
from trivox.net.datagram_flows import DatagramFlows
from trivox.net.route import is_ipv6, is_wildcard, sip_uri
from trivox.net.target import SECURE, WEBSOCKETS, numeric_host, parse_endpoint
from trivox.net.tcp import TcpFlow
from trivox.net.tls import TlsConnector
from trivox.net.udp import UdpFlow
from trivox.net.wire import Accepted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from trivox._native import SipCore
    from trivox.net.limits import StreamLimits
    from trivox.net.pages import PageHandler
    from trivox.net.target import Target
    from trivox.net.tls import TlsContexts
    from trivox.net.transport import (
        Address,
        Connector,
        DatagramSocket,
        SocketFactory,
        StreamConnection,
        StreamListener,
    )
    from trivox.net.websocket import WebSocketFlow

    Connection = TcpFlow | WebSocketFlow
    AnyFlow = UdpFlow | TcpFlow | WebSocketFlow

# What a listener waits when the process has no file descriptor left for a new connection.
_OUT_OF_SOCKETS_PAUSE: Final = 0.1
# Connections of ours that are gone and that a dialog may still ask for.
_CLOSED_CAPACITY: Final = 16_384


class FlowOwner(Protocol):
    """What flows give their input to: the endpoint."""

    def flow_opened(self, flow: AnyFlow) -> None:
        """A flow can be sent on."""
        ...

    def flow_closed(self, flow: AnyFlow) -> None:
        """A connection is gone."""
        ...

    def datagrams_wait(self, flow: UdpFlow) -> None:
        """Datagrams wait at a UDP socket: take them."""
        ...

    def sent_back(self, flow: UdpFlow) -> None:
        """The network may have sent datagrams of a UDP socket back: fail what they were."""
        ...

    def unsent(self, data: bytes, error: int) -> None:
        """The system would not send a datagram, and gave that `errno`."""
        ...

    def receive_datagrams(self, flow: AnyFlow, batch: list[tuple[bytes, Address]]) -> None:
        """Take datagrams, or WebSocket messages."""
        ...

    def receive_stream(self, flow: TcpFlow, data: bytes) -> bool:
        """Take bytes of a connection; tell whether they completed a message."""
        ...


def require_websocket() -> type[WebSocketFlow]:
    """Return the WebSocket flow's class. Raises NotSupportedError without the `ws` extra."""
    try:
        from trivox.net.websocket import WebSocketFlow
    except ImportError as error:
        raise NotSupportedError(
            "WebSocket needs the extra `ws`: pip install 'trivox[ws]'"
        ) from error
    return WebSocketFlow


@final
class FlowTable:
    """The flows by number, by transport and by remote address.

    Accepted connections are bounded in all and for each remote host. Where there are too many,
    the oldest that has not yet sent a whole message makes room; if all have, the new one is closed.
    """

    def __init__(
        self,
        owner: FlowOwner,
        sockets: SocketFactory,
        limits: StreamLimits,
        *,
        receive_buffer: int,
        seed: bytes,
        tls: TlsContexts,
        pages: PageHandler | None,
        origins: Collection[str] | None,
    ) -> None:
        self.owner = owner
        self._tls = tls
        self._sockets = sockets
        self._limits = limits
        self._seed = seed
        self._pages = pages
        self._origins = origins
        self._flows: dict[int, AnyFlow] = {}
        self._last = 0
        self._datagrams = DatagramFlows(self, sockets, receive_buffer)
        # By transport, address and the name it was opened for: with TLS the one that was proved.
        self._connections: dict[tuple[str, Address, str], Connection] = {}
        self.aliases = Aliases()
        self._closed: OrderedDict[int, tuple[str, Address, str]] = OrderedDict()
        self._failures: dict[int, BaseException] = {}
        self._accepted: dict[str, dict[int, Connection]] = defaultdict(dict)
        self._accepted_total = 0
        self._listeners: list[tuple[str, StreamListener]] = []
        self._nursery: trio.Nursery | None = None
        self.refused = 0
        self.is_everywhere = False
        """Whether a wildcard address is bound: every address of the machine is ours to offer."""

    def __len__(self) -> int:
        return len(self._flows)

    def start(self, nursery: trio.Nursery) -> None:
        """Give the nursery that the flows' tasks live in."""
        self._nursery = nursery

    def get(self, identifier: int) -> AnyFlow | None:
        """Return a live flow by its number."""
        return self._flows.get(identifier)

    async def listen(
        self, uris: Sequence[str], resolve: Callable[[str], Awaitable[Target]]
    ) -> tuple[str, ...]:
        """Bind what SIP URIs name; return them with their ports.

        Args:
            uris: `sip:host:port;transport=…`, or `sips:`.
            resolve: Finds the address of a host that is a name.

        Raises:
            InvalidUriError, NotSupportedError, InvalidArgumentsError: One is no address of ours.
            ConnectionNetworkError: One cannot be bound.
        """
        bound = []
        for uri in uris:
            transport, host, port = parse_endpoint(uri)
            numeric = numeric_host(host) or (await resolve(uri)).address[0]
            try:
                address = self.bind(transport, (numeric, port))
            except OSError as error:
                raise ConnectionNetworkError(f"cannot listen on {uri}: {error}") from error
            bound.append(sip_uri(address, transport))
        return tuple(bound)

    def bind(self, transport: str, local: Address) -> Address:
        """Bind a UDP socket or listen for connections; return the address with its port.

        Raises:
            OSError: It cannot be bound.
            NotSupportedError: The `ws` extra is missing.
            InvalidArgumentsError: TLS has no certificate.
        """
        self.is_everywhere = self.is_everywhere or is_wildcard(local[0])
        if transport == "udp":
            return self._datagrams.bind(local).local
        if transport in WEBSOCKETS:
            require_websocket()
        if transport in SECURE and not self._tls.can_listen:
            raise InvalidArgumentsError(
                f"listening by {transport} needs a certificate: give tls=TlsConfig(certificate=…)"
            )
        listener = self._sockets.listen_stream(local)
        self._listeners.append((transport, listener))
        self.start_task(self._accept, transport, listener)
        return listener.local

    def listening_port(self, transport: str, host: str) -> int | None:
        """Return the port that connections of `transport` to our `host` are accepted at."""
        for kind, listener in self._listeners:
            bound, port = listener.local
            if kind == transport and (
                bound == host or (is_wildcard(bound) and is_ipv6(bound) == is_ipv6(host))
            ):
                return port
        return None

    def datagram_flow(self, peer: str, route: Callable[[str], str]) -> UdpFlow:
        """Return the UDP socket to reach `peer` by; one is bound if there is none of its family."""
        return self._datagrams.towards(peer, route)

    def connection_to(
        self, transport: str, remote: Address, *, host: str, route: Callable[[str], str]
    ) -> Connection:
        """Return the connection with `remote`, whoever opened it, or begin a new one.

        A secured one, whoever opened it, is used again for the name it was proved for and no other:
        one address may serve many domains, and another's certificate says nothing about this one.

        Raises:
            OSError: No socket could be made.
            NotSupportedError: The `ws` extra is missing.
        """
        key = (transport, remote, "" if transport == "tcp" else host.lower())
        known = self._connections.get(key)
        if known is None or known.wire.is_closed:
            known = self.aliases.find(transport, remote, host)
        if known is not None:
            return known
        if transport in WEBSOCKETS:
            require_websocket()
        context = self._tls.client if transport in SECURE else None
        connector = self._sockets.open_connector(route(remote[0]), remote)
        flow = self._make(transport, connector.local, remote, accepted=False, host=host)
        if context is not None:
            connector = TlsConnector(connector, context, name=host, verified=flow.wire.verified)
        self._enter(flow, connector, key)
        return flow

    def reopened(self, identifier: int, route: Callable[[str], str]) -> Connection | None:
        """Return a connection to where one of ours led that is closed; None for any other flow.

        Raises:
            OSError: No socket could be made.
        """
        closed = self._closed.get(identifier)
        if closed is None:
            return None
        transport, remote, host = closed
        return self.connection_to(transport, remote, host=host, route=route)

    def failure_of(self, identifier: int) -> BaseException | None:
        """Return what broke a connection of ours; None: nothing, or it is long ago."""
        return self._failures.get(identifier)

    def close(self) -> None:
        """Close every socket that is no task's own; connections close with their tasks."""
        for _, listener in self._listeners:
            listener.close()
        for flow in self._flows.values():
            flow.close()

    async def wait_written(self) -> None:
        """Wait until every connection has written what was queued on it."""
        for flow in list(self._connections.values()):
            if not flow.wire.is_closed:
                await flow.wire.outbox.wait_empty()

    @property
    def dropped(self) -> int:
        """Datagrams that a UDP socket would not take."""
        return self._datagrams.dropped

    @property
    def overflows(self) -> int:
        """Datagrams that came while a UDP socket's buffer was full."""
        return self._datagrams.overflows

    def send_ready(self, core: SipCore) -> int:
        """Send what waits for UDP sockets of the system, and return how much that was."""
        return self._datagrams.send_ready(core)

    def enter_datagram(self, socket: DatagramSocket) -> UdpFlow:
        """Make a flow of a bound UDP socket."""
        flow = UdpFlow(self._number(), socket, self.owner.unsent)
        self._flows[flow.id] = flow
        self.owner.flow_opened(flow)
        return flow

    @trio.lowlevel.enable_ki_protection
    async def _accept(self, transport: str, listener: StreamListener) -> None:
        while True:
            try:
                connection = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError:
                self._make_room(self._all_accepted())
                await trio.sleep(_OUT_OF_SOCKETS_PAUSE)
                continue
            self._admit(transport, connection)

    def _admit(self, transport: str, connection: StreamConnection) -> None:
        same_host = self._accepted[connection.remote[0]]
        is_full = len(same_host) >= self._limits.per_address and not self._make_room(same_host)
        if not is_full and self._accepted_total >= self._limits.total:
            is_full = not self._make_room(self._all_accepted())
        if is_full:
            self.refused += 1
            connection.close()
            if not same_host:
                del self._accepted[connection.remote[0]]
            return
        flow = self._make(transport, connection.local, connection.remote, accepted=True)
        same_host[flow.id] = flow
        self._accepted_total += 1
        connector: Connector = Accepted(connection)
        key = (transport, connection.remote, "")
        if transport in SECURE:
            context = self._tls.server
            connector = TlsConnector(connector, context, name=None, verified=flow.wire.verified)
        self._enter(flow, connector, key)

    def _all_accepted(self) -> dict[int, Connection]:
        return {key: flow for flows in self._accepted.values() for key, flow in flows.items()}

    def _make_room(self, flows: dict[int, Connection]) -> bool:
        """Close the oldest connection that has not said a whole message; tell whether one was."""
        for flow in flows.values():
            if not flow.wire.patience.has_spoken and not flow.wire.is_closed:
                flow.close()
                return True
        return False

    def _make(
        self, transport: str, local: Address, remote: Address, *, accepted: bool, host: str = ""
    ) -> Connection:
        number = self._number()
        if transport not in WEBSOCKETS:
            return TcpFlow(
                number,
                local,
                remote,
                self._limits,
                accepted=accepted,
                deliver=self.owner.receive_stream,
                transport=transport,
            )
        nonce = hashlib.blake2b(
            number.to_bytes(8, "big"), digest_size=16, key=self._seed[:64], person=b"ws nonce"
        )
        return require_websocket()(
            number,
            local,
            remote,
            self._limits,
            accepted=accepted,
            deliver=self.owner.receive_datagrams,
            transport=transport,
            host=host,
            nonce=nonce.digest(),
            pages=self._pages,
            origins=self._origins,
        )

    def _enter(self, flow: Connection, connector: Connector, key: tuple[str, Address, str]) -> None:
        self._flows[flow.id] = flow
        self._connections[key] = flow
        self.owner.flow_opened(flow)
        self.start_task(self._run, flow, connector, key)

    @trio.lowlevel.enable_ki_protection
    async def _run(
        self, flow: Connection, connector: Connector, key: tuple[str, Address, str]
    ) -> None:
        try:
            await flow.run(connector)
        finally:
            self._leave(flow, key)

    def _leave(self, flow: Connection, key: tuple[str, Address, str]) -> None:
        del self._flows[flow.id]
        if self._connections.get(key) is flow:
            del self._connections[key]
        if not flow.accepted:
            self._closed[flow.id] = key
            if len(self._closed) > _CLOSED_CAPACITY:
                self._failures.pop(self._closed.popitem(last=False)[0], None)
            if flow.wire.failure is not None:
                self._failures[flow.id] = flow.wire.failure
        else:
            self._accepted_total -= 1
            same_host = self._accepted[flow.remote[0]]
            del same_host[flow.id]
            if not same_host:
                del self._accepted[flow.remote[0]]
        self.aliases.forget(flow.id)
        self.owner.flow_closed(flow)

    def _number(self) -> int:
        self._last += 1
        return self._last

    def start_task(self, task: Callable[..., object], *arguments: object) -> None:
        """Run a task of a flow."""
        assert self._nursery is not None, "flows are made while the endpoint runs"
        self._nursery.start_soon(task, *arguments)  # type: ignore[arg-type]
