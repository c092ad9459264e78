"""What a client is told once: its addresses, accounts, limits and timers."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from trivox.actor.isolation import ListenerErrorPolicy
from trivox.call.argument_rules import (
    checked_choice,
    checked_host,
    checked_names,
    checked_networks,
    checked_uri,
)
from trivox.call.header_rules import checked_text
from trivox.call.ice_servers import MOST_RELAYS, IceServer
from trivox.call.settings import CallSettings
from trivox.client.credentials import checked_hashes
from trivox.errors import InvalidArgumentsError, InvalidUriError
from trivox.errors.checks import checked_iterable, checked_kind, checked_number
from trivox.net.door import DoorLimits
from trivox.net.limits import StreamLimits
from trivox.net.tls import TlsConfig
from trivox.sip.digest_values import DigestAlgorithm

if TYPE_CHECKING:
    from trivox.client.credentials import AskCredentials

_LAST_PORT: Final = 65_535
_URN: Final = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9\-]{0,31}:[A-Za-z0-9()+,\-.:=@;$_!*']+")


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """Describe one identity of a client.

    Attributes:
        uri: Address of record, "sip:alice@example.org".
        auth_user: User name for digest; None: the user of `uri`.
        password: Secret for digest; never shown in `repr`.
        ha1: H(user:realm:password) in its place, by algorithm ("MD5", "SHA-256"), for one realm;
            never shown in `repr`.
        credentials: Asked in place of both when a realm's are needed: an async function of the
            realm that returns `Credentials`, or None for a realm that has none. Asked once a realm,
            and again after they were refused.
        display_name: Shown to called parties.
        registrar: URI of the registrar; a client that serves registers there by itself. None: only
            `register()` does, at the domain of `uri`; "": a trunk, which has no registrar: calls
            from the addresses of its `proxy`, or else of the domain of `uri`, belong to it.
        proxy: URI of an outbound proxy, put on top of the route set; None: none.
        flow_proxies: URIs of further outbound proxies, each of which is registered by too, so that
            calls still come when one fails (RFC 5626).
        outbound: Ask the registrar to reach us by the very connection we registered by (RFC 5626);
            on by itself where there are `flow_proxies`.
        instance_id: URN of this device, "urn:uuid:…", the same after each start (RFC 5626 §4.1);
            None: a random one.
        gruu: Use the URI the registrar gives to this device as Contact of calls (RFC 5627). Not every
            proxy that gives one can also route requests of a dialog to it.
        keep_alive: Longest seconds between the keep-alives of a registration's flow; None: as RFC
            5626 says where the registrar agrees to outbound, else none.
        realms: Realms the password may be used for; empty: the domain of `uri`.
        digest_algorithms: Hashes we prove the password with: "SHA-512-256", "SHA-256", "MD5"; the
            strongest that is asked for is used.
        digest_hosts: Hosts whose challenges are answered, beside the domain, the registrar and the
            proxy; "*" is any.
        trusted: Whether its servers are in our trust domain (RFC 3325): P-Asserted-Identity,
            Privacy and P-Early-Media are read from them and sent to them, and only then.
        expires: Seconds a registration is asked to last.
        settings: Default settings of this account's calls.
    """

    uri: str
    _: dataclasses.KW_ONLY
    auth_user: str | None = None
    password: str | None = field(default=None, repr=False)
    ha1: Mapping[str, str] | None = field(default=None, repr=False)
    credentials: AskCredentials | None = field(default=None, repr=False)
    display_name: str = ""
    registrar: str | None = None
    proxy: str | None = None
    flow_proxies: tuple[str, ...] = ()
    outbound: bool = False
    instance_id: str | None = None
    gruu: bool = False
    keep_alive: float | None = None
    realms: tuple[str, ...] = ()
    digest_algorithms: tuple[str, ...] = tuple(DigestAlgorithm)
    digest_hosts: tuple[str, ...] = ()
    trusted: bool = False
    expires: int = 3600
    settings: CallSettings = field(default_factory=CallSettings)

    def __post_init__(self) -> None:
        checked_uri(self.uri, "uri")
        checked_text(self.display_name, "display_name")
        checked_text(self.auth_user or "", "auth_user")
        object.__setattr__(self, "realms", checked_names(self.realms, "realms"))
        for name in ("registrar", "proxy"):
            if getattr(self, name):
                checked_uri(getattr(self, name), name)
        self._check_outbound()
        hosts = checked_names(self.digest_hosts, "digest_hosts")
        object.__setattr__(self, "digest_hosts", tuple(host.lower() for host in hosts))
        secrets = (self.password, self.ha1, self.credentials)
        if sum(secret is not None for secret in secrets) > 1:
            raise InvalidArgumentsError("give the password, ha1 or credentials: one, not both")
        if self.credentials is not None and not callable(self.credentials):
            raise InvalidArgumentsError("credentials is an async function of a realm")
        checked_hashes(self.ha1)
        names = checked_names(self.digest_algorithms, "digest_algorithms")
        unknown = set(names) - set(DigestAlgorithm)
        if unknown or not names:
            raise InvalidArgumentsError(
                f"digest_algorithms is {names!r}; there are {', '.join(DigestAlgorithm)}"
            )
        object.__setattr__(self, "digest_algorithms", names)
        checked_number(self.expires, "expires", least=1, unit=" second")
        checked_kind(self.settings, CallSettings, "settings")

    def _check_outbound(self) -> None:
        proxies = checked_names(self.flow_proxies, "flow_proxies")
        object.__setattr__(self, "flow_proxies", proxies)
        for proxy in proxies:
            checked_uri(proxy, "flow_proxies")
        if self.instance_id is not None and not _URN.fullmatch(
            checked_text(self.instance_id, "instance_id")
        ):
            raise InvalidArgumentsError(f"instance_id is {self.instance_id!r}; write urn:uuid:…")
        if self.keep_alive is not None:
            checked_number(self.keep_alive, "keep_alive", least=1, unit=" second, or None")

    @property
    def uses_outbound(self) -> bool:
        """Whether registrations are bound to their flows."""
        return self.outbound or self.gruu or bool(self.flow_proxies)


class AccountGrant(Protocol):
    """What a registrar hands to a user of its own, such as `Switchboard.account()` does."""

    @property
    def uri(self) -> str:
        """Address of record."""
        ...

    @property
    def password(self) -> str:
        """Secret for digest."""
        ...

    @property
    def registrar(self) -> str:
        """URI to register at."""
        ...

    @property
    def proxy(self) -> str:
        """URI that calls go through."""
        ...


def described(account: AccountConfig | AccountGrant) -> AccountConfig:
    """Return what describes an account. Raises InvalidArgumentsError for what does not."""
    if isinstance(account, AccountConfig):
        return account
    try:
        uri, password = account.uri, account.password
        registrar, proxy = account.registrar, account.proxy
    except AttributeError:
        raise InvalidArgumentsError(
            f"{type(account).__name__} is no account: give an AccountConfig"
        ) from None
    return AccountConfig(uri, password=password, registrar=registrar, proxy=proxy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """Describe a client.

    Attributes:
        listen: SIP URIs to bind, "sip:0.0.0.0:5060;transport=udp"; udp, tcp, tls, ws or wss, and
            "sips:0.0.0.0"; port 0 is any.
        accounts: Identities that exist from the beginning: AccountConfig, or what
            `Switchboard.account()` returns.
        tls: Our certificates and whom we trust; None: none of ours, and the system's roots.
        limits: How long connections may be slow or silent, and how many there may be.
        origins: Origins of pages that may open a WebSocket; None: all.
        ice_servers: STUN servers and relays that media by ICE may use; a call asks them before it
            describes itself, for 5 seconds at most.
        advertised: Host told to others in place of the local address; None: the route's address.
        outbound_proxy: URI every request goes to first; None: none.
        user_agent: Value of User-Agent and Server.
        max_calls: Live calls beyond which new ones get 503; None: no limit.
        max_calls_per_second: New calls let in each second, more get 503; None: no limit.
        door: Limits on new requests from outside, and how much of them is kept.
        retry_after: Seconds named in that 503.
        untaken_timeout: Seconds after which an incoming call that nobody took gets 480.
        t1: Round-trip estimate of the SIP timers, seconds (RFC 3261 table 4).
        t2: Longest interval between retransmissions, seconds.
        t4: Longest life of a message in the network, seconds.
        shutdown_grace: Seconds leaving the client may take for all its calls together.
        hangup_timeout: Seconds leaving a call waits for its end.
        engine_threads: Threads of the media engine.
        rtp_ports: First and last port of plain RTP; (0, 0): the system chooses.
        admit: Whose requests outside of calls are taken: "anyone", or "known": the servers of the
            accounts, by address or by TLS certificate, and who proves to be one of `users`. OPTIONS
            is answered to anybody.
        users: Passwords by user name of those who may call from elsewhere; with them `admit` is
            "known". Never shown in `repr`.
        realm: What those users are asked for (RFC 7616 §3.3).
        filter_targets: Do not follow the network into loopback, private and link-local nets, unless
            our end of the flow that carried the address is in such a net itself.
        allowed_networks: Networks that are followed into all the same, "10.1.0.0/16".
        event_packages: Events that others may subscribe to here ("message-summary", …): each
            SUBSCRIBE is a SubscriptionRequested; any other event is refused with 489.
        max_subscriptions: Subscriptions, the program's own and those of others, of each kind.
        max_subscriptions_per_source: Subscriptions of others from one address; more get 503.
        call_settings: Settings of calls that bring none and have no account.
        keep_trace: Keep each call's last 256 SIP messages in `Call.trace`.
        listener_errors: What an exception of a listener does: log, fail_call or raise.
    """

    listen: tuple[str, ...] = ("sip:0.0.0.0:0;transport=udp",)
    accounts: tuple[AccountConfig, ...] = ()
    tls: TlsConfig | None = None
    limits: StreamLimits = field(default_factory=StreamLimits)
    origins: tuple[str, ...] | None = None
    ice_servers: tuple[IceServer, ...] = ()
    advertised: str | None = None
    outbound_proxy: str | None = None
    user_agent: str = "trivox"
    max_calls: int | None = None
    max_calls_per_second: float | None = None
    door: DoorLimits = field(default_factory=DoorLimits)
    retry_after: int = 5
    untaken_timeout: float = 30.0
    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    shutdown_grace: float = 5.0
    hangup_timeout: float = 5.0
    engine_threads: int = 1
    rtp_ports: tuple[int, int] = (0, 0)
    admit: Literal["anyone", "known"] = "anyone"
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    realm: str = "trivox"
    filter_targets: bool = True
    allowed_networks: tuple[str, ...] = ()
    event_packages: tuple[str, ...] = ()
    max_subscriptions: int = 1024
    max_subscriptions_per_source: int = 64
    call_settings: CallSettings = field(default_factory=CallSettings)
    keep_trace: bool = False
    listener_errors: ListenerErrorPolicy = ListenerErrorPolicy.LOG

    def __post_init__(self) -> None:
        object.__setattr__(self, "listen", checked_names(self.listen, "listen"))
        object.__setattr__(
            self, "accounts", tuple(map(described, checked_iterable(self.accounts, "accounts")))
        )
        policy = checked_choice(self.listener_errors, ListenerErrorPolicy, "listener_errors")
        object.__setattr__(self, "listener_errors", policy)
        packages = checked_names(self.event_packages, "event_packages")
        object.__setattr__(self, "event_packages", packages)
        checked_text(self.user_agent, "user_agent")
        object.__setattr__(self, "ice_servers", _checked_servers(self.ice_servers))
        if self.advertised:
            checked_host(self.advertised, "advertised")
        checked_kind(self.call_settings, CallSettings, "call_settings")
        checked_kind(self.door, DoorLimits, "door")
        if self.outbound_proxy:
            checked_uri(self.outbound_proxy, "outbound_proxy")
        if not self.listen:
            raise InvalidArgumentsError("listen names no address")
        if self.tls is not None:
            checked_kind(self.tls, TlsConfig, "tls")
        checked_kind(self.limits, StreamLimits, "limits")
        if self.origins is not None:
            object.__setattr__(self, "origins", checked_names(self.origins, "origins"))
        for uri in self.listen:
            if not uri.startswith(("sip:", "sips:")):
                raise InvalidUriError(
                    f"{uri!r} is no address to listen on: write 'sip:0.0.0.0:5060;transport=udp'"
                )
        self._check_admission()
        networks = checked_networks(self.allowed_networks, "allowed_networks")
        object.__setattr__(self, "allowed_networks", networks)
        self._check_numbers()

    def _check_admission(self) -> None:
        if self.admit not in ("anyone", "known"):
            raise InvalidArgumentsError(f'admit is {self.admit!r}; it is "anyone" or "known"')
        if not isinstance(self.users, Mapping) or not all(
            isinstance(text, str) for pair in self.users.items() for text in pair
        ):
            raise InvalidArgumentsError("users is a mapping of user names to passwords")
        checked_text(self.realm, "realm")

    def _check_numbers(self) -> None:
        for name in ("t1", "t2", "t4", "untaken_timeout"):
            checked_number(getattr(self, name), name, unit=" seconds")
        for name in ("shutdown_grace", "hangup_timeout"):
            if getattr(self, name) != 0:
                checked_number(getattr(self, name), name, unit=" seconds, or 0 for no wait")
        for name in ("max_subscriptions", "max_subscriptions_per_source"):
            checked_number(getattr(self, name), name, least=1)
        checked_number(self.engine_threads, "engine_threads", least=1)
        if self.max_calls is not None and self.max_calls != 0:
            checked_number(
                self.max_calls, "max_calls", unit=", or 0 for none, or None for no limit"
            )
        if self.max_calls_per_second is not None:
            checked_number(
                self.max_calls_per_second, "max_calls_per_second", unit=", or None for no limit"
            )
        checked_number(self.retry_after, "retry_after", least=1, unit=" second")
        if not _is_range(self.rtp_ports):
            raise InvalidArgumentsError(
                f"rtp_ports is {self.rtp_ports!r}; it must be a first and a higher last port"
            )

    @classmethod
    def load(cls, path: str | Path) -> ClientConfig:
        """Read a TOML file: keys as the fields here, accounts as `[[accounts]]`.

        Raises:
            InvalidArgumentsError: A key is unknown or a value is of no use.
        """
        with Path(path).open("rb") as file:
            return cls.from_mapping(tomllib.load(file))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> ClientConfig:
        """Build a configuration from plain data, as TOML gives it."""
        fields = dict(values)
        if "ice_servers" in fields:
            fields["ice_servers"] = tuple(build(IceServer, own) for own in fields["ice_servers"])
        if "accounts" in fields:
            fields["accounts"] = tuple(_account(entry) for entry in fields["accounts"])
        for name, kind in _NESTED.items():
            if name in fields:
                fields[name] = build(kind, fields[name])
        if "rtp_ports" in fields:
            first, last = fields["rtp_ports"]
            fields["rtp_ports"] = (first, last)
        built: ClientConfig = build(cls, fields)
        return built


def _is_range(ports: object) -> bool:
    if not isinstance(ports, tuple | list) or [type(port) for port in ports] != [int, int]:
        return False
    first, last = ports
    return (first, last) == (0, 0) or 0 < first < last <= _LAST_PORT


def _checked_servers(servers: object) -> tuple[IceServer, ...]:
    if not isinstance(servers, list | tuple):
        raise InvalidArgumentsError("ice_servers is a sequence of IceServer")
    found = tuple(checked_kind(one, IceServer, "each of ice_servers") for one in servers)
    if sum(one.is_relay for one in found) > MOST_RELAYS:
        raise InvalidArgumentsError(f"ice_servers names more than {MOST_RELAYS} relays")
    return found


_NESTED: Final = {
    "call_settings": CallSettings,
    "tls": TlsConfig,
    "limits": StreamLimits,
    "door": DoorLimits,
}


def _account(values: Mapping[str, Any]) -> AccountConfig:
    fields = dict(values)
    if "settings" in fields:
        fields["settings"] = build(CallSettings, fields["settings"])
    account: AccountConfig = build(AccountConfig, fields)
    return account


def build(kind: type[Any], values: Mapping[str, Any]) -> Any:  # noqa: ANN401 (plain data in, one of three classes out)
    """Make one of the classes here of its fields. Raises InvalidArgumentsError."""
    names = {entry.name for entry in dataclasses.fields(kind)}
    for name in values:
        if name not in names:
            raise InvalidArgumentsError(
                f"{kind.__name__} has no field {name!r}: it has {', '.join(sorted(names))}"
            )
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**arguments)
    except TypeError as error:
        raise InvalidArgumentsError(f"{kind.__name__}: {error}") from error
