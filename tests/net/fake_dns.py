"""A DNS that says what a test told it, as late as the test wants, or not at all."""

from __future__ import annotations

import trio

from trivox.net.dns_records import DnsAnswer, DnsFailedError


class FakeDns:
    """Answers from a table of (name, kind); what is not in it does not exist.

    `silent` names are never answered, `broken` ones as SERVFAIL or an endless chain of names are.
    """

    def __init__(self, records=None, *, lifetime=300.0, delay=0.01):
        self.records = dict(records or {})
        self.lifetime = lifetime
        self.delay = delay
        self.silent, self.broken = set(), set()
        self.is_down = False
        self.asked = []

    async def query(self, question):
        self.asked.append((question.name, question.kind))
        if self.is_down or question.name in self.silent:
            await trio.sleep_forever()
        await trio.sleep(self.delay)
        if question.name in self.broken:
            raise DnsFailedError("SERVFAIL")
        found = self.records.get((question.name, question.kind), ())
        return DnsAnswer(tuple(found), self.lifetime)
