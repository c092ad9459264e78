"""A WebSocket flow against bare bytes: handshake, frames, limits, pages (RFC 7118 §4, RFC 6455)."""

from __future__ import annotations

import struct

import pytest
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from trivox.net.pages import PageResponse
from trivox.net.upgrade import handshake_headers
from trivox.net.websocket import WebSocketFlow

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ANY = ("10.0.0.2", 1)
SIP = "OPTIONS sip:a@b SIP/2.0\r\nSubject: grüße\r\n\r\n"


@pytest.fixture
async def accepted(streams):
    """Return an async function that gives (flow, far connection, received messages)."""
    messages = []

    async def accept(**settings):
        def make(connection):
            return WebSocketFlow(
                1,
                connection.local,
                connection.remote,
                streams.limits,
                accepted=True,
                deliver=lambda _, batch: messages.extend(batch),
                **settings,
            )

        flow, far = await streams.connect(make)
        return flow, far, messages

    return accept


def request(method="GET", target="/", **changes):
    headers = dict(handshake_headers("10.0.0.1", KEY))
    headers.update(changes)
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode()


async def head(far):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await far.receive_some(10_000)
        if not piece:
            break
        data += piece
    return data


async def everything(far):
    data = b""
    while piece := await far.receive_some(10_000):
        data += piece
    return data


async def opened(accepted, **settings):
    flow, far, messages = await accepted(**settings)
    await far.send_all(request())
    assert (await head(far)).startswith(b"HTTP/1.1 101 ")
    return flow, far, messages


async def test_a_text_and_a_binary_message_are_delivered_whole(accepted, streams, autojump_clock):
    _, far, messages = await opened(accepted)
    client = Connection(ConnectionType.CLIENT)

    await far.send_all(client.send(TextMessage(SIP)))
    await far.send_all(client.send(BytesMessage(b"\xff binary")))
    await trio.sleep(1)

    assert messages == [(SIP.encode(), far.local), (b"\xff binary", far.local)]
    far.close()
    await streams.ended.wait()


async def test_a_message_sent_with_the_handshake_is_not_lost(accepted, streams, autojump_clock):
    _, far, messages = await accepted()

    await far.send_all(request() + Connection(ConnectionType.CLIENT).send(TextMessage(SIP)))
    await head(far)
    await trio.sleep(1)

    assert messages == [(SIP.encode(), far.local)]
    far.close()
    await streams.ended.wait()


@pytest.mark.parametrize("largest_piece", [1, 3])
async def test_fragments_and_splits_make_one_message(
    accepted, streams, largest_piece, autojump_clock
):
    streams.link.largest_piece = largest_piece
    _, far, messages = await opened(accepted)
    client = Connection(ConnectionType.CLIENT)

    await far.send_all(client.send(TextMessage(SIP[:20], message_finished=False)))
    await far.send_all(client.send(Ping(b"between")))
    await far.send_all(client.send(TextMessage(SIP[20:])))
    await trio.sleep(1)

    assert messages == [(SIP.encode(), far.local)]
    client.receive_data(await head_of_frames(far, 9))
    assert [event.payload for event in client.events()] == [b"between"]
    far.close()
    await streams.ended.wait()


async def head_of_frames(far, size):
    data = b""
    while len(data) < size:
        data += await far.receive_some(size - len(data))
    return data


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x02hi", 1002),  # unmasked
        (b"\xc1\x80\0\0\0\0", 1002),  # RSV1 without an extension
        (b"\x83\x80\0\0\0\0", 1002),  # reserved opcode
        (b"\x81\xff" + struct.pack("!Q", 2**63) + bytes(4), 1002),
        (b"\x82\xff" + struct.pack("!Q", 70_000) + bytes(4) + bytes(70_000), 1009),
        (b"\x81\x82\0\0\0\0\xc3\x28", 1007),  # not UTF-8
    ],
)
async def test_a_bad_frame_closes_with_its_code(accepted, streams, frame, code, autojump_clock):
    _, far, messages = await opened(accepted)

    await far.send_all(frame)
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(await everything(far))

    assert [event.code for event in client.events() if isinstance(event, CloseConnection)] == [code]
    assert messages == []
    await streams.ended.wait()


async def test_a_closing_handshake_is_answered(accepted, streams, autojump_clock):
    _, far, _ = await opened(accepted)
    client = Connection(ConnectionType.CLIENT)

    await far.send_all(client.send(CloseConnection(1001)))
    client.receive_data(await everything(far))

    assert [event.code for event in client.events()] == [1001]
    await streams.ended.wait()


