"""Opening a client, and the server of a few lines."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, final

import trio

from trivox.actor.nursery import PlainNursery
from trivox.actor.supervisor import Supervisor
from trivox.client.client import Client
from trivox.client.config import ClientConfig, build
from trivox.errors import InvalidArgumentsError, TransportError
from trivox.media.native_engine import LiveMedia

if TYPE_CHECKING:
    from types import TracebackType

    from trivox.client.serving import Handler
    from trivox.media.engine import Media
    from trivox.net.dns_records import Dns
    from trivox.net.tracing import TraceHook
    from trivox.net.transport import SocketFactory


def open_client(
    config: ClientConfig | None = None,
    *,
    engine: Media | None = None,
    sockets: SocketFactory | None = None,
    trace: TraceHook | None = None,
    dns: Dns | None = None,
    seed: bytes | None = None,
    **settings: Any,  # noqa: ANN401 (the fields of ClientConfig)
) -> OpenClient:
    """Open a client: `async with trivox.open_client(listen=[…]) as client:`.

    Entering binds the addresses and starts the media engine. Leaving hangs up what is left and
    waits for it, at most `shutdown_grace`, whatever happens outside.

    Args:
        config: The configuration; or its fields as keywords.
        engine: A media engine to use instead of one of its own; it is not closed on leaving.
        sockets: Where sockets come from; for tests, a virtual network.
        trace: Sees every SIP message in and out.
        dns: Answers what names lead to; None: the DNS with the `dns` extra, else the system.
        seed: Random bytes that tags and Call-IDs are drawn from; None: from the system.
        **settings: Fields of ClientConfig.

    Raises:
        InvalidArgumentsError: Both a configuration and fields were given, or a field is wrong.
    """
    if config is None:
        config = build(ClientConfig, settings)
    elif not isinstance(config, ClientConfig):
        raise InvalidArgumentsError("give a ClientConfig, or its fields as keywords")
    elif settings:
        raise InvalidArgumentsError(
            f"give a ClientConfig or its fields, not both: {', '.join(settings)}"
        )
    return OpenClient(config, engine=engine, sockets=sockets, trace=trace, dns=dns, seed=seed)


@final
class OpenClient:
    """Made by `open_client`."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        engine: Media | None,
        sockets: SocketFactory | None,
        trace: TraceHook | None,
        dns: Dns | None,
        seed: bytes | None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._own_engine: LiveMedia | None = None
        self._sockets = sockets
        self._trace = trace
        self._dns = dns
        self._seed = seed if seed is not None else os.urandom(32)
        self._supervisor = Supervisor()
        self._client: Client | None = None
        self._was_entered = False

    async def __aenter__(self) -> Client:
        """Bind and start. Raises OSError, InvalidUriError, EngineError."""
        if self._was_entered:
            raise TransportError("a client is opened once: call open_client again")
        self._was_entered = True
        engine = self._engine or self._new_engine()
        await self._supervisor.__aenter__()
        try:
            client = Client(
                self._config,
                supervisor=self._supervisor,
                media=engine,
                seed=self._seed,
                sockets=self._sockets,
                trace=self._trace,
                dns=self._dns,
            )
            await client._open()
        except BaseException as error:
            await self._leave(type(error), error, error.__traceback__)
            raise
        self._client = client
        return client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Hang up, wait, stop."""
        assert self._client is not None, "left without having been entered"
        try:
            await self._client._close()
        except BaseException as error:
            await self._leave(type(error), error, error.__traceback__)
            raise
        return await self._leave(kind, value, traceback)

    def _new_engine(self) -> Media:
        self._own_engine = LiveMedia(
            seed=self._seed,
            threads=self._config.engine_threads,
            port_range=self._config.rtp_ports,
        )
        return self._own_engine

    async def _leave(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        try:
            return await self._supervisor.__aexit__(kind, value, traceback)
        finally:
            if self._own_engine is not None:
                self._own_engine.close()


async def serve_calls(
    handler: Handler,
    *listen: str,
    max_calls: int | None = None,
    drain_grace: float = 300.0,
    task_status: trio.TaskStatus[Client] = trio.TASK_STATUS_IGNORED,
    **settings: Any,  # noqa: ANN401 (the fields of ClientConfig, and those of open_client)
) -> None:
    """Answer calls with `handler` until told to stop: `trio.run(trivox.serve_calls, handler)`.

    SIGTERM refuses new calls, lets the others finish and returns. Ctrl-C hangs up and leaves.

    Args:
        handler: An async function of one Call; see `Client.serve`.
        *listen: SIP URIs to bind; none: those of the settings.
        max_calls: Handlers at a time.
        drain_grace: Seconds the calls may go on after SIGTERM.
        task_status: Started with the client when calls can come.
        **settings: As for `open_client`.
    """
    if listen:
        settings["listen"] = listen
    async with open_client(**settings) as client, PlainNursery() as nursery:
        await nursery.start(_drain_on_sigterm, client, drain_grace)
        server = await nursery.start(_started_serve, client, handler, max_calls)
        task_status.started(client)
        await server.wait()
        nursery.cancel_scope.cancel()


async def _started_serve(
    client: Client,
    handler: Handler,
    max_calls: int | None,
    *,
    task_status: trio.TaskStatus[trio.Event],
) -> None:
    ended = trio.Event()
    task_status.started(ended)
    try:
        await client.serve(handler, max_calls=max_calls)
    finally:
        ended.set()


async def _drain_on_sigterm(
    client: Client, grace: float, *, task_status: trio.TaskStatus[None]
) -> None:
    """Drain at the first SIGTERM; where signals cannot be had, in another thread, do nothing."""
    try:
        receiver = trio.open_signal_receiver(signal.SIGTERM)
        with receiver as signals:
            task_status.started()
            async for _ in signals:
                await client.drain(grace=grace)
                return
    except RuntimeError:
        task_status.started()
