"""Who we are and who may ask: our domain, our users, tags and challenges."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.digest_server import DigestOutcome, DigestServer
from trivox.sip.digest_values import DigestAlgorithm
from trivox.sip.lockout import Lockout
from trivox.sip.outputs import Headers, SendResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trivox._native import Message
    from trivox.net.transport import Address

REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    423: "Interval Too Brief",
    439: "First Hop Lacks Outbound Support",
    480: "Temporarily Unavailable",
    482: "Loop Detected",
    483: "Too Many Hops",
    487: "Request Terminated",
    500: "Server Internal Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
# What browsers' stacks and old phones can do; RFC 8760 wants the strongest first.
_ALGORITHMS: Final = (DigestAlgorithm.SHA_256, DigestAlgorithm.MD5)


@dataclass(frozen=True, slots=True)
class Request:
    """A request with where it came from."""

    message: Message
    tx: int
    flow: int
    source: Address


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final answer of our own."""

    status: int
    headers: Headers = ()
    reason: str = ""
    """In place of the status's own phrase."""


@final
class Identity:
    """Our names, our users' passwords, and the key that our tags and tokens are made with."""

    def __init__(self, domain: str, users: Mapping[str, str], seed: bytes) -> None:
        self.domain = domain.lower()
        self._users = dict(users)
        self._key = hashlib.blake2b(seed, digest_size=32, person=b"switchboard").digest()
        self._digest = DigestServer(self._key, domain, algorithms=_ALGORITHMS)
        self._own: set[Address] = set()
        self.lockout: Final = Lockout()
        self._welcome = 0

    def __repr__(self) -> str:
        return f"Identity(domain={self.domain!r}, users={len(self._users)})"

    def add_address(self, address: Address) -> None:
        """Learn an address that messages to us are sent to."""
        self._own.add(address)

    def is_own_address(self, address: Address) -> bool:
        """Tell whether messages to `address` come to us."""
        return address in self._own

    def is_own_uri(self, uri: Uri) -> bool:
        """Tell whether a URI is of our domain, or names one of our addresses."""
        if uri.scheme != "sip":
            return False
        if uri.port is None:
            return uri.host == self.domain or any(host == uri.host for host, _ in self._own)
        # Phones on our own host share its address: only our ports are ours.
        return (uri.host, uri.port) in self._own or (
            uri.host == self.domain and any(port == uri.port for _, port in self._own)
        )

    def is_user(self, name: str) -> bool:
        """Tell whether a user exists."""
        return name in self._users

    def password(self, name: str) -> str | None:
        """Return a user's password."""
        return self._users.get(name)

    def sign(self, data: bytes) -> bytes:
        """Return eight bytes that prove that `data` came from us."""
        return hashlib.blake2b(data, digest_size=8, key=self._key, person=b"sign").digest()

    def tag(self, message: Message) -> str:
        """Return our To tag for a request: the same for each copy of it."""
        _, _, call_id, from_tag, _, branch, _, cseq = message.key()
        text = f"{call_id}\0{from_tag}\0{branch}\0{cseq}".encode("utf-8", "surrogateescape")
        return hashlib.blake2b(text, digest_size=8, key=self._key, person=b"tag").hexdigest()

    def welcome(self, request: Request) -> None:
        """Take that who sent the request that is being served may ask: a user of ours, or a guest."""
        self._welcome = request.tx

    def is_welcome(self, request: Request) -> bool:
        """Tell whether that was said of the request that is being served."""
        return self._welcome == request.tx

    def answer(self, request: Request, refusal: Refusal) -> SendResponse:
        """Return the response to send."""
        return SendResponse(
            request.tx,
            refusal.status,
            refusal.reason or REASONS[refusal.status],
            refusal.headers,
            b"",
            self.tag(request.message),
        )

    def authenticate(self, request: Request, now: float, *, proxy: bool) -> str | Refusal:
        """Return the user who sent a request, or what to answer.

        Who guesses is locked for a while, and told the same as for a wrong password.

        Args:
            request: The request.
            now: Seconds.
            proxy: Whether we forward it (407) or serve it (401).
        """
        asked, given = (
            ("Proxy-Authenticate", "Proxy-Authorization")
            if proxy
            else ("WWW-Authenticate", "Authorization")
        )
        message, source = request.message, request.source[0]
        values = message.headers(given)
        verdict = self._digest.check(values, message.method, message.uri, self.password, now)
        if verdict.user and self.lockout.is_locked(source, verdict.user, now):
            return Refusal(403)
        if verdict.outcome is DigestOutcome.ACCEPTED:
            self.lockout.note_success(source, verdict.user)
            self.welcome(request)
            return verdict.user
        if verdict.outcome is DigestOutcome.REFUSED:
            if verdict.user:
                self.lockout.note_failure(source, verdict.user, now)
            return Refusal(403)
        if verdict.outcome is DigestOutcome.MISDIRECTED:
            return Refusal(400)
        challenges = self._digest.challenges(now, stale=verdict.outcome is DigestOutcome.STALE)
        return Refusal(407 if proxy else 401, tuple((asked, value) for value in challenges))


def unsupported(message: Message, header: str, known: frozenset[str]) -> Refusal | None:
    """Refuse what Require or Proxy-Require names and we do not know (RFC 3261 §8.2.2.3, §16.3)."""
    tags = [tag.strip() for tag in message.values(header)]
    foreign = [tag for tag in tags if tag.lower() not in known]
    return Refusal(420, (("Unsupported", ", ".join(foreign)),)) if foreign else None


def address_of_untrusted(message: Message, header: str) -> Uri:
    """Return the URI in From or To. Raises ParseError."""
    return Uri.parse(NameAddr.parse(message.header(header) or "").uri)


def refuse_bad_input(serve: Callable[[], Refusal | None]) -> Refusal | None:
    """Run what reads a peer's headers; a header that does not parse is answered 400."""
    try:
        return serve()
    except ParseError:
        return Refusal(400)
