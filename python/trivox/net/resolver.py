"""From a SIP URI to where it is: NAPTR, SRV, addresses (RFC 3263 §4), and what failed of late.

The procedure itself asks nobody: it yields its questions and is sent the answers, so that it runs
the same on the DNS, on what is remembered, and in a test.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.errors import ConnectionNetworkError
from trivox.net.dns_cache import Blocklist, DnsCache
from trivox.net.dns_records import DnsFailedError, DnsQuestion, Naptr, Srv
from trivox.net.target import (
    SECURE,
    WEBSOCKETS,
    Destination,
    Target,
    numeric_host,
    read_destination,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from trivox.net.dns_records import Dns, Record
    from trivox.net.precedence import Precedence
    from trivox.net.transport import Address

    Questions = tuple[DnsQuestion, ...]
    Answers = tuple[tuple[Record, ...], ...]
    Steps = Generator[Questions, Answers, Target]

_RESOLVE_LIMIT: Final = 4.0  # seconds for all questions about one URI
_MOST_SERVERS: Final = 8
_MOST_ADDRESSES: Final = 16
_SERVICES: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV_PREFIXES: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


@final
class Resolver:
    """Turns SIP URIs into targets.

    Args:
        dns: Answers questions.
        has_records: Whether it knows NAPTR, SRV, A and AAAA; if not, only HOST is asked.
        draw: Returns random numbers from 0 to 1, for the weights of servers.
        is_local: Tells names that only the system knows, such as those of its hosts file.
        precedence: Orders the addresses of a host; None: as they came, IPv4 first.
    """

    def __init__(
        self,
        dns: Dns,
        *,
        has_records: bool,
        draw: Callable[[], float],
        is_local: Callable[[str], bool] = lambda _name: False,
        precedence: Precedence | None = None,
    ) -> None:
        self.blocklist: Final = Blocklist()
        self._cache = DnsCache(dns)
        self._has_records = has_records
        self._draw = draw
        self._is_local = is_local
        self._precedence = precedence

    def resolve_now(self, uri: str) -> Target | None:
        """Resolve without asking anybody; None when the host is a name. Raises as `resolve` does."""
        destination = read_destination(uri)
        return _fixed(destination) if numeric_host(destination.host) else None

    def resolve_known(self, uri: str) -> Target | None:
        """Resolve by what is remembered, however old; None when that is not enough.

        Raises:
            InvalidUriError, NotSupportedError: As `read_destination`.
        """
        steps = self._steps(read_destination(uri))
        try:
            questions = next(steps)
            while True:
                known = [self._cache.peek(question) for question in questions]
                questions = steps.send(tuple(answer.records if answer else () for answer in known))
        except StopIteration as stop:
            target: Target = stop.value
            return target if target.addresses else None

    async def resolve(self, uri: str) -> Target:
        """Resolve a URI; targets that failed a moment ago come last.

        Raises:
            InvalidUriError, NotSupportedError: As `read_destination`.
            ConnectionNetworkError: The name has no address, or the DNS gave no answer in 4 s.
        """
        destination = read_destination(uri)
        if numeric_host(destination.host):
            return _fixed(destination)
        target: Target | None = None
        with trio.move_on_after(_RESOLVE_LIMIT):
            target = await self._run(destination)
        if target is None:
            raise ConnectionNetworkError(
                f"the DNS gave no answer about {destination.host!r} in {_RESOLVE_LIMIT:g} s"
            )
        if not target.addresses:
            raise ConnectionNetworkError(f"the host {destination.host!r} has no address")
        addresses = self.blocklist.order(target.transport, target.addresses, trio.current_time())
        return Target(target.transport, target.host, addresses)

    async def _run(self, destination: Destination) -> Target:
        steps = self._steps(destination)
        failures: list[DnsFailedError] = []
        try:
            questions = next(steps)
            while True:
                questions = steps.send(await self._ask(questions, failures))
        except StopIteration as stop:
            target: Target = stop.value
        if not target.addresses and failures:
            raise ConnectionNetworkError(
                f"the DNS gave no answer about {destination.host!r}"
            ) from failures[-1]
        return target

    async def _ask(self, questions: Questions, failures: list[DnsFailedError]) -> Answers:
        """Ask all at once; what fails counts as empty, as some servers break on SRV and NAPTR."""
        answers: list[tuple[Record, ...]] = [()] * len(questions)

        async def ask(index: int, question: DnsQuestion) -> None:
            try:
                answers[index] = (await self._cache.query(question)).records
            except DnsFailedError as error:
                failures.append(error)

        async with trio.open_nursery() as nursery:
            for index, question in enumerate(questions):
                nursery.start_soon(ask, index, question)
        return tuple(answers)

    def _steps(self, destination: Destination) -> Steps:
        if numeric_host(destination.host):
            return _fixed(destination)
        if not self._has_records or self._is_local(destination.host):
            host = DnsQuestion(destination.host, "HOST")
            (found,) = yield (host,)
            return _target(destination, destination.fixed_transport, _at(found, destination))
        if destination.port is not None or destination.transport in WEBSOCKETS:
            found = yield from self._addresses(destination.host)
            return _target(destination, destination.fixed_transport, _at(found, destination))
        return (yield from self._by_servers(destination))

    def _by_servers(self, destination: Destination) -> Steps:
        """Find the servers of a domain (RFC 3263 §4.1, §4.2)."""
        names: dict[str, str] = {}
        if destination.transport is None:
            (naptr,) = yield (DnsQuestion(destination.host, "NAPTR"),)
            names = _offered(naptr, is_secure=destination.is_secure)
        if not names:
            names = {one: f"{_SRV_PREFIXES[one]}{destination.host}" for one in _tried(destination)}
        for transport, name in names.items():
            (records,) = yield (DnsQuestion(name, "SRV"),)
            servers = [record for record in records if isinstance(record, Srv)]
            if servers:
                found: list[Address] = []
                for server in self._ordered(servers):
                    hosts = yield from self._addresses(server.host)
                    found += [(str(host), server.port) for host in hosts]
                return _target(destination, transport, found)
        hosts = yield from self._addresses(destination.host)
        return _target(destination, destination.fixed_transport, _at(hosts, destination))

    def _addresses(self, host: str) -> Generator[Questions, Answers, tuple[Record, ...]]:
        numeric = numeric_host(host)
        if numeric is not None:
            return (numeric,)
        old, new = yield (DnsQuestion(host, "A"), DnsQuestion(host, "AAAA"))
        found = old + new
        if self._precedence is None:
            return found
        return self._precedence.order([str(one) for one in found])

    def _ordered(self, servers: list[Srv]) -> list[Srv]:
        """Return the servers to try: by priority, within one drawn by weight (RFC 2782)."""

        def rank(server: Srv) -> tuple[int, float, float]:
            drawn = max(self._draw(), 1e-12)
            # Of exponential times with these rates the least is drawn by weight, then the next.
            time = -math.log(drawn) / server.weight if server.weight else math.inf
            return server.priority, time, drawn

        offered = [server for server in servers if server.host not in ("", ".")]
        return sorted(offered, key=rank)[:_MOST_SERVERS]


def _fixed(destination: Destination) -> Target:
    addresses = ((destination.host, destination.fixed_port),)
    return Target(destination.fixed_transport, destination.name, addresses)


def _target(destination: Destination, transport: str, found: list[Address]) -> Target:
    addresses = tuple(dict.fromkeys(found))[:_MOST_ADDRESSES]
    return Target(transport, destination.name, addresses)


def _at(hosts: tuple[Record, ...], destination: Destination) -> list[Address]:
    return [(str(host), destination.fixed_port) for host in hosts]


def _offered(records: tuple[Record, ...], *, is_secure: bool) -> dict[str, str]:
    """Return the SRV names of the transports a domain offers and we have, best first."""
    offered = [record for record in records if isinstance(record, Naptr)]
    offered.sort(key=lambda record: (record.order, record.preference))
    names: dict[str, str] = {}
    for record in offered:
        transport = _SERVICES.get(record.service.upper())
        is_fit = transport in SECURE or not is_secure
        if transport is not None and is_fit and record.flags.lower() == "s":
            names.setdefault(transport, record.replacement)
    return names


def _tried(destination: Destination) -> tuple[str, ...]:
    """Return the transports whose servers are asked for where no NAPTR says (RFC 3263 §4.1)."""
    if destination.transport is not None:
        return (destination.transport,)
    return ("tls",) if destination.is_secure else tuple(_SRV_PREFIXES)
