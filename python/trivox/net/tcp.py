"""One TCP connection as a flow, plain or below TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from trivox.net.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.net.limits import StreamLimits
    from trivox.net.transport import Address, Connector, StreamConnection

_CHUNK_BYTES: Final = 65_536


@final
class TcpFlow:
    """A connection whose bytes are given up as they come, split anywhere."""

    def __init__(
        self,
        identifier: int,
        local: Address,
        remote: Address,
        limits: StreamLimits,
        *,
        accepted: bool,
        deliver: Callable[[TcpFlow, bytes], bool],
        transport: str = "tcp",
    ) -> None:
        """Take the flow's number and where received bytes go.

        Args:
            identifier: The number the SIP core knows the flow by.
            local: This end.
            remote: The other end.
            limits: How long it may be slow.
            accepted: Whether the far end opened it.
            deliver: Takes each piece that was read; tells whether it completed a message.
            transport: tcp or tls; what is between us and the socket is not seen here.
        """
        self.id = identifier
        self.transport = transport
        self.local = local
        self.remote = remote
        self.accepted = accepted
        self.wire = Wire(limits, accepted=accepted)
        self._deliver = deliver
        self.heard: Callable[[], None] | None = None
        """Called for whatever comes by the connection, keep-alives included."""

    def send(self, data: bytes, destination: Address) -> None:
        """Queue bytes for the writer; a full queue closes the flow."""
        self.wire.put(data)

    def ping(self, destination: Address) -> None:
        """Send a keep-alive; the connection closes if nothing comes back in 10 s (RFC 5626 §4.4.1)."""
        self.wire.put(b"\r\n\r\n")
        self.wire.expect_answer()

    def close(self) -> None:
        """Close the connection."""
        self.wire.close()

    @trio.lowlevel.enable_ki_protection
    async def run(self, connector: Connector) -> None:
        """Connect, then read and write until the end."""
        await self.wire.run(connector, self)

    async def open(self, connection: StreamConnection) -> bool:
        """Do nothing: TCP has no handshake above it."""
        await trio.lowlevel.checkpoint()
        return True

    @trio.lowlevel.enable_ki_protection
    async def read(self, connection: StreamConnection) -> None:
        """Deliver pieces until the end."""
        while not self.wire.is_finishing:
            data = await connection.receive_some(_CHUNK_BYTES)
            if not data:
                return
            self.wire.answered()
            if self.heard is not None:
                self.heard()
            is_complete = self._deliver(self, data)
            # A keep-alive is no message, and in the midst of one it buys no time.
            if is_complete or data.strip(b"\r\n"):
                self.wire.heard(complete=is_complete)
