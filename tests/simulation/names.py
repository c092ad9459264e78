"""The DNS of a simulated world: it answers, late or not, or fails in each way it can."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from trivox.net.dns_records import DnsAnswer, DnsFailedError, DnsQuestion, Record, Srv

if TYPE_CHECKING:
    import random

LIFETIME = 2.0
"""Seconds an answer may be remembered: short, so that there is much to ask."""


@dataclass(frozen=True, slots=True)
class DnsFaults:
    """Shares, 0 to 1, of the questions that are not answered as they should be."""

    silent: float = 0.0
    """Never answered."""
    broken: float = 0.0
    """Answered SERVFAIL."""
    missing: float = 0.0
    """Answered NXDOMAIN, though the name exists."""
    late: float = 0.0
    """Answered after up to `delay` seconds."""
    delay: float = 6.0


class SimulatedDns:
    """One program's resolver: `trivox.net.dns_records.Dns`.

    Args:
        name: The domain there is: by SRV over every transport it is at `host`.
        host: The name of its server.
        address: The server's address.
        draw: Decides what fails.
    """

    def __init__(self, name: str, host: str, address: str, draw: random.Random) -> None:
        self.faults = DnsFaults()
        self.happened: Counter[str] = Counter()
        self._draw = draw
        server = Srv(priority=10, weight=10, port=5060, host=host)
        self._records: dict[tuple[str, str], tuple[Record, ...]] = {
            (f"_sip._udp.{name}", "SRV"): (server,),
            (f"_sip._tcp.{name}", "SRV"): (server,),
            (host, "A"): (address,),
            (host, "HOST"): (address,),
        }

    async def query(self, question: DnsQuestion) -> DnsAnswer:
        """Answer, or fail."""
        fate = self._draw.random()
        for name in ("silent", "broken", "missing", "late"):
            share = getattr(self.faults, name)
            if fate < share:
                self.happened[f"dns {name}"] += 1
                return await self._fail(name, question)
            fate -= share
        await trio.sleep(0.01)
        return self._answer(question)

    async def _fail(self, name: str, question: DnsQuestion) -> DnsAnswer:
        if name == "silent":
            await trio.sleep_forever()
        if name == "late":
            await trio.sleep(self._draw.uniform(0.0, self.faults.delay))
            return self._answer(question)
        await trio.sleep(0.01)
        if name == "broken":
            raise DnsFailedError("SERVFAIL")
        return DnsAnswer((), LIFETIME)

    def _answer(self, question: DnsQuestion) -> DnsAnswer:
        return DnsAnswer(self._records.get((question.name, question.kind), ()), LIFETIME)
