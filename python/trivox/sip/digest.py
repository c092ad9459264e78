"""Digest authentication, both sides (RFC 7616, 8760, 3261 §22): the client answers, the server checks.

Random values and time are arguments. Passwords and hashes never appear in a repr.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from trivox._native import Uri
from trivox.errors import ParseError
from trivox.sip.digest_values import (
    STRONGEST_FIRST,
    DigestAlgorithm,
    DigestChallenge,
    algorithm_of,
    digest_response,
    hash_user,
    quote,
    read_challenge_untrusted,
    read_parameters_untrusted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

__all__ = [
    "CHALLENGE_HEADER",
    "Authorizer",
    "DigestAlgorithm",
    "DigestChallenge",
    "DigestClient",
    "DigestOutcome",
    "DigestServer",
    "DigestVerdict",
]

CHALLENGE_HEADER: Final = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
"""Where a response of that status holds its challenges."""
_ANSWER_HEADER: Final = {401: "Authorization", 407: "Proxy-Authorization"}
_MAX_CHALLENGES: Final = 16
_MAX_NONCES: Final = 64
_DEFAULT_PORT: Final = {"sip": 5060, "sips": 5061}
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")


@final
class DigestClient:
    """Answer challenges for one user, within the realms it was configured for.

    A challenge for another realm gets no answer: else any far end could collect hashes of the
    password. One client may serve many requests; it counts the uses of each nonce.
    """

    def __init__(
        self,
        user: str,
        password: str | None = None,
        *,
        realms: Collection[str],
        ha1: Mapping[DigestAlgorithm, str] | None = None,
        algorithms: Collection[DigestAlgorithm] = STRONGEST_FIRST,
    ) -> None:
        """Take the credentials.

        Args:
            user: Authentication user, often but not always the user part of the address.
            password: In clear; or None with `ha1`.
            realms: The realms to answer.
            ha1: H(A1) by algorithm in place of the password; then for a single realm.
            algorithms: Those we are willing to use; leave out MD5 to refuse it.
        """
        self._user = user
        self._password = password
        self._realms = frozenset(realms)
        self._ha1 = dict(ha1 or {})
        self._algorithms = frozenset(algorithms)
        self._counts: OrderedDict[str, int] = OrderedDict()

    def __repr__(self) -> str:
        return f"DigestClient(user={self._user!r}, realms={sorted(self._realms)!r})"

    def select(self, challenges: Sequence[str]) -> tuple[DigestChallenge, ...]:
        """Return the strongest challenge we can answer of each realm, in order of appearance."""
        best: dict[str, DigestChallenge] = {}
        for value in challenges[:_MAX_CHALLENGES]:
            challenge = read_challenge_untrusted(value)
            if challenge is None or not self._can_answer(challenge):
                continue
            held = best.get(challenge.realm)
            if held is None or _strength(challenge) > _strength(held):
                best[challenge.realm] = challenge
        return tuple(best.values())

    def answer(
        self, challenges: Sequence[str], method: str, uri: str, body: bytes, cnonce: str
    ) -> str | None:
        """Return the credentials for the first realm of these challenge values we belong to.

        Args:
            challenges: WWW-Authenticate or Proxy-Authenticate values of one response.
            method: Of the request to be sent again.
            uri: Its Request-URI.
            body: Its body.
            cnonce: A fresh random token.
        """
        selected = self.select(challenges)
        return self.credentials(selected[0], method, uri, body, cnonce) if selected else None

    def credentials(
        self, challenge: DigestChallenge, method: str, uri: str, body: bytes, cnonce: str
    ) -> str:
        """Return the Authorization value that answers `challenge`, counting its nonce once more."""
        algorithm = challenge.algorithm
        ha1 = self._ha1.get(algorithm) or hash_user(
            algorithm, self._user, challenge.realm, self._password or ""
        )
        parameters = {"nonce": challenge.nonce, "uri": uri}
        if challenge.qop:
            count = f"{self._count(challenge.nonce):08x}"
            parameters |= {"qop": challenge.qop, "nc": count, "cnonce": cnonce}
        response = digest_response(algorithm, ha1, method, parameters, body)
        fields = [
            f"username={quote(self._user)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(uri)}",
            f'response="{response}"',
        ]
        if challenge.algorithm_as_sent is not None:
            fields.append(f"algorithm={algorithm}")
        if challenge.qop:
            fields += [
                f"cnonce={quote(cnonce)}",
                f"qop={challenge.qop}",
                f"nc={parameters['nc']}",
            ]
        if challenge.opaque is not None:
            fields.append(f"opaque={quote(challenge.opaque)}")
        return "Digest " + ", ".join(fields)

    def _can_answer(self, challenge: DigestChallenge) -> bool:
        has_secret = self._password is not None or challenge.algorithm in self._ha1
        is_allowed = challenge.algorithm in self._algorithms
        return has_secret and is_allowed and challenge.realm in self._realms

    def _count(self, nonce: str) -> int:
        count = self._counts.pop(nonce, 0) + 1
        self._counts[nonce] = count
        if len(self._counts) > _MAX_NONCES:
            self._counts.popitem(last=False)
        return count


def _strength(challenge: DigestChallenge) -> int:
    return -STRONGEST_FIRST.index(challenge.algorithm)


@final
class Authorizer:
    """Carry one request through its challenges: each realm is answered once, again only if stale.

    Several proxies and the far end may each ask (RFC 3261 §22.3); every try carries all answers.
    """

    MAX_ROUNDS: Final = 6

    def __init__(self, client: DigestClient | None, cnonce: str) -> None:
        self._client = client
        self._cnonce = cnonce
        self._held: dict[tuple[str, str], DigestChallenge] = {}
        self._rounds = 0

    def can_answer(self, status: int, challenges: Sequence[str]) -> bool:
        """Whether the 401 or 407 is worth another try; remembers its challenges if so."""
        name = _ANSWER_HEADER.get(status)
        if self._client is None or name is None or self._rounds == self.MAX_ROUNDS:
            return False
        fresh = [
            challenge
            for challenge in self._client.select(challenges)
            if challenge.is_stale or (name, challenge.realm) not in self._held
        ]
        for challenge in fresh:
            self._held[name, challenge.realm] = challenge
        self._rounds += 1
        return bool(fresh)

    def headers(self, method: str, uri: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """Return the credentials for the next try, one header for each realm answered so far."""
        if self._client is None:
            return ()
        return tuple(
            (name, self._client.credentials(challenge, method, uri, body, self._cnonce))
            for (name, _), challenge in self._held.items()
        )


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
    """The outcome and, when accepted, who it is."""

    outcome: DigestOutcome
    user: str = ""


@final
class DigestServer:
    """Challenge and check without a table of nonces: a nonce proves its own origin and age.

    The nonce is its time and number with an HMAC over them and the realm. The uses of accepted
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
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._forgotten_until = float("-inf")
        self._dummy_password = self._sign("dummy password")

    def __repr__(self) -> str:
        return f"DigestServer(realm={self._realm!r})"

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """Return one challenge value per algorithm, strongest first (RFC 8760 §2.4)."""
        self._number += 1
        stamp = f"{round(now * 1000):x}-{self._number:x}"
        nonce = f"{stamp}-{self._sign(stamp)}"
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
        for value in authorizations[:_MAX_CHALLENGES]:
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
            return refused
        if not self._is_usable(parameters["nonce"], issued, count, now):
            return DigestVerdict(DigestOutcome.STALE)
        return DigestVerdict(DigestOutcome.ACCEPTED, user)

    def _is_usable(self, nonce: str, issued: float, count: int, now: float) -> bool:
        if not 0 <= now - issued + 0.001 <= self._lifetime:
            return False
        held = self._counts.pop(nonce, None)
        if held is None and issued <= self._forgotten_until:
            return False
        last = 0 if held is None else held[0]
        self._counts[nonce] = (max(count, last), issued)
        if len(self._counts) > self._capacity:
            _, (_, forgotten) = self._counts.popitem(last=False)
            self._forgotten_until = max(self._forgotten_until, forgotten)
        return count > last

    def _issued(self, nonce: str) -> float | None:
        """Return when we issued the nonce, or None if we did not."""
        stamp, _, signature = nonce.rpartition("-")
        proof = self._sign(stamp).encode()
        if not hmac.compare_digest(proof, signature.encode("utf-8", "surrogateescape")):
            return None
        return int(stamp.partition("-")[0], 16) / 1000

    def _sign(self, text: str) -> str:
        message = f"{text}:{self._realm}".encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()[:32]


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
