"""A far end that does what the test says and nothing else: every message is written by hand."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, final

import trio

from trivox._native import Message

if TYPE_CHECKING:
    from types import TracebackType

    from trivox.net.transport import Address, SocketFactory

SDP: Final = (
    "v=0\r\no=far 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
)
"""A description that any audio end accepts: G.711 over plain RTP."""


@final
class FarEnd:
    """One UDP address that sends and receives whole messages; nothing is answered by itself.

    Args:
        sockets: The network it lives in, for tests a host of a `Link`.
        local: Its address.
        peer: Where it sends.
    """

    def __init__(self, sockets: SocketFactory, local: Address, peer: Address) -> None:
        self._socket = sockets.bind_datagram(local, 0)
        self.local: Final = local
        self.peer = peer
        self._waiting: list[Message] = []
        self._numbers = itertools.count(1)

    def __enter__(self) -> FarEnd:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    @property
    def uri(self) -> str:
        """Its own URI."""
        return f"sip:far@{self.local[0]}:{self.local[1]}"

    async def receive(self) -> Message:
        """Return the next message, waiting for it."""
        while not self._waiting:
            await self._socket.wait_readable()
            self._waiting += [Message.parse(data) for data, _ in self._socket.receive(64)]
        return self._waiting.pop(0)

    async def expect(self, what: str | int) -> Message:
        """Return the next request of that method, or response of that status; skip others."""
        while True:
            message = await self.receive()
            found: str | int = message.method if message.is_request else message.status
            if found == what:
                return message

    async def silence(self, seconds: float) -> bool:
        """Tell whether nothing comes for so long."""
        with trio.move_on_after(seconds):
            self._waiting.insert(0, await self.receive())
            return False
        return True

    def send(self, start: str, headers: list[tuple[str, str]], body: str = "") -> None:
        """Send a message; Content-Length is added."""
        lines = [*headers, ("Content-Length", str(len(body.encode())))]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        self._socket.send(f"{start}\r\n{head}\r\n{body}".encode(), self.peer)

    def request(
        self,
        method: str,
        uri: str,
        *,
        call_id: str = "far-call",
        from_tag: str = "far-tag",
        to_tag: str = "",
        cseq: int = 1,
        branch: str = "",
        headers: list[tuple[str, str]] | None = None,
        body: str = "",
        content_type: str = "application/sdp",
    ) -> str:
        """Send a request; returns its branch."""
        branch = branch or f"z9hG4bKfar{next(self._numbers)}"
        host, port = self.local
        to_value = f"<{uri}>" + (f";tag={to_tag}" if to_tag else "")
        common = [
            ("Via", f"SIP/2.0/UDP {host}:{port};branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", f'"Far End" <{self.uri}>;tag={from_tag}'),
            ("To", to_value),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<{self.uri}>"),
        ]
        if body:
            common.append(("Content-Type", content_type))
        self.send(f"{method} {uri} SIP/2.0", common + (headers or []), body)
        return branch

    def invite(self, uri: str, *, body: str = SDP, call_id: str = "far-call") -> str:
        """Call somebody; returns the INVITE's branch."""
        return self.request("INVITE", uri, body=body, call_id=call_id)

    def respond(
        self,
        request: Message,
        status: int,
        reason: str = "Reason",
        *,
        to_tag: str = "far-tag",
        headers: list[tuple[str, str]] | None = None,
        body: str = "",
    ) -> None:
        """Answer a request."""
        to_value = request.header("To") or ""
        if ";tag=" not in to_value and to_tag:
            to_value += f";tag={to_tag}"
        common = [("Via", value) for value in request.headers("Via")]
        common += [
            ("From", request.header("From") or ""),
            ("To", to_value),
            ("Call-ID", request.header("Call-ID") or ""),
            ("CSeq", request.header("CSeq") or ""),
            ("Contact", f"<{self.uri}>"),
        ]
        if body:
            common.append(("Content-Type", "application/sdp"))
        self.send(f"SIP/2.0 {status} {reason}", common + (headers or []), body)

    def acknowledge(self, response: Message, *, body: str = "") -> None:
        """Send the ACK for a 2xx."""
        target = response.dialog()[5]
        self.request(
            "ACK",
            target,
            call_id=response.header("Call-ID") or "",
            to_tag=response.key()[4],
            cseq=response.key()[7],
            body=body,
        )

    def hang_up(self, response: Message, *, cseq: int = 2) -> None:
        """Send BYE in the dialog that our INVITE's 2xx made."""
        self.request(
            "BYE",
            response.dialog()[5],
            call_id=response.header("Call-ID") or "",
            to_tag=response.key()[4],
            cseq=cseq,
        )
