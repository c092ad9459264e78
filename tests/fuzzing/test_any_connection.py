"""Any bytes on a WebSocket: in the handshake, at both ends, and in frames afterwards."""

from __future__ import annotations

import struct

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage

from trivox.net.limits import StreamLimits
from trivox.net.pages import PageResponse
from trivox.net.upgrade import handshake_headers, is_accepted, judge, wants_upgrade
from trivox.net.websocket import WebSocketFlow
from trivox.testing import Link
from trivox.testing.clock import run_repeatably

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SERVER, PEER = ("10.0.0.1", 80), ("10.0.0.2", 9)
LONGEST = 300.0
"""Seconds by which a connection that says nothing more is closed, whatever it said."""
LARGEST = 65_536

PIECES = (
    b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"CONNECT a:1 HTTP/1.1\r\n",
    b"Host: a\r\n", b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"Sec-WebSocket-Version: 13\r\n",
    b"Sec-WebSocket-Protocol: sip\r\n", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"Origin: http://a\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: x\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n",
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", b"\r\n", b"hello", b"0\r\n\r\n", b"\0", b"\xff", b" a\r\n",
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
)  # fmt: skip
talk = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=20)
header = st.tuples(
    st.sampled_from(("Upgrade", "connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
                     "Sec-WebSocket-Accept", "Origin", "Host", "x")),
    st.one_of(st.sampled_from(("websocket", "Upgrade, keep-alive", KEY, "13", "sip", "", "http://a")), st.text(max_size=6)),
)  # fmt: skip


def _request() -> bytes:
    lines = [f"{name}: {value}" for name, value in handshake_headers("10.0.0.1", KEY)]
    return "\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode()


def _frame(opcode: int, data: bytes, *, final: bool, mask: bool, reserved: int, size: int) -> bytes:
    first = (final << 7) | (reserved << 4) | opcode
    length = len(data) if size < 0 else size
    if length < 126:
        head = struct.pack("!BB", first, (mask << 7) | length)
    elif length < 65_536:
        head = struct.pack("!BBH", first, (mask << 7) | 126, length)
    else:
        head = struct.pack("!BBQ", first, (mask << 7) | 127, length)
    return head + (b"\0\0\0\0" if mask else b"") + data


frames = st.lists(
    st.one_of(
        st.builds(
            _frame,
            st.sampled_from((0, 1, 1, 2, 3, 8, 9, 10, 15)),
            st.one_of(st.binary(max_size=130), st.just(b"\x03\xe8bye"), st.just(b"OPTIONS sip:a SIP/2.0\r\n\r\n")),
            final=st.booleans(),
            mask=st.sampled_from((True, True, True, False)),
            reserved=st.sampled_from((0, 0, 0, 0, 4, 7)),
            size=st.sampled_from((-1, -1, -1, -1, 0, 126, 65_535, 70_000, 2**63 - 1)),
        ),
        st.binary(max_size=5),
    ),
    max_size=8,
)  # fmt: skip


async def _converse(data: bytes, sizes: list[int], *, accepted: bool) -> list[bytes]:
    """Say it, in pieces, to a flow at the other end; return what it delivered once it is gone."""
    link = Link(1, delay=0.001)
    listener = link.host(SERVER[0]).listen_stream(SERVER)
    delivered: list[bytes] = []

    async def page(_request) -> PageResponse:
        return PageResponse(200, (), b"page")

    def make(local, remote) -> WebSocketFlow:
        return WebSocketFlow(
            1,
            local,
            remote,
            StreamLimits(),
            accepted=accepted,
            deliver=lambda _, batch: delivered.extend(message for message, _ in batch),
            nonce=bytes(16),
            pages=page,
        )

    connector = link.host(PEER[0]).open_connector(PEER[0], SERVER)
    with trio.fail_after(LONGEST):
        async with trio.open_nursery() as nursery:
            if accepted:
                far = await connector.connect()
                near = await listener.accept()
                nursery.start_soon(make(near.local, near.remote).run, _Ready(near))
            else:
                nursery.start_soon(make(PEER, SERVER).run, connector)
                far = await listener.accept()
            await _say(far, data, sizes)
            while await _heard(far):
                pass
            far.close()
    return delivered


class _Ready:
    """A connector whose connection is there."""

    def __init__(self, connection) -> None:
        self.local = connection.local
        self._connection = connection

    async def connect(self):
        return self._connection

    def close(self) -> None:
        """Do nothing: nothing is held."""


async def _say(far, data: bytes, sizes: list[int]) -> None:
    number = 0
    try:
        while data:
            size = sizes[number % len(sizes)]
            await far.send_all(data[:size])
            data, number = data[size:], number + 1
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def _heard(far) -> bytes:
    try:
        return await far.receive_some(10_000)
    except trio.BrokenResourceError:
        return b""


@settings(max_examples=150)
@given(talk, st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_whoever_says_anything_to_a_server_is_closed_in_time(pieces, sizes):
    data = b"".join(pieces)

    assert all(len(one) <= LARGEST for one in run_repeatably(_served, data, sizes, True))


@settings(max_examples=100)
@given(talk, st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_a_client_survives_whatever_a_server_says(pieces, sizes):
    run_repeatably(_served, b"".join(pieces), sizes, False)


@settings(max_examples=200)
@given(frames, st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_frames_deliver_what_another_reader_makes_of_them(drawn, sizes):
    data = b"".join(drawn)

    delivered = run_repeatably(_served, _request() + data, sizes, True)

    assert delivered == _understood(data)[: len(delivered)]


async def _served(data: bytes, sizes: list[int], accepted: bool) -> list[bytes]:
    return await _converse(data, sizes, accepted=accepted)


def _understood(data: bytes) -> list[bytes]:
    """Read frames with wsproto alone, all at once."""
    connection = Connection(ConnectionType.SERVER)
    connection.receive_data(data)
    messages, pieces = [], []
    for event in connection.events():
        if isinstance(event, TextMessage | BytesMessage):
            text = event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
            pieces.append(text)
            if event.message_finished:
                messages.append(b"".join(pieces))
                pieces = []
    return messages


@given(
    st.sampled_from(("GET", "POST", "")),
    st.lists(header, max_size=10),
    st.none() | st.just(("http://a",)),
)
def test_a_handshake_is_judged_or_refused(method, headers, origins):
    wants_upgrade(headers)
    verdict = judge(method, headers, origins)

    assert verdict.status in (101, 400, 403, 405, 426)
    assert isinstance(is_accepted(101, headers, KEY), bool)
