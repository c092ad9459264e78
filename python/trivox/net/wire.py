"""What a TCP and a WebSocket flow have in common: one connection, its writer, its patience."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox.net.limits import Patience, StreamLimits
from trivox.net.outbox import Outbox

if TYPE_CHECKING:
    from trivox.net.transport import Address, Connector, StreamConnection


_PONG_WAIT: Final = 10.0  # seconds (RFC 5626 §4.4.1)
_LAST_WORDS: Final = 1.0  # seconds to write what is queued when we end a connection


class Reader(Protocol):
    """The protocol on a connection."""

    async def open(self, connection: StreamConnection) -> bool:
        """Do the handshake, if any, before anything is written; False ends the connection."""
        ...

    async def read(self, connection: StreamConnection) -> None:
        """Read until the end. Raises trio.BrokenResourceError, trio.ClosedResourceError."""
        ...


@final
class Accepted:
    """An accepted connection in the place of one that is still to be made."""

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection

    @property
    def local(self) -> Address:
        """The local address."""
        return self._connection.local

    async def connect(self) -> StreamConnection:
        """Return the connection; it is there already."""
        await trio.lowlevel.checkpoint()
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@final
class Wire:
    """One connection, made or accepted, with its writer task and its limits in time.

    `put` never waits; what is put before the connection is made waits in the queue, and a full
    queue closes the connection. `run` ends when the connection does, whoever ended it.
    """

    def __init__(self, limits: StreamLimits, *, accepted: bool) -> None:
        self.outbox = Outbox()
        self.patience = Patience(limits, trio.current_time(), accepted=accepted)
        self._limits = limits
        self._scope = trio.CancelScope(deadline=self.patience.deadline)
        self._answer_by = math.inf
        self.is_finishing = False
        self.is_open = False
        """Whether the connection stands, its handshakes done."""
        self.settled = trio.Event()
        """Set once that is known: it stands, or never will."""
        self.failure: BaseException | None = None
        """What ended the connection, if it was no clean end."""
        self.peer_names: tuple[str, ...] = ()
        """What the far end's certificate says it is, once it is verified (RFC 5922 §7.1)."""

    def verified(self, names: tuple[str, ...]) -> None:
        """Note what the far end has proved to be."""
        self.peer_names = names

    @property
    def is_closed(self) -> bool:
        """Whether this side has given up the connection."""
        return self._scope.cancel_called

    def put(self, data: bytes) -> None:
        """Queue bytes for the writer; a full queue closes the connection."""
        if not self.is_closed and not self.outbox.put(data):
            self.close()

    def close(self) -> None:
        """End `run`, which closes the connection; what is still queued is lost."""
        self._scope.cancel()

    def finish(self) -> None:
        """Stop reading; close when all that is queued has been written."""
        self.is_finishing = True

    def keep(self) -> None:
        """Let the connection be silent from now on: something lives on it."""
        self.patience.keep(trio.current_time())
        self._set_deadline()

    def release(self) -> None:
        """Let the connection be silent no longer than others are: nothing lives on it any more."""
        self.patience.release(trio.current_time())
        self._set_deadline()

    def expect_answer(self) -> None:
        """Close the connection unless something comes within 10 s (RFC 5626 §4.4.1)."""
        if self._answer_by == math.inf:
            self._answer_by = trio.current_time() + _PONG_WAIT
            self._set_deadline()

    def answered(self) -> None:
        """Note that something came: the far end is there."""
        if self._answer_by != math.inf:
            self._answer_by = math.inf
            self._set_deadline()

    def heard(self, *, complete: bool) -> None:
        """Note what was received: a whole message, or a part of one."""
        self.patience.heard(trio.current_time(), complete=complete)
        self._set_deadline()

    def _set_deadline(self) -> None:
        self._scope.deadline = min(self.patience.deadline, self._answer_by)

    @trio.lowlevel.enable_ki_protection
    async def run(self, connector: Connector, reader: Reader) -> None:
        """Connect, then read and write until the end."""
        owned: StreamConnection | Connector = connector
        try:
            with self._scope:
                owned = connection = await self._opened(connector, reader)
                self.is_open = True
                self.settled.set()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, connection)
                    await reader.read(connection)
                    if self.is_finishing:
                        with trio.move_on_after(_LAST_WORDS):
                            await self.outbox.wait_empty()
                    nursery.cancel_scope.cancel()
        except* (
            OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError
        ) as group:  # fmt: skip
            self.failure = _first(group)
        finally:
            self._scope.cancel()
            self.is_open = False
            self.settled.set()
            owned.close()

    async def _opened(self, connector: Connector, reader: Reader) -> StreamConnection:
        with trio.fail_after(self._limits.connect):
            connection = await connector.connect()
        try:
            with trio.fail_after(self._limits.connect):
                if await reader.open(connection):
                    return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        raise trio.ClosedResourceError

    @trio.lowlevel.enable_ki_protection
    async def _write(self, connection: StreamConnection) -> None:
        while True:
            await connection.send_all(await self.outbox.take())


def _first(error: BaseException) -> BaseException:
    """Return what a group holds, however deep; the rest of it came of that.

    It is kept for long: without its traceback, which would keep all that the connection had.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error