async def test_a_silent_far_end_is_pinged_and_given_up_when_it_stays_silent(
    accepted, streams, autojump_clock
):
    flow, far, _ = await opened(accepted)
    flow.wire.keep()
    start = trio.current_time()
    client = Connection(ConnectionType.CLIENT)

    client.receive_data(await far.receive_some(100))
    assert [type(event) for event in client.events()] == [Ping]
    await far.send_all(client.send(Pong()))
    await streams.ended.wait()

    assert trio.current_time() - start == pytest.approx(90, abs=0.2)


async def test_many_bytes_of_a_head_that_never_ends_are_refused(accepted, streams, autojump_clock):
    _, far, _ = await accepted()

    await far.send_all(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)

    assert (await everything(far)).startswith(b"HTTP/1.1 400 ")
    await streams.ended.wait()


async def test_a_handshake_that_never_ends_is_given_up_after_5_s(accepted, streams, autojump_clock):
    start = trio.current_time()
    _, far, _ = await accepted()
    await far.send_all(b"GET / HTTP/1.1\r\n")

    await streams.ended.wait()

    assert trio.current_time() - start == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(**{"Sec-WebSocket-Protocol": None}), b"400"),
        (request(**{"Sec-WebSocket-Version": "8"}), b"426"),
        (request(Origin="https://evil.example"), b"403"),
        (b"INVITE sip:a@b SIP/2.0\r\n\r\n", b"400"),
        (request(Upgrade=None, Connection="close"), b"404"),
        (request("DELETE", Upgrade=None), b"405"),
    ],
)
async def test_what_is_no_handshake_is_refused(accepted, streams, sent, status, autojump_clock):
    _, far, _ = await accepted(origins={"https://good.example"})

    await far.send_all(sent)

    assert (await everything(far)).startswith(b"HTTP/1.1 " + status)
    await streams.ended.wait()


@pytest.mark.parametrize(("method", "body"), [("GET", b"<p>hello</p>"), ("HEAD", b"")])
async def test_a_plain_request_is_given_to_the_pages(
    accepted, streams, method, body, autojump_clock
):
    seen = []

    async def pages(page):
        seen.append(page.target)
        return PageResponse(200, (("Content-Type", "text/html"),), b"<p>hello</p>")

    _, far, _ = await accepted(pages=pages)
    await far.send_all(request(method, "/index.html?x=1", Upgrade=None))
    answer = await everything(far)

    assert seen == ["/index.html?x=1"]
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.partition(b"\r\n\r\n")[2] == body
    await streams.ended.wait()


async def test_client_and_server_flows_talk(streams, accepted, nursery, autojump_clock):
    server, client_messages = None, []
    messages = []

    def make(connection):
        return WebSocketFlow(
            2,
            connection.local,
            connection.remote,
            streams.limits,
            accepted=True,
            deliver=lambda _, batch: messages.extend(batch),
        )

    listener = streams.near.listen_stream(("10.0.0.1", 80))
    connector = streams.far.open_connector("10.0.0.2", listener.local)
    client = WebSocketFlow(
        3,
        connector.local,
        listener.local,
        streams.limits,
        accepted=False,
        deliver=lambda _, batch: client_messages.extend(batch),
        host="sip.example",
        nonce=bytes(16),
    )
    client.send(b"before the handshake", ANY)
    nursery.start_soon(client.run, connector)
    connection = await listener.accept()
    server = make(connection)
    nursery.start_soon(streams._run, server, connection)
    await trio.sleep(1)
    server.send(SIP.encode(), ANY)
    await trio.sleep(1)

    assert [data for data, _ in messages] == [b"before the handshake"]
    assert [data for data, _ in client_messages] == [SIP.encode()]
    client.close()
    await streams.ended.wait()
    listener.close()


async def test_pongs_alone_keep_an_idle_connection_for_120_s(accepted, streams, autojump_clock):
    _, far, _ = await opened(accepted)
    start = trio.current_time()
    client = Connection(ConnectionType.CLIENT)

    with trio.move_on_after(1000):
        while data := await far.receive_some(1000):
            client.receive_data(data)
            for event in client.events():
                assert isinstance(event, Ping)
                await far.send_all(client.send(event.response()))
        await streams.ended.wait()

    assert trio.current_time() - start == pytest.approx(120, abs=0.1)


async def test_frames_without_data_are_not_kept(accepted, streams, autojump_clock):
    flow, far, messages = await opened(accepted)

    await far.send_all(b"\x01\x80\0\0\0\0" + b"\0\x80\0\0\0\0" * 1000)
    await trio.sleep(1)
    assert len(flow._pieces) == 1
    await far.send_all(b"\x80\x81\0\0\0\0a")
    await trio.sleep(1)

    assert messages == [(b"a", flow.remote)]
    flow.close()
    await streams.ended.wait()
