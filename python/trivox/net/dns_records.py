"""What is asked of the DNS and what it answers (RFC 3263 §4, RFC 2782, RFC 3403)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["NAPTR", "SRV", "A", "AAAA", "HOST"]
"""HOST is no record: it asks the system's resolver, which knows its hosts file and its own rules."""


@dataclass(frozen=True, slots=True)
class Naptr:
    """One way a domain offers to be reached."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """One server of a service."""

    priority: int
    weight: int
    port: int
    host: str


Record = Naptr | Srv | str
"""A record of the kind that was asked for; an address is its text."""


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What is known now: no records mean that there are none."""

    records: tuple[Record, ...]
    lifetime: float
    """Seconds it may be remembered."""


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """What to look up."""

    name: str
    kind: Kind


class DnsFailedError(Exception):
    """The DNS did not answer: nothing is known, not even that there is nothing."""


class Dns(Protocol):
    """Something that answers."""

    async def query(self, question: DnsQuestion) -> DnsAnswer:
        """Answer, or raise DnsFailedError: timed out, refused, broken."""
        ...
