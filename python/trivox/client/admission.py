"""Who may ask what from outside of dialogs: decided here, once, before anything else looks."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from trivox._native import Uri
from trivox.errors import ParseError
from trivox.net.tls_identity import is_identified
from trivox.sip.capabilities import ALLOW
from trivox.sip.digest_server import DigestOutcome, DigestServer
from trivox.sip.digest_values import DigestAlgorithm
from trivox.sip.lockout import Lockout
from trivox.sip.party import ASSERTED, read_parties_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox._native import Message, SipEvent
    from trivox.client.account import Account
    from trivox.client.config import ClientConfig
    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address
    from trivox.sip.outputs import Headers

    Refusal = tuple[int, str, Headers]

_ALGORITHMS: Final = (DigestAlgorithm.SHA_256, DigestAlgorithm.MD5)
_FORBIDDEN: Final[Refusal] = (403, "Forbidden", ())


class Rule(StrEnum):
    """What becomes of a method outside of dialogs."""

    ANSWERED = "answered"
    """Whoever asks; nothing is done and nothing told that a port scan would not tell."""
    ADMITTED = "admitted"
    """Only for those the configuration admits."""
    REFUSED = "refused"
    """Nobody: 405."""


RULES: Final[Mapping[str, Rule]] = {
    # An ACK has no answer, and a CANCEL only ends what its own INVITE began (RFC 3261 §9.2).
    "ACK": Rule.ANSWERED,
    "CANCEL": Rule.ANSWERED,
    "OPTIONS": Rule.ANSWERED,
    "INVITE": Rule.ADMITTED,
    "MESSAGE": Rule.ADMITTED,
    "NOTIFY": Rule.ADMITTED,
    "PUBLISH": Rule.ADMITTED,
    "REFER": Rule.ADMITTED,
    "SUBSCRIBE": Rule.ADMITTED,
    # These exist within dialogs only, or are no business of a user agent.
    "BYE": Rule.ADMITTED,
    "INFO": Rule.ADMITTED,
    "PRACK": Rule.ADMITTED,
    "UPDATE": Rule.ADMITTED,
    "REGISTER": Rule.REFUSED,
}
"""Default deny: a method that is not here is unknown."""

_REFUSALS: Final[Mapping[Rule | None, Refusal]] = {
    None: (501, "Not Implemented", (ALLOW,)),  # unknown (RFC 3261 §8.2.1)
    Rule.REFUSED: (405, "Method Not Allowed", (ALLOW,)),
}


@final
class Admission:
    """The one policy point of a client for requests outside of dialogs.

    Known are the servers of the accounts: registrar, proxy and trunk, by source address, or by the
    name in the certificate of a TLS connection. Everybody else is admitted when the configuration
    says so (`admit`), or after proving to be one of `users`.

    Args:
        config: The client's.
        accounts: Its accounts; read each time.
        endpoint: Knows the certificates of connections.
        seed: Random bytes the nonces are made with.
    """

    def __init__(
        self,
        config: ClientConfig,
        accounts: Mapping[str, Account],
        endpoint: Endpoint,
        *,
        seed: bytes,
    ) -> None:
        self._is_open = config.admit == "anyone" and not config.users
        self._users = dict(config.users)
        self._accounts = accounts
        self._endpoint = endpoint
        key = hashlib.blake2b(seed[:64], digest_size=32, person=b"admission").digest()
        self._digest = DigestServer(key, config.realm, algorithms=_ALGORITHMS)
        self.lockout: Final = Lockout()

    def judge(self, request: Message, event: SipEvent, now: float) -> Refusal | str:
        """Return how a request is refused, or which of `users` has sent it: "" for nobody of them.

        Args:
            request: Valid, and in no dialog of ours.
            event: As the core gave it: method, flow and source.
            now: Seconds.
        """
        _, _, _, method, _, _, flow, source = event
        rule = RULES.get(method)
        if rule in _REFUSALS:
            return _REFUSALS[rule]
        if self._is_open or rule is Rule.ANSWERED or self._is_known(flow, source):
            return ""
        if request.to_tag:
            return ""  # of a dialog that is gone: 481 whoever asks
        return self._prove(request, source[0], now) if self._users else _FORBIDDEN

    def is_stranger(self, event: SipEvent, judged: Refusal | str) -> bool:
        """Whether a request is neither of somebody known nor of who may ask for it.

        Who is challenged is no stranger yet: there is no other way to prove who one is.

        Args:
            event: As the core gave it.
            judged: What `judge` said.
        """
        _, _, _, method, _, _, flow, source = event
        if self._is_known(flow, source):
            return False
        if isinstance(judged, str):
            return not judged and not (self._is_open and RULES.get(method) is Rule.ADMITTED)
        return judged[0] != 401

    def identity_of(self, request: Message, event: SipEvent, *, user: str, is_trusted: bool) -> str:
        """Return who an admitted request is of, for the limits of identities; "" for nobody known.

        A From alone is no identity: with somebody else's in it, anybody could use up their calls.

        Args:
            request: The request.
            event: As the core gave it.
            user: As `judge` said.
            is_trusted: Whether it came from a peer that is believed (RFC 3325 §5).
        """
        _, _, _, _, _, _, flow, source = event
        if user:
            return f"user {user}"
        if is_trusted:
            parties = read_parties_untrusted(request.headers(ASSERTED))
            return f"asserted {_address_of(parties[0].uri)}" if parties else ""
        names = self._endpoint.peer_names(flow)
        return f"name {names[0].lower()}" if names and not self._is_known(flow, source) else ""

    def _is_known(self, flow: int, source: Address) -> bool:
        if any(source[0] in account.secrets.servers for account in self._accounts.values()):
            return True
        names = self._endpoint.peer_names(flow)
        return bool(names) and any(
            is_identified(Uri.parse(account.uri).host, names) for account in self._accounts.values()
        )

    def _prove(self, request: Message, source: str, now: float) -> Refusal | str:
        given = request.headers("Authorization")
        verdict = self._digest.check(given, request.method, request.uri, self._users.get, now)
        if verdict.user and self.lockout.is_locked(source, verdict.user, now):
            return _FORBIDDEN
        match verdict.outcome:
            case DigestOutcome.ACCEPTED:
                self.lockout.note_success(source, verdict.user)
                return verdict.user
            case DigestOutcome.REFUSED:
                if verdict.user:
                    self.lockout.note_failure(source, verdict.user, now)
                return _FORBIDDEN
            case DigestOutcome.MISDIRECTED:
                return 400, "Bad Request", ()
            case _:
                is_stale = verdict.outcome is DigestOutcome.STALE
                values = self._digest.challenges(now, stale=is_stale)
                asked = tuple(("WWW-Authenticate", value) for value in values)
                return 401, "Unauthorized", asked


def _address_of(uri: str) -> str:
    """Return the address in a URI, the same in each way of writing it."""
    try:
        parsed = Uri.parse(uri)
    except ParseError:
        return uri  # a number: "tel:+15550100"
    return f"{parsed.user}@{parsed.host}"
