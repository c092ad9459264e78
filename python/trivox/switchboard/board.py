"""The embedded switchboard: what is needed so that nothing else must run."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

import trio

from trivox import _native
from trivox.actor.supervisor import Supervisor
from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_kind, checked_unicode
from trivox.net.door import DoorLimits
from trivox.net.endpoint import Endpoint
from trivox.net.limits import StreamLimits
from trivox.net.route import is_wildcard, sip_uri
from trivox.net.target import parse_endpoint
from trivox.net.tls import TlsConfig
from trivox.switchboard.gruu import Gruus
from trivox.switchboard.identity import Identity, Refusal, Request, refuse_bad_input
from trivox.switchboard.location import LocationTable
from trivox.switchboard.pages import PageFolder
from trivox.switchboard.privacy import PrivacyService
from trivox.switchboard.proxy import Proxy
from trivox.switchboard.registrar import Registrar
from trivox.switchboard.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from types import TracebackType

    from trivox._native import SipEvent
    from trivox.net.statistics import EndpointStatistics
    from trivox.net.tracing import TraceHook
    from trivox.net.transport import SocketFactory

_TIMER_C: Final = 185.0  # RFC 3261 §16.6 step 11: more than three minutes
_USER: Final = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/%]+")  # RFC 3261 §25.1, user
_ALLOWED: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, REFER, NOTIFY, SUBSCRIBE, UPDATE, PRACK, REGISTER"


@dataclass(frozen=True, slots=True)
class BoardAccount:
    """What a client needs to be one of the switchboard's users."""

    uri: str
    """Address of record, "sip:alice@127.0.0.1"."""
    password: str = field(repr=False)
    registrar: str
    """Where to register."""
    proxy: str
    """Where to send calls."""


@dataclass(frozen=True, slots=True)
class SwitchboardStatistics:
    """What the switchboard holds."""

    bindings: int
    """Registered contacts."""
    requests: int
    """Requests under way, INVITEs answered in the last half minute included."""
    locked_out: int
    """Credentials that were not looked at, because their source had guessed too often."""
    endpoint: EndpointStatistics
    refused_by_identity: int = 0
    """Calls that were one too many for the user who made them."""


