"""One WebSocket as a flow: each of its messages is one SIP message (RFC 7118).

h11 reads the request and wsproto the frames, neither does I/O. A request that wants no WebSocket
is given to the page handler, so that pages and `ws` share a port.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, final

import h11
import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

from trivox.net.pages import PageHandler, PageRequest, PageResponse
from trivox.net.route import host_port
from trivox.net.upgrade import handshake_headers, is_accepted, judge, wants_upgrade
from trivox.net.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from trivox.net.limits import StreamLimits
    from trivox.net.transport import Address, Connector, StreamConnection

_CHUNK_BYTES: Final = 65_536
_LARGEST_MESSAGE_BYTES: Final = 65_536
_LARGEST_HEAD_BYTES: Final = 16_384


@final
class WebSocketFlow:
    """A WebSocket, server's or client's end, that whole SIP messages come by and leave by."""

    def __init__(
        self,
        identifier: int,
        local: Address,
        remote: Address,
        limits: StreamLimits,
        *,
        accepted: bool,
        deliver: Callable[[WebSocketFlow, list[tuple[bytes, Address]]], None],
        transport: str = "ws",
        host: str = "",
        nonce: bytes = b"",
        pages: PageHandler | None = None,
        origins: Collection[str] | None = None,
    ) -> None:
        """Take the flow's number and where received messages go.

        Args:
            identifier: The number the SIP core knows the flow by.
            local: This end.
            remote: The other end.
            limits: How long it may be slow.
            accepted: Whether the far end opened it.
            deliver: Takes the messages of one read, each with its source.
            transport: ws or wss.
            host: The server's name for a client's Host header; its address by default.
            nonce: 16 random bytes for a client's handshake.
            pages: Answers requests that want no WebSocket; without it they get 404.
            origins: Allowed Origins at a server; None allows all.
        """
        self.id = identifier
        self.transport = transport
        self.local = local
        self.remote = remote
        self.accepted = accepted
        self.wire = Wire(limits, accepted=accepted)
        self._ping_interval = limits.ping
        self._deliver = deliver
        self._host = host or host_port(remote)
        self._key = base64.b64encode(nonce).decode("ascii")
        self._pages = pages
        self._origins = origins
        self._frames = Connection(ConnectionType.SERVER if accepted else ConnectionType.CLIENT)
        self._pieces: list[bytes] = []
        self._size = 0

    def send(self, data: bytes, destination: Address) -> None:
        """Queue one message; a full queue closes the flow."""
        try:
            message: Event = TextMessage(data=data.decode("utf-8"))
        except UnicodeDecodeError:
            message = BytesMessage(data=data)
        self._put(message)

    def ping(self, destination: Address) -> None:
        """Send a Ping; the connection closes if nothing comes back in 10 s (RFC 6455 §5.5.2)."""
        self._put(Ping())
        self.wire.expect_answer()

    def close(self) -> None:
        """Close the connection, without a closing handshake."""
        self.wire.close()

    @trio.lowlevel.enable_ki_protection
    async def run(self, connector: Connector) -> None:
        """Connect, shake hands, then read and write until the end."""
        await self.wire.run(connector, self)

    async def open(self, connection: StreamConnection) -> bool:
        """Shake hands; False when the far end is refused, or only wanted a page."""
        return await (self._serve(connection) if self.accepted else self._ask(connection))

    @trio.lowlevel.enable_ki_protection
    async def read(self, connection: StreamConnection) -> None:
        """Deliver messages until the end; ping a silent far end, give up one that stays so."""
        is_asked = False
        self._receive(b"")
        while self._frames.state is ConnectionState.OPEN and not self.wire.is_finishing:
            data = None
            with trio.move_on_after(self._ping_interval):
                data = await connection.receive_some(_CHUNK_BYTES)
            if data:
                is_asked = False
                self.wire.answered()
                self._receive(data)
            elif data is None and not is_asked:
                is_asked = True
                self._put(Ping())
            else:
                return
        self.wire.finish()

    def _put(self, event: Event) -> None:
        if self._frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            self.wire.put(self._frames.send(event))

    def _receive(self, data: bytes) -> None:
        self._frames.receive_data(data)
        messages: list[tuple[bytes, Address]] = []
        for event in self._frames.events():
            if isinstance(event, TextMessage | BytesMessage):
                self._collect(event, messages)
            elif isinstance(event, Ping):
                self._put(event.response())
            elif isinstance(event, CloseConnection):
                self._put(CloseConnection(code=event.code))
            if self._frames.state is not ConnectionState.OPEN:
                break
        if messages:
            self._deliver(self, messages)
            self.wire.heard(complete=True)
        # Pings and pongs are no messages: they keep an idle connection no longer.
        if self._pieces:
            self.wire.heard(complete=False)

    def _collect(
        self, event: TextMessage | BytesMessage, messages: list[tuple[bytes, Address]]
    ) -> None:
        """Add a frame's data to the message under way; give up one that grows too large."""
        data = event.data.encode("utf-8") if isinstance(event, TextMessage) else bytes(event.data)
        if data or not self._pieces:  # frames without data cost nothing, however many
            self._pieces.append(data)
        self._size += len(data)
        if self._size > _LARGEST_MESSAGE_BYTES:
            self._put(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
        elif event.message_finished:
            messages.append((b"".join(self._pieces), self.remote))
            self._pieces.clear()
            self._size = 0

    async def _ask(self, connection: StreamConnection) -> bool:
        """Open as a client (RFC 6455 §4.1)."""
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD_BYTES)
        request = h11.Request(
            method="GET", target="/", headers=handshake_headers(self._host, self._key)
        )
        await connection.send_all(
            (http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b"")
        )
        answer = await _next_event(http, connection)
        if not isinstance(answer, h11.InformationalResponse | h11.Response):
            return False
        if not is_accepted(answer.status_code, _headers(answer), self._key):
            return False
        self._frames.receive_data(http.trailing_data[0])
        return True

    async def _serve(self, connection: StreamConnection) -> bool:
        """Open as a server (RFC 6455 §4.2), or answer a page."""
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD_BYTES)
        request = await _next_event(http, connection)
        if not isinstance(request, h11.Request):
            if http.our_state is h11.SEND_RESPONSE or http.our_state is h11.IDLE:
                await _answer(http, connection, PageResponse(400))
            return False
        method, headers = request.method.decode("ascii"), _headers(request)
        if not wants_upgrade(headers):
            page = PageRequest(method, request.target.decode("ascii"))
            await _answer(http, connection, await self._page(page), head=method == "HEAD")
            return False
        verdict = judge(method, headers, self._origins)
        if verdict.status != 101:
            await _answer(http, connection, PageResponse(verdict.status, verdict.headers))
            return False
        await _next_event(http, connection)
        response = h11.InformationalResponse(status_code=101, headers=list(verdict.headers))
        await connection.send_all(http.send(response) or b"")
        self._frames.receive_data(http.trailing_data[0])
        self.wire.heard(complete=True)
        return True

    async def _page(self, request: PageRequest) -> PageResponse:
        if request.method not in ("GET", "HEAD"):
            return PageResponse(405, (("Allow", "GET, HEAD"),))
        return await self._pages(request) if self._pages else PageResponse(404)


async def _next_event(
    http: h11.Connection, connection: StreamConnection
) -> h11.Event | type[h11.PAUSED] | None:
    """Return the next HTTP event; None when the far end does not speak HTTP or is gone."""
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await connection.receive_some(_CHUNK_BYTES))
    except h11.RemoteProtocolError:
        return None
    return event  # type: ignore[return-value]  # NEED_DATA has left the loop


async def _answer(
    http: h11.Connection, connection: StreamConnection, page: PageResponse, *, head: bool = False
) -> None:
    headers = [*page.headers, ("Content-Length", str(len(page.body))), ("Connection", "close")]
    pieces = [http.send(h11.Response(status_code=page.status, headers=headers))]
    if page.body and not head:
        pieces.append(http.send(h11.Data(data=page.body)))
    pieces.append(http.send(h11.EndOfMessage()))
    await connection.send_all(b"".join(piece or b"" for piece in pieces))


def _headers(
    message: h11.Request | h11.InformationalResponse | h11.Response,
) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("latin-1")) for name, value in message.headers]
