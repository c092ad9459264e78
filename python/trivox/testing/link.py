"""An in-memory network of virtual hosts, for tests in virtual time.

Hosts have addresses such as 10.0.0.1 and sockets with the interface of the system's
(`trivox.net.transport.SocketFactory`). Datagrams are delayed, lost, doubled and overtaken, streams
are delayed and cut anywhere, all drawn from one seed: under `trio.testing.MockClock` and a seeded
scheduler (`run_repeatably`) a run repeats exactly.
"""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.testing.link_faults import LinkFaults
from trivox.testing.link_stream import LinkConnection, LinkConnector, LinkListener

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox.net.transport import (
        Address,
        Connector,
        DatagramSocket,
        StreamListener,
    )

_INBOX: Final = 4096  # datagrams; more than that wait at no socket
_FIRST_EPHEMERAL_PORT: Final = 49_152
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})


@dataclass(slots=True)
class LinkStatistics:
    """What the network did to datagrams."""

    sent: int = 0
    lost: int = 0
    """Drawn to be lost, or sent where nobody listens, or to a full socket."""
    doubled: int = 0
    held_back: int = 0
    """Delayed so that later ones overtake them."""
    cut_off: int = 0
    """Lost because their way was cut."""
    pieces: int = 0
    """Reads of a stream that ended in the middle of what was written."""


@final
class Link:
    """The network: every host reaches every other.

    Args:
        seed: Decides every fault; the same seed makes the same faults.
        delay: Seconds a packet travels.
        jitter: Most seconds added to it, evenly drawn; packets overtake each other by it.
        loss: Share of datagrams lost, 0 to 1.
        duplicate: Share of datagrams that arrive twice.
        reorder: Share of datagrams held back by ten more delays, so that later ones overtake.
        largest_piece: Streams arrive in pieces of 1 to this many bytes; 0 leaves them whole.
        names: Host names and their address.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        delay: float = 0.01,
        jitter: float = 0.0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        largest_piece: int = 0,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.delay = delay
        self.jitter = jitter
        self.loss = loss
        self.duplicate = duplicate
        self.reorder = reorder
        self.largest_piece = largest_piece
        self.names = dict(names or {})
        self.faults = LinkFaults()
        """What else goes wrong; nothing unless a test sets it."""
        self.statistics = LinkStatistics()
        self.draw = random.Random(seed)
        self.order = itertools.count()
        self._datagram: dict[Address, LinkDatagramSocket] = {}
        self._listeners: dict[Address, LinkListener] = {}
        self._partitioned: set[frozenset[str]] = set()
        self._unplugged: set[str] = set()
        self._losses: dict[frozenset[str], float] = {}
        self._connections: dict[int, LinkConnection] = {}

    def host(self, *addresses: str) -> LinkHost:
        """Add a host with these addresses; it is the socket factory of what runs there."""
        return LinkHost(self, addresses)

    def partition(self, one: str, other: str, *, cut: bool = True) -> None:
        """Cut two addresses off from each other, or join them again."""
        pair = frozenset((one, other))
        if cut:
            self._partitioned.add(pair)
        else:
            self._partitioned.discard(pair)

    def unplug(self, address: str, *, unplugged: bool = True) -> None:
        """Cut an address off from all others and reset its connections, or plug it in again."""
        if not unplugged:
            self._unplugged.discard(address)
            return
        self._unplugged.add(address)
        for connection in tuple(self._connections.values()):
            if address in (connection.local[0], connection.remote[0]):
                connection.reset()

    def is_cut(self, one: str, other: str) -> bool:
        """Tell whether two addresses cannot reach each other."""
        if self._unplugged and not self._unplugged.isdisjoint((one, other)):
            return True
        return frozenset((one, other)) in self._partitioned

    def set_loss(self, one: str, other: str, share: float) -> None:
        """Lose that share of the datagrams between two addresses, in place of `loss`."""
        self._losses[frozenset((one, other))] = share

    def track(self, connection: LinkConnection, *, tracked: bool = True) -> None:
        """Remember an open end of a connection, or forget it."""
        if tracked:
            self._connections[connection.number] = connection
        else:
            self._connections.pop(connection.number, None)

    def travel(self) -> float:
        """Draw the seconds one packet takes."""
        return self.delay + (self.draw.uniform(0.0, self.jitter) if self.jitter else 0.0)

    @property
    def open_sockets(self) -> int:
        """Sockets and listeners that are still bound."""
        return len(self._datagram) + len(self._listeners)

    def send(self, data: bytes, source: Address, destination: Address) -> None:
        """Carry one datagram, or lose it."""
        self.statistics.sent += 1
        socket = self._datagram.get(destination)
        loss = self.loss
        if self._losses:
            loss = self._losses.get(frozenset((source[0], destination[0])), loss)
        is_cut = self.is_cut(source[0], destination[0])
        self.statistics.cut_off += is_cut
        if socket is None or is_cut or (loss and self.draw.random() < loss):
            self.statistics.lost += 1
            return
        data = self.faults.change(data, self.draw)
        copies = 1
        if self.duplicate and self.draw.random() < self.duplicate:
            self.statistics.doubled += 1
            copies = 2
        for _ in range(copies):
            travel = self.travel() + self.faults.hold_up(self.draw)
            if self.reorder and self.draw.random() < self.reorder:
                self.statistics.held_back += 1
                travel += 10 * self.delay
            if not socket.put(trio.current_time() + travel, data, source):
                self.statistics.lost += 1

    def bind(self, socket: LinkDatagramSocket, addresses: list[Address]) -> None:
        """Let a socket receive at these addresses. Raises OSError when one is taken."""
        if any(address in self._datagram for address in addresses):
            raise OSError(f"the address {addresses} is in use")
        self._datagram.update(dict.fromkeys(addresses, socket))

    def unbind(self, socket: LinkDatagramSocket | LinkListener) -> None:
        """Forget a socket or listener."""
        for table in (self._datagram, self._listeners):
            for address in [key for key, bound in table.items() if bound is socket]:
                del table[address]

    def listen(self, listener: LinkListener, addresses: list[Address]) -> None:
        """Let a listener accept at these addresses. Raises OSError when one is taken."""
        if any(address in self._listeners for address in addresses):
            raise OSError(f"the address {addresses} is in use")
        self._listeners.update(dict.fromkeys(addresses, listener))

    def listener(self, address: Address) -> LinkListener | None:
        """Return who accepts at an address."""
        return self._listeners.get(address)


@final
class LinkHost:
    """One machine on the link: `trivox.net.transport.SocketFactory` of the programs on it."""

    def __init__(self, link: Link, addresses: tuple[str, ...]) -> None:
        self.link = link
        self.addresses = addresses
        self._ports = itertools.count(_FIRST_EPHEMERAL_PORT)

    def bind_datagram(self, local: Address, receive_buffer: int = 0) -> DatagramSocket:
        """Bind a UDP socket."""
        bound = (local[0], local[1] or next(self._ports))
        socket = LinkDatagramSocket(self, bound)
        self.link.bind(socket, self.expand(bound))
        return socket

    def bind_everywhere(
        self, wildcard: Address, receive_buffer: int
    ) -> tuple[DatagramSocket, list[DatagramSocket]]:
        """Bind a UDP socket to all addresses: one, as its answers take the way they came."""
        return self.bind_datagram(wildcard, receive_buffer), []

    def local_hosts(self) -> tuple[str, ...]:
        """Return our addresses."""
        return self.addresses

    def listen_stream(self, local: Address) -> StreamListener:
        """Listen for connections."""
        bound = (local[0], local[1] or next(self._ports))
        listener = LinkListener(self.link, bound)
        self.link.listen(listener, self.expand(bound))
        return listener

    def open_connector(self, local_host: str, destination: Address) -> Connector:
        """Prepare a connection to `destination`."""
        self.link.faults.try_open(self.link.draw)
        return LinkConnector(self.link, (local_host, next(self._ports)), destination)

    def route_to(self, host: str) -> str:
        """Return our address in the network of `host`: the one that agrees with it longest."""
        fitting = [own for own in self.addresses if (":" in own) == (":" in host)]
        if not fitting:
            raise OSError(f"no route to {host}")
        return max(fitting, key=lambda own: _common_prefix(own, host))

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Look a name up in the link's names."""
        await trio.lowlevel.checkpoint()
        faults, draw = self.link.faults, self.link.draw
        if faults.resolve_delay:
            await trio.sleep(draw.uniform(0.0, faults.resolve_delay))
        faults.try_resolve(host, draw)
        if host not in self.link.names:
            raise OSError(f"no such host: {host}")
        return [(self.link.names[host], port)]

    def expand(self, address: Address) -> list[Address]:
        """Return the addresses that a bound one stands for: all of ours for a wildcard."""
        host, port = address
        if host not in _WILDCARDS:
            if host not in self.addresses:
                raise OSError(f"{host} is no address of this host")
            return [address]
        return [(own, port) for own in self.addresses if (":" in own) == (":" in host)]