@final
class Switchboard:
    """Registrar, location table, forking proxy and page server in one process.

    It is made for demos, tests and first steps: users register with digest authentication and call
    each other over UDP, TCP, TLS and WebSocket; a call forks to all contacts of a user; requests inside
    a call follow the connections its INVITE came and went by. Here it ends, and Kamailio or its
    like begins: state is in memory and lost with the process, there is no `sips`, no DNS routing to
    other domains, no trunk, no relay of media, no voicemail or groups, no third-party registration,
    no storage of users, no cluster. It stays in the path of every call, and so knows when one ends that
    `DoorLimits.identity_calls` counts; `DoorLimits.identity_call_time` is for those that end unseen.

    Made by `open_switchboard`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        identity: Identity,
        *,
        timer_c: float,
        guests: bool,
        door: DoorLimits,
        privacy: PrivacyService,
    ) -> None:
        self._door = door
        self._quota = door.quota()
        self._endpoint = endpoint
        self._identity = identity
        self._location = LocationTable()
        gruus = Gruus(identity, self._location)
        self._registrar = Registrar(endpoint, identity, self._location, gruus)
        targets = Targets(endpoint, identity, self._location, gruus)
        self._proxy = Proxy(
            endpoint,
            identity,
            targets,
            timer_c=timer_c,
            guests=guests,
            privacy=privacy,
            quota=self._quota,
            call_time=door.identity_call_time,
        )
        self._timer = trio.CancelScope()

    @property
    def listening_on(self) -> tuple[str, ...]:
        """The bound addresses as SIP URIs, port 0 resolved."""
        return self._endpoint.listening_on

    @property
    def domain(self) -> str:
        """The domain of the users' addresses, and the realm of their passwords."""
        return self._identity.domain

    def account(self, name: str, *, transport: str | None = None) -> BoardAccount:
        """Return what a client needs to be user `name`.

        Args:
            name: One of the users.
            transport: Reach the switchboard by this; by the first it listens on when None.

        Raises:
            InvalidArgumentsError: No such user, or no such transport.
        """
        password = self._identity.password(name)
        if password is None:
            raise InvalidArgumentsError(f"the switchboard has no user {name!r}")
        for uri in self.listening_on:
            kind, host, port = parse_endpoint(uri)
            if transport in (None, kind):
                if is_wildcard(host):
                    host = "::1" if ":" in host else "127.0.0.1"
                here = sip_uri((host, port), kind)
                domain = f"[{self.domain}]" if ":" in self.domain else self.domain
                return BoardAccount(f"sip:{name}@{domain}", password, here, f"{here};lr")
        raise InvalidArgumentsError(f"the switchboard does not listen on {transport!r}")

    def registered(self, name: str) -> tuple[str, ...]:
        """Return the contact URIs of a user, oldest first."""
        bindings = self._location.bindings(name, trio.current_time())
        return tuple(binding.contact for binding in bindings)

    def statistics(self) -> SwitchboardStatistics:
        """Return the counters as they are now."""
        return SwitchboardStatistics(
            bindings=len(self._location),
            requests=len(self._proxy),
            locked_out=self._identity.lockout.refused,
            endpoint=self._endpoint.statistics(),
            refused_by_identity=self._quota.refused,
        )

    # Called by the endpoint.

    def handle_sip(self, events: list[SipEvent], now: float) -> None:
        """Serve the events of one batch."""
        for event in events:
            self._handle(event, now)
        deadline = self._proxy.next_deadline()
        if deadline is not None and deadline < self._timer.deadline:
            self._timer.deadline = deadline

    def handle_flow_closed(self, flow: int, *, is_peers: bool) -> None:
        """Forget who was reached by a connection that is gone."""
        self._location.remove_flow(flow)

    def _handle(self, event: SipEvent, now: float) -> None:
        kind, _, tx, _, _, message, flow, source = event
        if kind == _native.EVENT_TIMEOUT:
            self._proxy.handle_failure(tx, now, is_unreachable=False)
        elif kind == _native.EVENT_TRANSPORT_ERROR:
            self._proxy.handle_failure(tx, now, is_unreachable=True)
        elif kind == _native.EVENT_PROXY_CANCELLED:
            self._proxy.handle_cancel(tx, message, now)
        elif message is None:
            return
        elif kind == _native.EVENT_REQUEST:
            self._serve(Request(message, tx, flow, source), now)
        elif kind == _native.EVENT_ACK:
            # An ACK has no answer: a bad one is dropped.
            refuse_bad_input(lambda: self._proxy.handle_ack(message, now))
        elif kind == _native.EVENT_RESPONSE:
            self._proxy.handle_response(tx, message, now)
        # A response that no transaction claims is dropped (RFC 6026 §7.2): anyone can make one.

    def _serve(self, request: Request, now: float) -> None:
        refusal = refuse_bad_input(lambda: self._judge(request, now))
        if refusal is None:
            return
        if self._door.silent and self._is_stranger(request, refusal):
            self._endpoint.core.drop_request(request.tx, now)
            return
        self._endpoint.respond(self._identity.answer(request, refusal), token=0)

    def _is_stranger(self, request: Request, refusal: Refusal) -> bool:
        """Whether nobody of ours asks; to register is how one becomes known, so it is challenged.

        So is what comes from the host of a phone that is registered: it may call by another transport,
        or another port. That says no more than any REGISTER is told, and a wrong password hears nothing.
        """
        if refusal.status == 407 and self._location.has_host(request.source[0]):
            return False
        is_known = self._identity.is_welcome(request) or self._location.has_place(
            request.flow, request.source
        )
        return not is_known and refusal.status != 401

    def _judge(self, request: Request, now: float) -> Refusal | None:
        """Register, answer, or forward; None when it was forwarded."""
        message = request.message
        flow = self._endpoint.flow(request.flow)
        if flow is not None:
            self._identity.add_address(self._endpoint.local_address(flow, request.source))
        uri = _native.Uri.parse(message.uri)
        if self._identity.is_own_uri(uri) and not uri.user:
            if message.method == "REGISTER":
                return self._registrar.register(request, now)
            if message.method == "OPTIONS":
                return Refusal(200, (("Allow", _ALLOWED),))
            if not message.values("Route"):
                return Refusal(405, (("Allow", "REGISTER, OPTIONS"),))
        return self._proxy.handle_request(request, now)

    @trio.lowlevel.enable_ki_protection
    async def keep_time(self) -> None:
        """Run the proxy's own timers until cancelled."""
        while True:
            with trio.CancelScope() as self._timer:
                deadline = self._proxy.next_deadline()
                if deadline is not None:
                    self._timer.deadline = deadline
                await trio.sleep_forever()
            self._proxy.handle_timeout(trio.current_time())


