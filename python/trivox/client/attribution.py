"""Which account a call that comes in is for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, final

import trio

from trivox._native import Uri
from trivox.actor.correlation import log_fields
from trivox.call.messages import party_untrusted
from trivox.errors import ParseError, TrivoxError
from trivox.net.tls_identity import is_identified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox._native import Message
    from trivox.actor.listeners import StartSoon
    from trivox.client.account import Account
    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address

    Name = tuple[str, str, str, int | None]

_LOGGER: Final = logging.getLogger("trivox.account")
_REFRESH: Final = 300.0
"""Seconds after which the host name of a trunk is looked up again."""


@final
class Attribution:
    """Finds the account whose contact, address of record or trunk a new call came by.

    A trunk (an account with `registrar=""`) is known by its domain in the certificate it showed, or
    else by the addresses of its proxy, or else of its domain; a name is looked up when the client
    opens, and every five minutes.

    Args:
        accounts: The client's, by address of record; read each time.
        endpoint: Resolves the hosts of trunks.
    """

    def __init__(self, accounts: Mapping[str, Account], endpoint: Endpoint) -> None:
        self._accounts = accounts
        self._endpoint = endpoint
        self._trunks: dict[str, tuple[Address, ...]] = {}
        self._start_soon: StartSoon | None = None

    def open(self, start_soon: StartSoon) -> None:
        """Begin to look up the names of trunks."""
        self._start_soon = start_soon
        for account in self._accounts.values():
            self.add(account)

    def add(self, account: Account) -> None:
        """Learn the addresses of an account, if it is a trunk."""
        self._trunks.pop(account.uri, None)
        if account.registrar:
            return
        try:
            target = self._endpoint.resolve_now(account.trunk)
        except TrivoxError as error:
            self._warn(account, error)
            return
        if target is not None:
            self._learn(account, target.addresses)
        elif self._start_soon is not None:
            self._start_soon(self._follow, account, name=f"trunk {account.uri}")

    def account_of(self, request: Message, source: Address, flow: int = 0) -> Account | None:
        """Return the account a call is for: by its contact, else by AOR, else by its trunk."""
        accounts = self._accounts.values()
        if not accounts:
            return None
        wanted = _name(request.uri)
        for account in accounts:
            if any(_name(contact.strip("<>")) == wanted for contact in account.contacts):
                return account
        called = _name(party_untrusted(request.dialog()[4])[1] or "")
        for account in accounts:
            if _name(account.uri) in (wanted, called):
                return account
        return self._trunk_named(self._endpoint.peer_names(flow)) or self._trunk_at(source)

    def _trunk_named(self, names: tuple[str, ...]) -> Account | None:
        """Return the trunk whose domain the certificate of a connection proves."""
        for account in self._accounts.values():
            if (
                names
                and not account.registrar
                and is_identified(Uri.parse(account.uri).host, names)
            ):
                return account
        return None

    def _trunk_at(self, source: Address) -> Account | None:
        """Return the trunk of that address; of several on one host that with its port."""
        found = None
        for uri, addresses in self._trunks.items():
            if source in addresses:
                return self._accounts[uri]
            if found is None and any(host == source[0] for host, _ in addresses):
                found = self._accounts[uri]
        return found

    def _learn(self, account: Account, addresses: tuple[Address, ...]) -> None:
        self._trunks[account.uri] = addresses
        account.secrets.trust(account.trunk, addresses, is_given=True)

    def _warn(self, account: Account, error: TrivoxError) -> None:
        text = "calls from the trunk %s cannot be told: %s"
        _LOGGER.warning(text, account.uri, error, extra=log_fields())

    async def _follow(self, account: Account) -> None:
        while self._accounts.get(account.uri) is account:
            try:
                target = await self._endpoint.resolve(account.trunk)
            except TrivoxError as error:
                self._warn(account, error)
            else:
                if self._accounts.get(account.uri) is account:
                    self._learn(account, target.addresses)
            await trio.sleep(_REFRESH)


def _name(uri: str) -> Name | None:
    """Return what names the called in a URI, without its parameters; None for no URI."""
    try:
        parsed = Uri.parse(uri)
    except ParseError:
        return None
    port = None if parsed.port == 5060 else parsed.port
    return parsed.scheme, parsed.user, parsed.host, port