@final
class LinkDatagramSocket:
    """A UDP socket on the link; what waits longest arrives first."""

    def __init__(self, host: LinkHost, local: Address) -> None:
        self.local = local
        self._host = host
        self._inbox: list[tuple[float, int, bytes, Address]] = []
        self._changed = trio.Event()
        self._is_closed = False

    def put(self, arrival: float, data: bytes, source: Address) -> bool:
        """Let a datagram arrive at that time; False when too many are waiting."""
        if len(self._inbox) >= _INBOX:
            return False
        heapq.heappush(self._inbox, (arrival, next(self._host.link.order), data, source))
        self._changed.set()
        return True

    async def wait_readable(self) -> None:
        """Wait until a datagram has arrived."""
        await trio.lowlevel.checkpoint()
        while not self._is_closed:
            if self._inbox and self._inbox[0][0] <= trio.current_time():
                return
            self._changed = trio.Event()
            with trio.CancelScope() as scope:
                if self._inbox:
                    scope.deadline = self._inbox[0][0]
                await self._changed.wait()
        raise trio.ClosedResourceError

    def descriptor(self) -> int | None:
        """Return None: there is nothing of the system's here."""
        return None

    def overflows(self) -> int:
        """Return 0: the link counts what it loses."""
        return 0

    def undelivered(self) -> list[tuple[bytes, bool]]:
        """Return nothing: what is lost here is lost without a word."""
        return []

    def receive(self, limit: int) -> list[tuple[bytes, Address]]:
        """Take what has arrived."""
        now = trio.current_time()
        batch: list[tuple[bytes, Address]] = []
        while self._inbox and self._inbox[0][0] <= now and len(batch) < limit:
            _, _, data, source = heapq.heappop(self._inbox)
            batch.append((data, source))
        return batch

    def send(self, data: bytes, destination: Address) -> None:
        """Send one datagram."""
        if self._is_closed:
            raise OSError("the socket is closed")
        self._host.link.faults.try_send(self._host.link.draw)
        host, port = self.local
        if host in _WILDCARDS:
            host = self._host.route_to(destination[0])
        self._host.link.send(data, (host, port), destination)

    def close(self) -> None:
        """Close."""
        self._is_closed = True
        self._host.link.unbind(self)
        self._changed.set()


def _common_prefix(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
