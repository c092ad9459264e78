"""Endpoints on real loopback sockets: batches, addresses, connections, descriptors."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import trio

from trivox import _native
from trivox.errors import (
    ConnectionNetworkError,
    InvalidArgumentsError,
    InvalidUriError,
    NotSupportedError,
)
from trivox.net.endpoint import Endpoint
from trivox.net.limits import StreamLimits
from trivox.sip.outputs import SendRequest, SendResponse

pytestmark = pytest.mark.native


class User:
    """Answers every request with 200 and a Contact, and keeps all events."""

    def __init__(self):
        self.endpoint = None
        self.requests, self.responses, self.closed, self.failed = [], [], [], []
        self.changed = trio.Event()

    def handle_sip(self, events, now):
        for kind, token, tx, _, status, message, flow, source in events:
            if kind == _native.EVENT_REQUEST:
                self.requests.append((message, flow, source))
                contact = self.endpoint.contact(self.endpoint.flow(flow), source, "me")
                output = SendResponse(tx, 200, "OK", (("Contact", contact),), b"", "tag")
                self.endpoint.respond(output, token=token)
            elif kind == _native.EVENT_RESPONSE:
                self.responses.append((status, token, message))
            else:
                self.failed.append((kind, token))
        self.change()

    def handle_flow_closed(self, flow, *, is_peers):
        self.closed.append(flow)
        self.change()

    def change(self):
        self.changed.set()
        self.changed = trio.Event()

    async def wait(self, condition):
        with trio.fail_after(10):
            while not condition(self):
                await self.changed.wait()


@pytest.fixture
async def start(nursery):
    """Return an async function that starts an endpoint and gives (endpoint, user)."""

    async def start(*listen, **settings):
        user = User()
        user.endpoint = Endpoint(user, listen=listen, seed=os.urandom(32), **settings)
        await nursery.start(user.endpoint.run)
        return user.endpoint, user

    return start


@pytest.fixture(autouse=True)
def _descriptors_back_to_base():
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def options(uri, number=1, **headers):
    return SendRequest(
        "OPTIONS",
        uri,
        (
            ("From", "<sip:a@example.org>;tag=1"),
            ("To", f"<{uri}>"),
            ("Call-ID", f"call-{number}"),
            ("CSeq", "1 OPTIONS"),
            ("Max-Forwards", "70"),
            *headers.items(),
        ),
    )


def send(endpoint, uri, number=1, token=0):
    target = endpoint.resolve_now(uri)
    flow = endpoint.flow_to(target)
    endpoint.request(options(uri, number), token=token, flow=flow, destination=target.address)
    return flow


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_a_request_is_answered(start, nursery, transport):
    server, server_user = await start(f"sip:127.0.0.1:0;transport={transport}")
    client, client_user = await start()

    send(client, server.listening_on[0], token=7)
    await client_user.wait(lambda user: user.responses)

    status, token, response = client_user.responses[0]
    assert (status, token) == (200, 7)
    assert response.header("Contact") == f"<{server.listening_on[0].replace('sip:', 'sip:me@')}>"
    request, _, source = server_user.requests[0]
    name = {"udp": "UDP", "tcp": "TCP", "ws": "WS"}[transport]
    assert request.header("Via").startswith(f"SIP/2.0/{name} ")
    assert source[0] == "127.0.0.1"
    nursery.cancel_scope.cancel()


async def test_a_second_request_uses_the_open_connection(start, nursery):
    server, server_user = await start("sip:127.0.0.1:0;transport=tcp")
    client, client_user = await start()

    first = send(client, server.listening_on[0])
    await client_user.wait(lambda user: len(user.responses) == 1)
    second = send(client, server.listening_on[0], 2)
    await client_user.wait(lambda user: len(user.responses) == 2)

    assert first is second
    assert len({flow for _, flow, _ in server_user.requests}) == 1
    nursery.cancel_scope.cancel()


async def test_the_far_end_reuses_the_connection_it_accepted(start, nursery):
    server, server_user = await start("sip:127.0.0.1:0;transport=tcp")
    client, _ = await start()
    send(client, server.listening_on[0])
    await server_user.wait(lambda user: user.requests)
    _, flow, source = server_user.requests[0]
    contact = client.contact(client.flow(1), source, "")

    hop = server.next_hop(contact.strip("<>"), flow=flow, source=source)
    target = server.resolve_now(contact.strip("<>"))

    assert hop == (server.flow(flow), source)
    assert server.flow_to(target) is server.flow(flow)
    nursery.cancel_scope.cancel()


async def test_a_refused_connection_fails_its_requests(start, nursery):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    client, user = await start()

    send(client, f"sip:127.0.0.1:{port};transport=tcp", token=5)
    await user.wait(lambda user: user.closed)

    assert user.failed == [(_native.EVENT_TRANSPORT_ERROR, 5)]
    assert client.flow(user.closed[0]) is None
    nursery.cancel_scope.cancel()


async def test_a_connection_closed_by_the_far_end_fails_its_requests(start, nursery):
    listener = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener[0].socket.getsockname()[1]
    client, user = await start()

    send(client, f"sip:127.0.0.1:{port};transport=tcp", token=5)
    stream = await listener[0].accept()
    assert (await stream.receive_some(10_000)).startswith(b"OPTIONS ")
    await stream.aclose()
    await user.wait(lambda user: user.closed)

    assert user.failed == [(_native.EVENT_TRANSPORT_ERROR, 5)]
    await listener[0].aclose()
    nursery.cancel_scope.cancel()


async def test_a_stream_that_is_no_sip_is_closed(start, nursery):
    server, user = await start("sip:127.0.0.1:0;transport=tcp")
    port = server.resolve_now(server.listening_on[0]).address[1]
    stream = await trio.open_tcp_stream("127.0.0.1", port)

    await stream.send_all(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: many\r\n\r\n")
    with trio.fail_after(5):
        while await stream.receive_some(1000):
            pass

    assert user.requests == []
    await stream.aclose()
    nursery.cancel_scope.cancel()


async def test_a_request_split_at_every_byte_is_taken(start, nursery):
    server, user = await start("sip:127.0.0.1:0;transport=tcp")
    port = server.resolve_now(server.listening_on[0]).address[1]
    head = (
        b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%d\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\n"
        b"Max-Forwards: 70\r\nContent-Length: 4\r\n\r\nbody"
    )
    size = len(head % (100, 100))
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    for split in range(size):
        message = head % (100 + split, 100 + split)
        await stream.send_all(message[:split])
        await trio.lowlevel.checkpoint()
        await stream.send_all(message[split:])
    await user.wait(lambda user: len(user.requests) == size)

    assert {message.body for message, _, _ in user.requests} == {b"body"}
    await stream.aclose()
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("listen", "host"),
    [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("[::]", "[::1]")],
)
@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_a_wildcard_never_leaves(start, nursery, listen, host, transport):
    server, server_user = await start(f"sip:{listen}:0;transport={transport}")
    port = server.resolve_now(server.listening_on[0]).address[1]
    client, client_user = await start(f"sip:{listen}:0;transport=udp")

    send(client, f"sip:{host}:{port};transport={transport}")
    await client_user.wait(lambda user: user.responses)

    contact = client_user.responses[0][2].header("Contact")
    assert contact == f"<sip:me@{host}:{port};transport={transport}>"
    via = server_user.requests[0][0].header("Via")
    assert "0.0.0.0" not in via
    assert "[::]" not in via
    nursery.cancel_scope.cancel()


async def test_an_advertised_address_is_told_in_place_of_ours(start, nursery):
    server, _ = await start("sip:0.0.0.0:0;transport=udp", advertised="203.0.113.9:5070")
    flow = server.flow(1)

    assert server.local_address(flow, ("127.0.0.1", 9)) == ("203.0.113.9", 5070)
    assert server.contact(flow, ("127.0.0.1", 9), "") == "<sip:203.0.113.9:5070;transport=udp>"
    nursery.cancel_scope.cancel()


async def test_a_websocket_client_goes_by_an_invalid_name(start, nursery):
    """RFC 7118 §5."""
    server, server_user = await start("sip:127.0.0.1:0;transport=ws")
    client, _ = await start()

    flow = send(client, server.listening_on[0])
    await server_user.wait(lambda user: user.requests)

    sent_by = server_user.requests[0][0].header("Via").split()[1].partition(";")[0]
    assert sent_by.endswith(".invalid")
    assert client.contact(flow, ("127.0.0.1", 1), "bob") == f"<sip:bob@{sent_by};transport=ws>"
    nursery.cancel_scope.cancel()


async def test_pages_and_websocket_share_a_port(start, nursery):
    from trivox.net.pages import PageResponse

    async def pages(request):
        return PageResponse(200, (), request.target.encode())

    server, _ = await start("sip:127.0.0.1:0;transport=ws", pages=pages)
    port = server.resolve_now(server.listening_on[0]).address[1]
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b"".join([piece async for piece in stream])
    await stream.aclose()

    assert answer.endswith(b"\r\n\r\n/hello")
    nursery.cancel_scope.cancel()


async def test_connections_of_one_host_are_bounded_and_silent_ones_make_room(start, nursery):
    server, user = await start("sip:127.0.0.1:0;transport=tcp", limits=StreamLimits(per_address=3))
    port = server.resolve_now(server.listening_on[0]).address[1]
    idle = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(3)]
    client, client_user = await start()

    send(client, server.listening_on[0])
    await client_user.wait(lambda user: user.responses)

    assert user.closed == [idle_flow := min(user.closed)]
    assert server.flow(idle_flow) is None
    for stream in idle:
        await stream.aclose()
    nursery.cancel_scope.cancel()


async def test_the_trace_sees_whole_messages_with_their_direction(start, nursery):
    seen = []
    server, _ = await start(
        "sip:127.0.0.1:0;transport=tcp", trace=lambda *record: seen.append(record)
    )
    client, user = await start()

    send(client, server.listening_on[0])
    await user.wait(lambda user: user.responses)

    assert [record[1] for record in seen] == ["in", "out"]
    assert [record[5].split(b"\r\n")[0] for record in seen] == [
        f"OPTIONS {server.listening_on[0]} SIP/2.0".encode(),
        b"SIP/2.0 200 OK",
    ]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("sip:127.0.0.1:0;transport=sctp", NotSupportedError),
        ("sips:127.0.0.1:0", InvalidArgumentsError),
        ("tel:+15550100", InvalidUriError),
        ("nonsense", InvalidUriError),
    ],
)
async def test_an_address_we_cannot_listen_on_is_refused(uri, error):
    endpoint = Endpoint(User(), listen=[uri], seed=bytes(32))

    with pytest.raises(error):
        await endpoint.run()


async def test_a_name_without_an_address_is_an_error(start, nursery):
    client, _ = await start()

    with pytest.raises(ConnectionNetworkError):
        await client.resolve("sip:a@nowhere.invalid")
    assert client.resolve_now("sip:a@nowhere.invalid") is None
    assert (await client.resolve("sip:localhost:5070")).addresses[0][1] == 5070
    nursery.cancel_scope.cancel()


async def test_statistics_count_what_went_out(start, nursery):
    server, _ = await start("sip:127.0.0.1:0;transport=udp")
    client, user = await start("sip:127.0.0.1:0;transport=udp")

    send(client, server.listening_on[0])
    await user.wait(lambda user: user.responses)

    assert server.statistics().messages_out == 1
    assert server.statistics().core["received"] == 1
    assert client.statistics().flows == 1
    nursery.cancel_scope.cancel()
