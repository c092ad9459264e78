"""Digest authentication, the side that asks (RFC 7616, 8760): stateless nonces, checked answers.

Random values and time are arguments. Passwords and hashes never appear in a repr.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from trivox._native import Uri
from trivox.errors import ParseError
from trivox.sip.digest_values import (
    STRONGEST_FIRST,
    algorithm_of,
    digest_response,
    hash_user,
    quote,
    read_parameters_untrusted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from trivox.sip.digest_values import DigestAlgorithm

_MAX_CREDENTIALS: Final = 16
_DEFAULT_PORT: Final = {"sip": 5060, "sips": 5061}
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")
_STAMP: Final = re.compile(r"([0-9a-f]{1,16})-[0-9a-f]{1,16}")
_WINDOW: Final = 64
"""Uses of a nonce, back from its latest, that are remembered one by one: requests overtake each other."""
_ROTATION: Final = 3600.0
"""Seconds after which nonces are signed with another key drawn from the secret."""


class DigestOutcome(StrEnum):
    """What a check of credentials came to."""

    ACCEPTED = "accepted"
    MISSING = "missing"
    """No credentials for our realm: challenge."""
    STALE = "stale"
    """The nonce is too old or was used already: challenge with stale=true."""
    REFUSED = "refused"
    """Unknown user or wrong password: told apart by nothing, time included."""
    MISDIRECTED = "misdirected"
    """Credentials made for another Request-URI: answer 400 (RFC 7616 §3.4.6)."""


@final
@dataclass(frozen=True, slots=True)
class DigestVerdict:
    """The outcome, and who it is when accepted, or claims to be when the password is wrong."""

    outcome: DigestOutcome
    user: str = ""


@final
class DigestServer:
    """Challenge and check without a table of nonces: a nonce proves its own origin and age.

    The nonce is its time and number with an HMAC over them and the realm, under a key that changes
    every hour. The uses of accepted
    nonces are remembered, at most `capacity` of them; a nonce older than one forgotten is stale.
    """

    def __init__(
        self,
        secret: bytes,
        realm: str,
        *,
        algorithms: Collection[DigestAlgorithm] = STRONGEST_FIRST,
        lifetime: float = 60.0,
        capacity: int = 10_000,
    ) -> None:
        """Take the secret and the policy.

        Args:
            secret: At least 16 random octets, shared by servers that accept each other's nonces.
            realm: What we challenge for.
            algorithms: Those offered; leave out MD5 to refuse it.
            lifetime: Seconds a nonce can be used.
            capacity: Accepted nonces whose use is remembered.
        """
        self._secret = secret
        self._realm = realm
        self._algorithms = tuple(known for known in STRONGEST_FIRST if known in algorithms)
        self._lifetime = lifetime
        self._capacity = capacity
        self._number = 0
        self._uses: OrderedDict[str, _Uses] = OrderedDict()
        self._forgotten_until = float("-inf")
        self._key: tuple[float, bytes] = (-1.0, b"")
        self._dummy_password = self._sign("dummy password", 0.0)

    def __repr__(self) -> str:
        return f"DigestServer(realm={self._realm!r})"

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """Return one challenge value per algorithm, strongest first (RFC 8760 §2.4)."""
        self._number += 1
        moment = round(now * 1000)
        stamp = f"{moment:x}-{self._number:x}"
        nonce = f"{stamp}-{self._sign(stamp, moment / 1000)}"
        suffix = ", stale=true" if stale else ""
        return [
            f'Digest realm={quote(self._realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{suffix}'
            for algorithm in self._algorithms
        ]

    def check(
        self,
        authorizations: Sequence[str],
        method: str,
        uri: str,
        credentials: Callable[[str], str | None],
        now: float,
    ) -> DigestVerdict:
        """Judge the Authorization (or Proxy-Authorization) values of a request.

        Args:
            authorizations: All values of the header; those for other realms are passed over.
            method: Of the request.
            uri: Its Request-URI.
            credentials: Returns a user's password, or None for an unknown user.
            now: Seconds, on the clock given to `challenges`.
        """
        for value in authorizations[:_MAX_CREDENTIALS]:
            parameters = read_parameters_untrusted(value)
            if parameters is not None and parameters.get("realm") == self._realm:
                if not _is_same_resource(parameters.get("uri", uri), uri):
                    return DigestVerdict(DigestOutcome.MISDIRECTED)
                return self._judge(parameters, method, credentials, now)
        return DigestVerdict(DigestOutcome.MISSING)

    def _judge(
        self,
        parameters: Mapping[str, str],
        method: str,
        credentials: Callable[[str], str | None],
        now: float,
    ) -> DigestVerdict:
        refused = DigestVerdict(DigestOutcome.REFUSED)
        algorithm = algorithm_of(parameters.get("algorithm"))
        needed = ("username", "nonce", "uri", "response", "cnonce", "nc")
        if algorithm not in self._algorithms or parameters.get("qop") != "auth":
            return refused
        count = _read_count(parameters.get("nc", ""))
        if count is None or any(name not in parameters for name in needed):
            return refused
        issued = self._issued(parameters["nonce"])
        if issued is None:
            # Not ours, or from before the secret changed: a new nonce may well work.
            return DigestVerdict(DigestOutcome.STALE)
        user = parameters["username"]
        password = credentials(user)
        # An unknown user costs as much time as a wrong password.
        ha1 = hash_user(
            algorithm, user, self._realm, self._dummy_password if password is None else password
        )
        expected = digest_response(algorithm, ha1, method, parameters, b"")
        is_right = hmac.compare_digest(
            expected.encode(), parameters["response"].encode("utf-8", "surrogateescape")
        )
        if not is_right or password is None:
            return DigestVerdict(DigestOutcome.REFUSED, user)
        if not self._is_usable(parameters["nonce"], issued, count, now):
            return DigestVerdict(DigestOutcome.STALE)
        return DigestVerdict(DigestOutcome.ACCEPTED, user)

    def _is_usable(self, nonce: str, issued: float, count: int, now: float) -> bool:
        if not 0 <= now - issued + 0.001 <= self._lifetime:
            return False
        uses = self._uses.pop(nonce, None)
        if uses is None and issued <= self._forgotten_until:
            return False
        uses = uses or _Uses(issued)
        self._uses[nonce] = uses
        if len(self._uses) > self._capacity:
            _, forgotten = self._uses.popitem(last=False)
            self._forgotten_until = max(self._forgotten_until, forgotten.issued)
        return uses.take(count)

    def _issued(self, nonce: str) -> float | None:
        """Return when we issued the nonce, or None if we did not."""
        stamp, _, signature = nonce.rpartition("-")
        found = _STAMP.fullmatch(stamp)
        if found is None:
            return None
        issued = int(found[1], 16) / 1000
        proof = self._sign(stamp, issued).encode()
        if not hmac.compare_digest(proof, signature.encode("utf-8", "surrogateescape")):
            return None
        return issued

    def _sign(self, text: str, at: float) -> str:
        message = f"{text}:{self._realm}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key_at(at), message, hashlib.sha256).hexdigest()[:32]

    def _key_at(self, at: float) -> bytes:
        """Return the key of that hour; the last one is remembered."""
        hour = at // _ROTATION
        if self._key[0] != hour:
            derived = hmac.new(self._secret, f"nonces of {hour:.0f}".encode(), hashlib.sha256)
            self._key = (hour, derived.digest())
        return self._key[1]


@dataclass(slots=True)
class _Uses:
    """The uses of one nonce: none is taken twice, and each may be late by less than the window."""

    issued: float
    latest: int = 0
    seen: int = 1
    """One bit for each of the last uses, the latest lowest. Nobody uses a nonce the 0th time."""

    def take(self, count: int) -> bool:
        ahead = count - self.latest
        if ahead > 0:
            self.latest = count
            self.seen = (self.seen << min(ahead, _WINDOW) | 1) & ((1 << _WINDOW) - 1)
            return True
        if -ahead >= _WINDOW or self.seen >> -ahead & 1:
            return False
        self.seen |= 1 << -ahead
        return True


def _is_same_resource(claimed: str, requested: str) -> bool:
    """Tell whether a digest's `uri` means the Request-URI, however it is written.

    A proxy on the way may have added a port or parameters (RFC 3261 §22.4), so only what names
    the resource counts: scheme, user, host, and the port with its default.
    """
    if claimed == requested:
        return True
    try:
        return _resource(Uri.parse(claimed)) == _resource(Uri.parse(requested))
    except ParseError:
        return False


def _resource(uri: Uri) -> tuple[str, str, str, int]:
    default = _DEFAULT_PORT.get(uri.scheme, 0)
    return uri.scheme, uri.user, uri.host, default if uri.port is None else uri.port


def _read_count(text: str) -> int | None:
    # int() alone would take signs, underscores and digits of other scripts.
    is_count = len(text) == 8 and set(text) <= _HEXADECIMAL
    return int(text, 16) if is_count else None
