"""What the DNS said, for as long as it said; and who failed a moment ago."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.net.dns_records import DnsAnswer, DnsFailedError

if TYPE_CHECKING:
    from trivox.net.dns_records import Dns, DnsQuestion
    from trivox.net.transport import Address

_CAPACITY: Final = 4096
_QUERY_LIMIT: Final = 2.0  # seconds a question may take, whatever its resolver allows itself
_REFRESH_LIMIT: Final = 1.0  # seconds for one whose old answer is at hand
_LEAST_LIFETIME: Final = 1.0
_LONGEST_LIFETIME: Final = 3600.0
_FAILURE_LIFETIME: Final = 5.0  # seconds in which a question that failed is not asked again
_STALE_LIFETIME: Final = 86_400.0  # seconds an old answer is better than none (RFC 8767 §5)


@dataclass(slots=True)
class _Entry:
    answer: DnsAnswer
    fresh_until: float
    known_until: float


@final
class DnsCache:
    """Remembers answers, also empty ones, and asks one question once however many wait for it.

    While the DNS does not answer, what it said up to a day ago is used. The least used entries are
    dropped when there are too many.
    """

    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self._entries: OrderedDict[DnsQuestion, _Entry] = OrderedDict()
        self._under_way: dict[DnsQuestion, trio.Event] = {}
        self._silent_until = 0.0

    def peek(self, question: DnsQuestion) -> DnsAnswer | None:
        """Return what is known, fresh or old; None when nothing is."""
        entry = self._entries.get(question)
        return entry.answer if entry and trio.current_time() < entry.known_until else None

    async def query(self, question: DnsQuestion) -> DnsAnswer:
        """Return what is known, or ask.

        Raises:
            DnsFailedError: The DNS did not answer, and nothing is remembered.
        """
        while True:
            entry = self._entries.get(question)
            if entry is not None and self._is_usable(entry):
                self._entries.move_to_end(question)
                await trio.lowlevel.checkpoint()
                return _known(entry)
            waited = self._under_way.get(question)
            if waited is None:
                return await self._ask(question)
            await waited.wait()

    def _is_usable(self, entry: _Entry) -> bool:
        """Tell an answer that is fresh, or good enough while the DNS is silent."""
        now = trio.current_time()
        return now < entry.fresh_until or now < min(self._silent_until, entry.known_until)

    async def _ask(self, question: DnsQuestion) -> DnsAnswer:
        done = self._under_way[question] = trio.Event()
        limit = _QUERY_LIMIT if self.peek(question) is None else _REFRESH_LIMIT
        try:
            answer: DnsAnswer | None = None
            with trio.move_on_after(limit):
                answer = await self._dns.query(question)
            if answer is None:
                self._silent_until = trio.current_time() + _FAILURE_LIFETIME
                raise DnsFailedError(f"no answer about {question.name} within {limit:g} s")
        except DnsFailedError:
            return self._fall_back(question)
        finally:
            del self._under_way[question]
            done.set()
        now = trio.current_time()
        lifetime = min(max(answer.lifetime, _LEAST_LIFETIME), _LONGEST_LIFETIME)
        self._store(question, _Entry(answer, now + lifetime, now + lifetime + _STALE_LIFETIME))
        return answer

    def _fall_back(self, question: DnsQuestion) -> DnsAnswer:
        now = trio.current_time()
        entry = self._entries.get(question)
        if entry is None or now >= entry.known_until:
            # Known until now and no longer: `_known` raises for it.
            entry = _Entry(_FAILED, 0.0, 0.0)
        entry.fresh_until = now + _FAILURE_LIFETIME
        self._store(question, entry)
        return _known(entry)

    def _store(self, question: DnsQuestion, entry: _Entry) -> None:
        self._entries[question] = entry
        self._entries.move_to_end(question)
        if len(self._entries) > _CAPACITY:
            self._entries.popitem(last=False)


_FAILED: Final = DnsAnswer((), 0.0)


def _known(entry: _Entry) -> DnsAnswer:
    if entry.answer is _FAILED:
        raise DnsFailedError("the DNS does not answer")
    return entry.answer


@final
class Blocklist:
    """Targets that failed a moment ago: tried last, and never left out for good."""

    LIFETIME: Final = 30.0
    """Seconds a target is tried last."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, Address], float] = OrderedDict()

    def add(self, transport: str, address: Address, until: float) -> None:
        """Try a target last until then."""
        self._until[transport, address] = until
        self._until.move_to_end((transport, address))
        if len(self._until) > _CAPACITY:
            self._until.popitem(last=False)

    def remove(self, transport: str, address: Address) -> None:
        """Forget that a target failed: it answers."""
        self._until.pop((transport, address), None)

    def order(
        self, transport: str, addresses: tuple[Address, ...], now: float
    ) -> tuple[Address, ...]:
        """Return the addresses, those that failed a moment ago behind the others."""
        return tuple(
            sorted(addresses, key=lambda one: self._until.get((transport, one), 0.0) > now)
        )
