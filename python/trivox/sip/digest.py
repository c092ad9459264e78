"""Digest authentication, the side that answers (RFC 7616, 8760, 3261 §22).

Random values are arguments. Passwords and hashes never appear in a repr.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.digest_server import DigestOutcome, DigestServer, DigestVerdict
from trivox.sip.digest_values import (
    STRONGEST_FIRST,
    DigestAlgorithm,
    DigestChallenge,
    digest_response,
    hash_user,
    quote,
    read_challenge_untrusted,
    split_challenges_untrusted,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "CHALLENGE_HEADER",
    "Authorizer",
    "DigestAlgorithm",
    "DigestChallenge",
    "DigestClient",
    "DigestOutcome",
    "DigestSecret",
    "DigestServer",
    "DigestVerdict",
]

CHALLENGE_HEADER: Final = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
"""Where a response of that status holds its challenges."""
_ANSWER_HEADER: Final = {401: "Authorization", 407: "Proxy-Authorization"}
_MAX_CHALLENGES: Final = 16
_MAX_NONCES: Final = 64
_MAX_KNOWN: Final = 16
_MAX_HOSTS: Final = 256


@final
@dataclass(frozen=True, slots=True)
class DigestSecret:
    """A user and what proves it: the password, or H(A1) by algorithm in its place."""

    user: str
    password: str | None = field(default=None, repr=False)
    ha1: Mapping[DigestAlgorithm, str] = field(default_factory=dict, repr=False)

    def hash_for(self, challenge: DigestChallenge) -> str | None:
        """Return H(A1) for a challenge; None when this secret cannot make it."""
        known = self.ha1.get(challenge.algorithm)
        if known is not None or self.password is None:
            return known
        return hash_user(challenge.algorithm, self.user, challenge.realm, self.password)


@final
class DigestClient:
    """Answer challenges for one user, within the realms it was configured for.

    A challenge for another realm gets no answer: else any far end could collect hashes of the
    password. One client may serve many requests; it counts the uses of each nonce, and what was
    asked for once is proved in the next request without being asked for (RFC 7616 §3.6).
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
        self._secret = DigestSecret(user, password, dict(ha1 or {}))
        self._secrets: dict[str, DigestSecret] = {}
        self._realms = frozenset(realms)
        self._algorithms = frozenset(algorithms)
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._known: OrderedDict[tuple[str, str, str], DigestChallenge] = OrderedDict()
        self._hosts: set[str] | None = None
        self.doubted: set[str] = set()
        """Realms whose server refused our answer: the secret may have changed."""

    def __repr__(self) -> str:
        return f"DigestClient(user={self._secret.user!r}, realms={sorted(self._realms)!r})"

    @property
    def realms(self) -> frozenset[str]:
        """The realms this client answers."""
        return self._realms

    def learn(self, realm: str, secret: DigestSecret | None) -> None:
        """Use another secret in one realm from now on; None: the common one."""
        self.doubted.discard(realm)
        if secret is None:
            self._secrets.pop(realm, None)
        else:
            self._secrets[realm] = secret

    def answer_only(self, hosts: Collection[str]) -> None:
        """Answer none but these hosts, names or addresses, from now on; more calls add to them.

        Without it every server is answered that knows our realm, and realms are no secret.
        """
        held = self._hosts = self._hosts or set()
        if len(held) < _MAX_HOSTS:
            held.update(host.lower() for host in hosts)

    def is_own_host(self, address: str) -> bool:
        """Whether the host of a URI or name-addr is one to answer."""
        if self._hosts is None:
            return True
        try:
            return Uri.parse(NameAddr.parse(address).uri).host in self._hosts
        except ParseError:
            return False

    def known(self, uri: str) -> dict[tuple[str, str], DigestChallenge]:
        """Return the challenges that a new request to `uri` is likely to meet, by header and realm.

        A proxy's holds for every request that goes through it; a far end's for its own URI only,
        since Authorization travels all the way.
        """
        return {
            (name, realm): challenge
            for (name, realm, where), challenge in self._known.items()
            if where in ("", uri)
        }

    def remember(self, name: str, uri: str, challenge: DigestChallenge) -> None:
        """Keep a challenge that was answered, for the next request; the oldest makes room."""
        where = uri if name == "Authorization" else ""
        self._known.pop((name, challenge.realm, where), None)
        self._known[name, challenge.realm, where] = challenge
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

    def doubt(self, realm: str) -> None:
        """Note that our answer was refused; nothing of that realm is sent unasked any more."""
        self.doubted.add(realm)
        for key in [key for key in self._known if key[1] == realm]:
            del self._known[key]

    def select(self, challenges: Sequence[str]) -> tuple[DigestChallenge, ...]:
        """Return the strongest challenge we can answer of each realm, in order of appearance."""
        best: dict[str, DigestChallenge] = {}
        values = [one for line in challenges for one in split_challenges_untrusted(line)]
        for value in values[:_MAX_CHALLENGES]:
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
        secret = self._secret_for(challenge.realm)
        ha1 = secret.hash_for(challenge) or ""
        parameters = {"nonce": challenge.nonce, "uri": uri}
        if challenge.qop:
            count = f"{self._count(challenge.nonce):08x}"
            parameters |= {"qop": challenge.qop, "nc": count, "cnonce": cnonce}
        response = digest_response(algorithm, ha1, method, parameters, body)
        fields = [
            f"username={quote(secret.user)}",
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
        if challenge.algorithm not in self._algorithms or challenge.realm not in self._realms:
            return False
        secret = self._secret_for(challenge.realm)
        return secret.password is not None or challenge.algorithm in secret.ha1

    def _secret_for(self, realm: str) -> DigestSecret:
        return self._secrets.get(realm, self._secret)

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

    def __init__(
        self,
        client: DigestClient | None,
        cnonce: str,
        *,
        uri: str = "",
        hop: str = "",
        is_outside: bool = False,
    ) -> None:
        """Take who answers whom.

        Args:
            client: Has the credentials; None answers nothing.
            cnonce: A fresh random token.
            uri: Request-URI: whose 401 is answered, if the client answers that host.
            hop: First Route value, if any: whose 407 is answered likewise.
            is_outside: The request is in no dialog: what its servers asked for before is sent
                unasked, and what they ask for is remembered.
        """
        self._client = client
        self._cnonce = cnonce
        self._uri = uri
        self._hop = hop or uri
        self._is_outside = is_outside
        self._guessed: dict[tuple[str, str], DigestChallenge] = {}
        self._held: dict[tuple[str, str], DigestChallenge] = {}
        self._rounds = 0
        if client is not None and is_outside:
            known = client.known(uri).items()
            self._guessed = {key: one for key, one in known if self._is_for_us(client, key[0])}

    def _is_for_us(self, client: DigestClient, name: str) -> bool:
        """Whether who asks by that header is a host to answer: the far end, or the next hop."""
        asking = self._uri if name == "Authorization" else self._hop
        return not asking or client.is_own_host(asking)

    def can_answer(self, status: int, challenges: Sequence[str]) -> bool:
        """Whether the 401 or 407 is worth another try; remembers its challenges if so."""
        name = _ANSWER_HEADER.get(status)
        if self._client is None or name is None or self._rounds == self.MAX_ROUNDS:
            return False
        if not self._is_for_us(self._client, name):
            return False
        selected = self._client.select(challenges)
        fresh = [one for one in selected if one.is_stale or (name, one.realm) not in self._held]
        for challenge in fresh:
            self._guessed.pop((name, challenge.realm), None)
            self._held[name, challenge.realm] = challenge
            if self._is_outside:
                self._client.remember(name, self._uri, challenge)
        if not fresh:
            for challenge in selected:
                self._client.doubt(challenge.realm)
        self._rounds += 1
        return bool(fresh)

    def headers(self, method: str, uri: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """Return the credentials for the next try, one header for each realm answered so far."""
        if self._client is None:
            return ()
        return tuple(
            (name, self._client.credentials(challenge, method, uri, body, self._cnonce))
            for (name, _), challenge in (self._guessed | self._held).items()
        )