@final
class SwitchboardManager:
    """What `open_switchboard` returns: an async context manager."""

    def __init__(self, endpoint: Endpoint, board: Switchboard) -> None:
        self._endpoint = endpoint
        self._board = board
        self._supervisor = Supervisor()

    async def __aenter__(self) -> Switchboard:
        """Bind the addresses. Raises OSError when one is taken."""
        await self._supervisor.__aenter__()
        try:
            await self._supervisor.start(self._endpoint.run)
            self._supervisor.start_soon(self._board.keep_time)
        except BaseException as error:
            await self._supervisor.__aexit__(type(error), error, error.__traceback__)
            raise
        return self._board

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Close all connections and sockets."""
        return await self._supervisor.__aexit__(kind, error, traceback)


class _Relay:
    """Stands between endpoint and switchboard, each of which needs the other to be made."""

    board: Switchboard

    def handle_sip(self, events: list[SipEvent], now: float) -> None:
        self.board.handle_sip(events, now)

    def handle_flow_closed(self, flow: int, *, is_peers: bool) -> None:
        self.board.handle_flow_closed(flow, is_peers=is_peers)


def open_switchboard(
    *,
    listen: Sequence[str] = ("sip:127.0.0.1:5060;transport=udp",),
    users: Mapping[str, str] | None = None,
    pages: str | Path | None = None,
    domain: str | None = None,
    origins: Collection[str] | None = None,
    tls: TlsConfig | None = None,
    limits: StreamLimits | None = None,
    door: DoorLimits | None = None,
    advertised: str | None = None,
    guests: bool = False,
    trusted: Sequence[str] = (),
    timer_c: float = _TIMER_C,
    trace: TraceHook | None = None,
    sockets: SocketFactory | None = None,
    seed: bytes | None = None,
) -> SwitchboardManager:
    """Run a switchboard for the length of an `async with`.

    Args:
        listen: SIP URIs to bind, `sip:host:port;transport=udp|tcp|tls|ws|wss`; port 0 is any.
        users: Passwords by user name.
        pages: A folder whose files are given out at the `ws` ports.
        domain: The domain of the users' addresses and the realm of their passwords; by default the
            host of the first address, or localhost where that is a wildcard.
        origins: Origins of pages that may open a WebSocket; None allows all.
        tls: Our certificates and whom we trust; needed to listen by tls and wss.
        limits: How long connections may be slow or silent, and how many there may be.
        door: How many new requests are let in.
        advertised: Host, or host:port, that peers are told in place of our own.
        guests: Let callers of other domains reach the users without a password.
        trusted: Networks, "10.1.0.0/16", of phones that are told which user has proved to call
            (P-Asserted-Identity, RFC 3325), and keep that to themselves where it is asked for.
        timer_c: Seconds an INVITE may ring before it is cancelled (RFC 3261 §16.6).
        trace: Sees every message in and out.
        sockets: Where sockets come from; the system by default.
        seed: Random bytes for tags, nonces and tokens; drawn when None.

    Raises:
        InvalidArgumentsError: There is nothing to listen on, a user, password or network is of no
            use, or `pages` is no folder.
        InvalidUriError, NotSupportedError: An address is none we can listen on.
    """
    if not isinstance(listen, Sequence) or not listen or isinstance(listen, str | bytes):
        raise InvalidArgumentsError("a switchboard needs a list of addresses to listen on")
    _check_users({} if users is None else users)
    _check_kinds(tls, limits, door, domain, advertised)
    _, host, _ = parse_endpoint(listen[0])
    seed = secrets.token_bytes(32) if seed is None else seed
    relay = _Relay()
    endpoint = Endpoint(
        relay,
        listen=listen,
        seed=seed,
        advertised=advertised,
        trace=trace,
        sockets=sockets,
        pages=None if pages is None else PageFolder(pages),
        origins=origins,
        tls=tls,
        limits=limits,
        door=door,
    )
    identity = Identity(domain or ("localhost" if is_wildcard(host) else host), users or {}, seed)
    door = door or DoorLimits()
    privacy = PrivacyService(identity.domain, trusted)
    relay.board = Switchboard(
        endpoint, identity, timer_c=timer_c, guests=guests, door=door, privacy=privacy
    )
    return SwitchboardManager(endpoint, relay.board)


def _check_kinds(*given: object) -> None:
    kinds = {"tls": TlsConfig, "limits": StreamLimits, "door": DoorLimits}
    for (name, kind), value in zip(
        {**kinds, "domain": str, "advertised": str}.items(), given, strict=True
    ):
        if value is not None:
            checked_kind(value, kind, name)
        if isinstance(value, str):
            checked_unicode(value, name)


def _check_users(users: object) -> None:
    if not isinstance(users, Mapping):
        raise InvalidArgumentsError("users is a mapping of user names to passwords")
    for user, password in users.items():
        if not isinstance(user, str) or not _USER.fullmatch(user):
            raise InvalidArgumentsError(
                f"{user!r} cannot be the user of an address: use letters, digits and -_.!~*'()&=+"
            )
        if not isinstance(password, str):
            raise InvalidArgumentsError(f"the password of {user} is no str")
