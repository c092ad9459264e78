"""The DNS by dnspython on Trio, and by the system's resolver where that is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from trivox.net.dns_records import DnsAnswer, DnsFailedError, DnsQuestion, Naptr, Record, Srv

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from trivox.net.dns_records import Dns
    from trivox.net.transport import Address

_NEGATIVE_LIFETIME: Final = 30.0  # seconds that a name without records is believed
_SYSTEM_LIFETIME: Final = 60.0  # seconds; getaddrinfo tells no time to live
_HOSTS: Final = Path("/etc/hosts")


@final
class SystemDns:
    """The system's resolver: it knows addresses and nothing else.

    Args:
        look_up: Returns the addresses of a host name, or raises OSError.
    """

    def __init__(self, look_up: Callable[[str, int], Awaitable[list[Address]]]) -> None:
        self._look_up = look_up

    async def query(self, question: DnsQuestion) -> DnsAnswer:
        """Look up a HOST. Raises DnsFailedError."""
        try:
            found = await self._look_up(question.name, 0)
        except UnicodeError:
            return DnsAnswer((), _NEGATIVE_LIFETIME)
        except OSError as error:  # it does not say whether there is none or nobody answers
            raise DnsFailedError(f"the system knows no {question.name!r}: {error}") from error
        return DnsAnswer(tuple(dict.fromkeys(host for host, _ in found)), _SYSTEM_LIFETIME)


@final
class DnsClient:
    """dnspython's resolver on Trio; HOST questions go to the system.

    Args:
        system: Answers HOST questions.
        nameservers: Addresses to ask; empty: those of the system.
        port: Their port.

    Raises:
        ImportError: The `dns` extra is missing.
        DnsFailedError: The system names no server.
    """

    def __init__(self, system: Dns, *, nameservers: Sequence[str] = (), port: int = 53) -> None:
        import dns.asyncresolver
        import dns.exception

        self._system = system
        self._error = dns.exception.DNSException
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.exception.DNSException as error:
            raise DnsFailedError("the system names no server of the DNS") from error
        if nameservers:
            self._resolver.nameservers = list(nameservers)
            self._resolver.port = port
        self._resolver.timeout = 0.8

    async def query(self, question: DnsQuestion) -> DnsAnswer:
        """Ask. Raises DnsFailedError: timed out, refused, a chain of names without end."""
        import dns.resolver

        if question.kind == "HOST":
            return await self._system.query(question)
        try:
            answer = await self._resolver.resolve(
                question.name, question.kind, raise_on_no_answer=False, search=False, lifetime=1.9
            )
        except dns.resolver.NXDOMAIN:
            return DnsAnswer((), _NEGATIVE_LIFETIME)
        except (self._error, OSError, ValueError) as error:
            raise DnsFailedError(f"{question.name} {question.kind}: {error}") from error
        if answer.rrset is None:
            return DnsAnswer((), _NEGATIVE_LIFETIME)
        return DnsAnswer(tuple(map(_record, answer.rrset)), float(answer.rrset.ttl))


def _record(data: Any) -> Record:  # noqa: ANN401 (dnspython's rdata has its fields by kind)
    kind = type(data).__name__
    if kind == "NAPTR":
        return Naptr(
            data.order,
            data.preference,
            data.flags.decode("latin-1"),
            data.service.decode("latin-1"),
            data.replacement.to_text(omit_final_dot=True),
        )
    if kind == "SRV":
        host = data.target.to_text(omit_final_dot=True)
        return Srv(data.priority, data.weight, data.port, host)
    return str(data.address)


def is_local_name(name: str) -> bool:
    """Tell a name that the DNS does not know: of one label, or in the hosts file."""
    wanted = name.lower()
    if "." not in wanted.strip("."):
        return True
    try:
        lines = _HOSTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(wanted in line.partition("#")[0].lower().split()[1:] for line in lines)
