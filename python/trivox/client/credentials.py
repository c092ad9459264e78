"""What an account proves itself with, and to whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

import trio

from trivox._native import Uri
from trivox.call.header_rules import checked_text
from trivox.errors import AuthenticationError, InvalidArgumentsError, ParseError
from trivox.sip.digest import DigestClient, DigestSecret
from trivox.sip.digest_values import DigestAlgorithm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.client.config import AccountConfig

ANY_HOST: Final = "*"
_MOST_SERVERS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a credentials callback returns for one realm.

    Attributes:
        user: User name for digest; None: the account's.
        password: Secret for digest; never shown in `repr`.
        ha1: H(user:realm:password) in its place, by algorithm; never shown in `repr`.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ha1: Mapping[str, str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        checked_text(self.user or "", "user")
        if (self.password is None) == (self.ha1 is None):
            raise InvalidArgumentsError("give the password or ha1, one of them")
        checked_hashes(self.ha1)


AskCredentials = Callable[[str], Awaitable[Credentials | None]]


def checked_hashes(ha1: Mapping[str, str] | None) -> dict[DigestAlgorithm, str]:
    """Return hashes by algorithm. Raises InvalidArgumentsError."""
    try:
        return {DigestAlgorithm(name): value for name, value in (ha1 or {}).items()}
    except (AttributeError, ValueError):
        names = ", ".join(DigestAlgorithm)
        raise InvalidArgumentsError(f"ha1 maps {names} to hashes in hexadecimal") from None


@final
class AccountSecrets:
    """Keeps an account's `DigestClient` supplied, and to its own servers.

    A challenge is answered for the account's realms, and only to its domain, its registrar and its
    proxy, by name or by an address they resolved to, and to `digest_hosts`.
    """

    def __init__(self, config: AccountConfig) -> None:
        self._config = config
        self._user, domain = _user_and_host(config.uri)
        self.domain: Final = domain
        """Host of the address of record."""
        self._user = config.auth_user or self._user
        self._hosts = {domain}
        for uri in (config.registrar, config.proxy):
            if uri:
                self._hosts.add(_user_and_host(uri)[1])
        self._is_open = ANY_HOST in config.digest_hosts
        self._asked: set[str] = set()
        self._trusted: tuple[str, tuple[tuple[str, int], ...]] | None = None
        self.servers: set[str] = set()
        """Addresses of the account's own servers, as far as they were resolved."""
        self.learned: Callable[[Iterable[str]], None] = lambda _: None
        """Told of the addresses of further servers."""
        self.digest: Final = self._make(domain)

    def _make(self, domain: str) -> DigestClient | None:
        config = self._config
        if config.password is None and config.ha1 is None and config.credentials is None:
            return None
        realms = config.realms or (domain,)
        hashes = checked_hashes(config.ha1)
        digest = DigestClient(
            self._user,
            config.password,
            realms=realms,
            ha1=hashes,
            algorithms=tuple(map(DigestAlgorithm, config.digest_algorithms)),
        )
        if not self._is_open:
            digest.answer_only([*self._hosts, *config.digest_hosts])
        return digest

    async def prepare(self) -> None:
        """Ask the callback for what it was not asked yet, or what a server has refused since.

        Raises:
            AuthenticationError: The callback failed; the cause is chained.
        """
        digest, ask = self.digest, self._config.credentials
        if digest is None or ask is None:
            return
        for realm in sorted((digest.realms - self._asked) | (digest.doubted & digest.realms)):
            try:
                found = await ask(realm)
            except Exception as error:
                raise AuthenticationError(
                    f"the credentials of {self._config.uri} for {realm!r} cannot be had"
                ) from error
            self._asked.add(realm)
            if found is not None and not isinstance(found, Credentials):
                raise AuthenticationError(f"credentials({realm!r}) returned no Credentials")
            digest.learn(realm, self._secret(found))
        await trio.lowlevel.checkpoint()

    def doubt(self) -> None:
        """Note that a server refused us: the callback is asked again before the next request."""
        if self.digest is not None:
            for realm in self.digest.realms:
                self.digest.doubt(realm)

    def trust(self, uri: str, addresses: tuple[tuple[str, int], ...], *, is_given: bool) -> None:
        """Learn the addresses of one of our own servers.

        Args:
            uri: What was resolved.
            addresses: What it resolved to.
            is_given: Whether the program named it as a proxy, whatever its host.
        """
        if self._trusted == (uri, addresses):
            return
        host = _user_and_host(uri)[1]
        if is_given or host in self._hosts:
            self._trusted = uri, addresses
            found = [address for address, _ in addresses]
            if len(self.servers) < _MOST_SERVERS:
                self.servers.update(found)
                self.learned(found)
            if self.digest is not None and not self._is_open:
                self.digest.answer_only([host, *found])

    def _secret(self, found: Credentials | None) -> DigestSecret | None:
        if found is None:
            return None
        return DigestSecret(found.user or self._user, found.password, checked_hashes(found.ha1))


def _user_and_host(uri: str) -> tuple[str, str]:
    try:
        parsed = Uri.parse(uri)
    except ParseError:
        return "", ""
    return parsed.user, parsed.host
