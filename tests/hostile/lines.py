"""An attacker's connections, TCP and WebSocket, on the virtual network; and what it says on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Ping, TextMessage

from .corpus import LENGTHS, bad_lengths, message, oversized, templates

if TYPE_CHECKING:
    from trivox.net.transport import Address
    from trivox.testing import Link

PORTS = {"tcp": 5060, "ws": 8080}
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 10.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FINAL = 0x80


def frame(opcode: int, payload: bytes, *, first: int = FINAL) -> bytes:
    """Return a frame of a WebSocket client, masked with zeros."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([first | opcode]) + length + b"\0\0\0\0" + payload


class Line:
    """One connection to a program; `ws` has shaken hands."""

    def __init__(self, connection, transport: str) -> None:
        self.transport = transport
        self.is_over = False
        self._connection = connection
        self._frames = Connection(ConnectionType.CLIENT)
        self._unread = b""

    @classmethod
    async def open(cls, link: Link, host: str, peer: Address, transport: str) -> Line:
        """Connect and, for `ws`, shake hands."""
        connection = await link.host(host).open_connector(host, peer).connect()
        line = cls(connection, transport)
        if transport == "ws":
            await connection.send_all(HANDSHAKE)
            head = b""
            while b"\r\n\r\n" not in head:
                head += await connection.receive_some(65_536)
            line._frames.receive_data(head.partition(b"\r\n\r\n")[2])
        return line

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are; nothing when the far end has closed."""
        try:
            await self._connection.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.is_over = True

    async def say(self, data: bytes) -> None:
        """Send a message: as one frame of a WebSocket."""
        await self.raw(data if self.transport == "tcp" else frame(BINARY, data))

    async def heard(self) -> list[bytes]:
        """Wait for something, and return the whole messages that are there; `is_over` at the end."""
        try:
            data = await self._connection.receive_some(65_536)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        self.is_over = self.is_over or not data
        if self.transport == "tcp":
            self._unread += data
            return self._messages_of_stream()
        if data:
            self._frames.receive_data(data)
        events = list(self._frames.events())
        for one in events:
            if isinstance(one, Ping):
                await self.raw(frame(PONG, bytes(one.payload)))
        found = [one.data for one in events if isinstance(one, TextMessage | BytesMessage)]
        return [one.encode() if isinstance(one, str) else bytes(one) for one in found]

    async def note(self, statuses: list[int]) -> None:
        """Read until the far end closes; add the status of each response."""
        while not self.is_over:
            statuses += [int(one[8:11]) for one in await self.heard() if one.startswith(b"SIP/2")]

    def close(self) -> None:
        """Close at once."""
        self._connection.close()

    def _messages_of_stream(self) -> list[bytes]:
        found = []
        while True:
            self._unread = self._unread.lstrip(b"\r\n")
            head, mark, rest = self._unread.partition(b"\r\n\r\n")
            lengths = [
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith((b"content-length:", b"l:"))
            ]
            if not mark or len(rest) < lengths[0]:
                return found
            found.append(head + mark + rest[: lengths[0]])
            self._unread = rest[lengths[0] :]


def _options(number: int, **headers: str) -> bytes:
    return message("OPTIONS sip:127.0.0.1 SIP/2.0", number=number, **headers)


def on_tcp() -> dict[str, list[bytes]]:
    """Return what is said on a TCP connection, piece by piece, by name."""
    good, other = _options(1), _options(2)
    body = message("MESSAGE sip:127.0.0.1 SIP/2.0", number=3, body="hello")
    head, _, _ = body.partition(b"\r\n\r\n")
    cases = {
        "nothing": [],
        "half a head": [good[:60]],
        "a head without its end": [good[:-2]],
        "half a body": [body[:-3]],
        "a body that never comes": [_options(4, Content_Length="60000")],
        "a length that is too short": [body.replace(b"Length: 5", b"Length: 2"), good],
        "a length that is too long": [body.replace(b"Length: 5", b"Length: 50"), good, other],
        "no length": [_options(5, Content_Length=""), good],
        "a folded length": [good.replace(b"Length: 0", b"Length:\r\n 0"), other],
        "a compact length": [good.replace(b"Content-Length", b"l"), other],
        "lengths that differ": [good.replace(b"CSeq:", b"l: 7\r\nCSeq:"), other],
        "bare line feeds": [good.replace(b"\r\n", b"\n"), other],
        "bare carriage returns": [good.replace(b"\r\n", b"\r"), other],
        "many at once": [(good + other) * 50],
        "a good one, garbage, a good one": [good + b"garbage\0\xff\r\n" + other],
        "garbage with the look of a message": [good + b"A B C\r\nD\r\n\r\n" + other],
        "garbage first": [b"\x80\x81\x82" * 100, good],
        "a byte order mark": [b"\xef\xbb\xbf" + good, other],
        "byte by byte": [bytes([byte]) for byte in good + other],
        "cut within the length": [head[:-1], head[-1:] + b"\r\n\r\nhello" + good],
        "pings": [b"\r\n\r\n" * 2000, b"\r\n" + good, b"\r\n\r\n\r"],
        "a head too long": [b"OPTIONS sip:a SIP/2.0\r\nX: " + b"a" * 40_000],
        "a head too long, slowly": [b"OPTIONS sip:a SIP/2.0\r\n", *[b"X: " + b"a" * 999] * 60],
        "a body too long": [_options(6, Content_Length="65536") + b"b" * 65_536],
        "a response to nobody": [message("SIP/2.0 200 OK", number=7, CSeq="1 INVITE"), good],
        "the web": [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", good],
        "hello of TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500],
        "frames": [HANDSHAKE, frame(TEXT, good)],
        "zeros": [b"\0" * 70_000],
        "a message within a message": [
            message("MESSAGE sip:127.0.0.1 SIP/2.0", number=8, body=other.decode()) + good
        ],
    }
    for name, bent in zip([*LENGTHS, "twice"], bad_lengths(9), strict=True):
        cases[f"the length {name!r}"] = [bent, good]
    for number, bent in enumerate([*templates(10), *oversized(11)]):
        cases[f"template {number}"] = [bent + good, bent[: len(bent) // 2]]
    return cases


def on_websocket() -> dict[str, list[bytes]]:
    """Return what is said on a WebSocket that is open, piece by piece, by name."""
    good, other = _options(1), _options(2)
    named = _options(3, Subject="grüße")
    within = named.index("ü".encode()) + 1
    start, rest = named[:within], named[within:]
    cases = {
        "nothing": [],
        "text": [frame(TEXT, good)],
        "binary": [frame(BINARY, good)],
        "half a message": [frame(TEXT, good[:60]), frame(TEXT, good[60:])],
        "two in one": [frame(TEXT, good + other)],
        "no length": [frame(TEXT, _options(4, Content_Length=""))],
        "a length that is too long": [frame(TEXT, _options(5, Content_Length="50"))],
        "a length that is too short": [frame(BINARY, good + b"excess")],
        "fragments": [frame(TEXT, start, first=0), frame(0, rest)],
        "fragments within a character, with a ping": [
            frame(TEXT, start, first=0) + frame(PING, b"?") + frame(0, rest[:9], first=0),
            frame(PONG, b"") + frame(0, rest[9:]),
        ],
        "fragments without end": [frame(TEXT, good[:9], first=0), frame(0, good[9:], first=0)],
        "a message in single bytes": [
            frame(BINARY, good[:1], first=0),
            *[frame(0, bytes([byte]), first=0) for byte in good[1:-1]],
            frame(0, good[-1:]),
        ],
        "another message within fragments": [frame(TEXT, start, first=0), frame(TEXT, good)],
        "empty frames": [frame(TEXT, b"") * 500, frame(BINARY, good)],
        "empty fragments": [frame(TEXT, b"", first=0), frame(0, b"", first=0) * 5000],
        "half a frame": [frame(TEXT, good)[:30]],
        "half a head of a frame": [b"\x81\xfe\x01"],
        "byte by byte": [bytes([byte]) for byte in frame(TEXT, good) + frame(BINARY, other)],
        "a message as long as may be": [frame(BINARY, good + b"x" * (65_536 - len(good)))],
        "a message too long": [frame(BINARY, good + b"x" * 65_536)],
        "fragments too long": [frame(TEXT, b"x" * 9000, first=0), *[frame(0, b"x" * 9000)] * 9],
        "a length of 2^63": [b"\x82\xff" + (1 << 63).to_bytes(8, "big") + b"\0" * 8],
        "unmasked": [b"\x81\x05hello"],
        "reserved bits": [frame(TEXT, good, first=0xF0)],
        "reserved opcodes": [frame(5, b"hello"), frame(13, b"")],
        "no UTF-8": [frame(TEXT, b"\xff\xfe" + good)],
        "half a character": [frame(TEXT, start)],
        "a continuation of nothing": [frame(0, good)],
        "a ping too long": [frame(PING, b"a" * 200)],
        "a ping in pieces": [frame(PING, b"a", first=0)],
        "pings": [frame(PING, b"abc") * 3000, frame(TEXT, good)],
        "pongs": [frame(PONG, b"abc") * 3000, frame(TEXT, good)],
        "a close with a bad code": [frame(CLOSE, b"\x00\x01")],
        "a close with half a code": [frame(CLOSE, b"\x03")],
        "a close with a reason that is no text": [frame(CLOSE, b"\x03\xe8\xff\xff")],
        "a close and more": [frame(CLOSE, b"\x03\xe8") + frame(TEXT, good), frame(TEXT, good)],
        "no frames": [good, other],
        "the handshake again": [HANDSHAKE],
        "zeros": [b"\0" * 70_000],
    }
    for number, bent in enumerate([*templates(10), *oversized(11), *bad_lengths(12)]):
        cases[f"template {number}"] = [frame(BINARY, bent[:65_000]), frame(TEXT, good)]
    return cases
