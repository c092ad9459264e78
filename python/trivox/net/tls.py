"""TLS below SIP: certificates, their change while running, and the handshake (RFC 3261 §26.3.1)."""

from __future__ import annotations

import dataclasses
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import trio

from trivox.errors import InvalidArgumentsError
from trivox.net.tls_identity import identities_of, is_identified

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.net.transport import Address, Connector, StreamConnection

_LOGGER: Final = logging.getLogger("trivox.net")
_CHUNK_BYTES: Final = 65_536
_VERIFY: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsIdentity:
    """Say who we are to those that call one of our names.

    Attributes:
        certificate: PEM file with the certificate of that name and what leads to its root.
        key: PEM file of its key; None: it is in `certificate`.
        key_password: Password of the key file; never shown in `repr`.
    """

    certificate: str | Path
    key: str | Path | None = None
    key_password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_paths(self, "certificate", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """Say who we are by TLS and whom we trust.

    Attributes:
        certificate: PEM file with our certificate and what leads to its root; needed to listen, and
            shown to servers that ask for one.
        key: PEM file of its key; None: it is in `certificate`.
        key_password: Password of the key file; never shown in `repr`.
        ca: PEM file of the roots we trust; None: the system's.
        crl: PEM file of revocation lists of those roots, then needed from each; None: none is asked.
        verify_client: Whether who connects to us shows a certificate: "none" asks for none,
            "optional" refuses a bad one, "required" refuses none as well.
        identities: What is shown instead of `certificate` to who calls one of these names, by the
            name (RFC 6066 §3); whoever says another name or none is shown `certificate`.
    """

    certificate: str | Path | None = None
    key: str | Path | None = None
    key_password: str | None = field(default=None, repr=False)
    ca: str | Path | None = None
    crl: str | Path | None = None
    verify_client: str = "none"
    identities: Mapping[str, TlsIdentity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.verify_client, str) or self.verify_client not in _VERIFY:
            raise InvalidArgumentsError(
                f"verify_client is {self.verify_client!r}; it must be none, optional or required"
            )
        _check_paths(self, "certificate", "key", "ca", "crl")
        if not isinstance(self.identities, Mapping) or not all(
            isinstance(name, str) and isinstance(one, TlsIdentity)
            for name, one in self.identities.items()
        ):
            raise InvalidArgumentsError("identities maps each name to a TlsIdentity")
        if self.identities and self.certificate is None:
            raise InvalidArgumentsError("identities need a certificate for who says no name")
        if self.key is not None and self.certificate is None:
            raise InvalidArgumentsError("a key is of no use without its certificate")


@final
class TlsContexts:
    """The contexts that new connections are made with; `reload` replaces both at once.

    Raises:
        InvalidArgumentsError: A file cannot be read, or is none of what it should be.
    """

    def __init__(self, config: TlsConfig | None) -> None:
        self._config = config or TlsConfig()
        self._client: ssl.SSLContext | None = None
        self._server: ssl.SSLContext | None = None
        if config is not None:
            self.reload()

    @property
    def can_listen(self) -> bool:
        """Whether there is a certificate to show to who connects."""
        return self._config.certificate is not None

    @property
    def client(self) -> ssl.SSLContext:
        """What connections of ours are made with."""
        if self._client is None:
            self._client = _client_context(self._config)
        return self._client

    def authorities(self) -> list[bytes]:
        """Return whom connections of ours believe, in DER."""
        return self.client.get_ca_certs(binary_form=True)

    @property
    def server(self) -> ssl.SSLContext:
        """What connections to us are taken with."""
        assert self._server is not None, "only who has a certificate listens"
        return self._server

    def reload(self) -> None:
        """Read the files anew; connections that are open keep what they began with."""
        try:
            client = _client_context(self._config)
            server = _server_context(self._config) if self.can_listen else None
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise InvalidArgumentsError(
                f"the files of {self._config!r} are of no use: {error}"
            ) from error
        self._client, self._server = client, server


@final
class TlsConnector:
    """A connection that is secured as soon as it is made, or was accepted.

    Args:
        inner: The connection to be made.
        context: What it is secured with.
        name: The domain the far end must prove to be; None when the far end opened it.
        verified: Told what the far end's certificate says it is.
    """

    def __init__(
        self,
        inner: Connector,
        context: ssl.SSLContext,
        *,
        name: str | None,
        verified: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._inner = inner
        self._context = context
        self._name = name
        self._verified = verified

    @property
    def local(self) -> Address:
        """This end."""
        return self._inner.local

    async def connect(self) -> StreamConnection:
        """Connect and shake hands. Raises OSError, trio.BrokenResourceError."""
        connection = await self._inner.connect()
        try:
            return await self._secured(connection)
        except trio.BrokenResourceError as error:
            connection.close()
            self._tell(connection, error.__cause__ or error)
            raise
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close at once."""
        self._inner.close()

    async def _secured(self, connection: StreamConnection) -> TlsConnection:
        stream = trio.SSLStream(
            RawStream(connection),
            self._context,
            server_hostname=self._name,
            server_side=self._name is None,
            # A far end that just closes cannot cut a message short: its length is in its head.
            https_compatible=True,
        )
        await stream.do_handshake()
        certificate: dict[str, Any] = stream.getpeercert() or {}
        identities = identities_of(certificate)
        if self._name is not None and not is_identified(self._name, identities):
            said = ", ".join(identities) or "nobody"
            raise trio.BrokenResourceError(f"the certificate is of {said}, not of {self._name}")
        self._verified(identities)
        return TlsConnection(stream, connection)

    def _tell(self, connection: StreamConnection, reason: object) -> None:
        # Who connects to us may fail as often as they like: that is counted and not logged.
        if self._name is not None:
            text = "TLS with %s at %s failed: %s"
            _LOGGER.warning(text, self._name, connection.remote[0], reason)


@final
class TlsConnection:
    """A secured connection: `StreamConnection` over another."""

    def __init__(self, stream: trio.SSLStream[RawStream], inner: StreamConnection) -> None:
        self._stream = stream
        self._inner = inner
        self.local = inner.local
        self.remote = inner.remote

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what has come, b"" at the end."""
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes) -> None:
        """Send all of it."""
        await self._stream.send_all(data)

    def close(self) -> None:
        """Close at once, without a word."""
        self._inner.close()


@final
class RawStream(trio.abc.Stream):
    """A `StreamConnection` with the interface of Trio's streams."""

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection
        self._is_closed = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has come."""
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        return await self._connection.receive_some(max_bytes or _CHUNK_BYTES)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it."""
        await self._connection.send_all(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: a send waits by itself."""
        if self._is_closed:
            raise trio.ClosedResourceError
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close at once."""
        self._is_closed = True
        self._connection.close()
        await trio.lowlevel.checkpoint()


def _client_context(config: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The name is compared as RFC 5922 wants it, which is not what browsers do.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, config)
    if config.certificate is not None:
        _show(context, config)
    return context


def _server_context(config: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = _VERIFY[config.verify_client]
    if config.verify_client != "none":
        _trust(context, config)
    _show(context, config)
    if config.identities:
        _tell_names_apart(context, config)
    return context


def _tell_names_apart(context: ssl.SSLContext, config: TlsConfig) -> None:
    """Let who connects choose an identity by the name it calls (RFC 6066 §3)."""
    named = {}
    for name, identity in config.identities.items():
        alone = dataclasses.replace(
            config,
            certificate=identity.certificate,
            key=identity.key,
            key_password=identity.key_password,
            identities={},
        )
        named[name.lower().rstrip(".")] = _server_context(alone)

    def choose(hello: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        chosen = named.get((name or "").lower())
        if chosen is not None:
            hello.context = chosen

    context.sni_callback = choose


def _check_paths(config: TlsConfig | TlsIdentity, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if value is not None and not isinstance(value, str | Path):
            raise InvalidArgumentsError(f"{name} is no path of a file")


def _trust(context: ssl.SSLContext, config: TlsConfig) -> None:
    if config.ca is None:
        context.load_default_certs(
            ssl.Purpose.SERVER_AUTH
            if context.protocol == ssl.PROTOCOL_TLS_CLIENT
            else ssl.Purpose.CLIENT_AUTH
        )
    else:
        context.load_verify_locations(config.ca)
    if config.crl is not None:
        context.load_verify_locations(config.crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _show(context: ssl.SSLContext, config: TlsConfig) -> None:
    assert config.certificate is not None, "its callers have looked"
    # Without a password of ours an encrypted key must fail, and not ask at the terminal.
    context.load_cert_chain(config.certificate, config.key, lambda: config.key_password or "")
