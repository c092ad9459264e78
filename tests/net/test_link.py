"""The virtual network: faults from a seed, exact times, endpoints over it."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
import trio

from trivox import _native
from trivox.net.endpoint import Endpoint
from trivox.sip.outputs import SendRequest, SendResponse
from trivox.testing import Link, run_repeatably

A, B = ("10.0.0.1", 5060), ("10.0.0.2", 5060)


async def drain(socket, count):
    received = []
    while len(received) < count:
        await socket.wait_readable()
        received += [(trio.current_time(), data) for data, _ in socket.receive(64)]
    return received


async def test_a_datagram_arrives_after_the_delay(autojump_clock):
    link = Link(delay=0.25)
    one = link.host("10.0.0.1").bind_datagram(A)
    other = link.host("10.0.0.2").bind_datagram(B)
    start = trio.current_time()

    one.send(b"hello", B)
    assert other.receive(64) == []
    await other.wait_readable()

    assert trio.current_time() - start == 0.25
    assert other.receive(64) == [(b"hello", A)]
    one.close()
    other.close()
    assert link.open_sockets == 0


async def test_faults_are_those_of_the_seed(autojump_clock):
    async def run(seed):
        link = Link(seed, loss=0.1, duplicate=0.1, reorder=0.1, jitter=0.02)
        one = link.host("10.0.0.1").bind_datagram(A)
        other = link.host("10.0.0.2").bind_datagram(B)
        for number in range(500):
            one.send(b"%d" % number, B)
            await trio.sleep(0.02)
        await trio.sleep(1)
        received = [data for data, _ in other.receive(1000)]
        assert len(received) == 500 - link.statistics.lost + link.statistics.doubled
        return received, link.statistics.lost, link.statistics.doubled

    first, lost, doubled = await run(1)

    assert (first, lost, doubled) == await run(1)
    assert first != (await run(2))[0]
    assert 20 < lost < 90
    assert 20 < doubled < 90
    assert sorted(first, key=int) != first


async def test_a_partition_loses_everything_until_it_is_joined(autojump_clock):
    link = Link()
    one = link.host("10.0.0.1").bind_datagram(A)
    other = link.host("10.0.0.2").bind_datagram(B)

    link.partition("10.0.0.1", "10.0.0.2")
    one.send(b"lost", B)
    link.partition("10.0.0.1", "10.0.0.2", cut=False)
    one.send(b"found", B)

    assert [data for _, data in await drain(other, 1)] == [b"found"]


async def test_a_closed_socket_wakes_who_waits_at_it(nursery, autojump_clock):
    socket = Link().host("10.0.0.1").bind_datagram(A)
    nursery.start_soon(_close_after, socket, 5)

    with pytest.raises(trio.ClosedResourceError):
        await socket.wait_readable()
    with pytest.raises(OSError, match="closed"):
        socket.send(b"late", B)


async def _close_after(socket, delay):
    await trio.sleep(delay)
    socket.close()


@pytest.mark.parametrize("bind", ["bind_datagram", "listen_stream"])
async def test_an_address_is_bound_once_and_free_again_when_closed(autojump_clock, bind):
    link = Link()
    host = link.host("10.0.0.1", "10.0.0.9", "fd00::1")

    first = getattr(host, bind)(("0.0.0.0", 5060))
    with pytest.raises(OSError, match="in use"):
        getattr(host, bind)(("10.0.0.9", 5060))
    with pytest.raises(OSError, match="no address"):
        getattr(host, bind)(("10.0.0.2", 5060))
    first.close()
    getattr(host, bind)(("10.0.0.9", 5060)).close()

    assert link.open_sockets == 0


async def test_streams_are_cut_but_stay_in_order(nursery, autojump_clock):
    link = Link(3, largest_piece=5, jitter=0.05)
    listener = link.host("10.0.0.1").listen_stream(A)
    near = await link.host("10.0.0.2").open_connector("10.0.0.2", A).connect()
    far = await listener.accept()

    for number in range(50):
        await near.send_all(b"%02d," % number)
    near.close()
    pieces = []
    while piece := await far.receive_some(1000):
        pieces.append(piece)

    assert b"".join(pieces) == b"".join(b"%02d," % number for number in range(50))
    assert max(map(len, pieces)) <= 5
    with pytest.raises(trio.BrokenResourceError):
        await far.send_all(b"nobody reads this")


async def test_nobody_listens_is_an_error(autojump_clock):
    link = Link()

    with pytest.raises(OSError, match="nobody listens"):
        await link.host("10.0.0.1").open_connector("10.0.0.1", B).connect()


class User:
    """Answers with 200, and keeps the time and kind of each event."""

    def __init__(self):
        self.endpoint = None
        self.seen = []

    def handle_sip(self, events, now):
        for kind, token, tx, _, status, message, _, _ in events:
            self.seen.append((now, kind, status))
            if kind == _native.EVENT_REQUEST:
                self.endpoint.respond(
                    SendResponse(tx, 200, "OK", (), b"", f"t{message.header('Call-ID')}"),
                    token=token,
                )

    def handle_flow_closed(self, flow, *, is_peers):
        pass


async def start(nursery, host, *listen, **settings):
    user = User()
    user.endpoint = Endpoint(user, listen=listen, seed=bytes(32), sockets=host, **settings)
    await nursery.start(user.endpoint.run)
    return user.endpoint, user


def send(endpoint, uri, number=1):
    target = endpoint.resolve_now(uri)
    headers = (
        ("From", "<sip:a@example.org>;tag=1"),
        ("To", f"<{uri}>"),
        ("Call-ID", f"{number}"),
        ("CSeq", "1 OPTIONS"),
        ("Max-Forwards", "70"),
    )
    flow = endpoint.flow_to(target)
    request = SendRequest("OPTIONS", uri, headers)
    endpoint.request(request, token=number, flow=flow, destination=target.address)


async def test_a_lost_request_is_repeated_by_timer_e_and_given_up_by_timer_f(
    nursery, autojump_clock
):
    link, sent = Link(), []
    client, user = await start(
        nursery,
        link.host("10.0.0.1"),
        "sip:10.0.0.1:5060",
        trace=lambda time, direction, *_: sent.append((time - began, direction)),
    )
    began = trio.current_time()

    send(client, "sip:10.0.0.2")
    await trio.sleep(100)

    times = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert sent == [(pytest.approx(time), "out") for time in times]
    assert user.seen == [(pytest.approx(began + 32), _native.EVENT_TIMEOUT, 0)]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_endpoints_talk_over_the_link(nursery, autojump_clock, transport):
    link = Link(5, largest_piece=7, names={"server.test": "10.0.0.2"})
    await start(nursery, link.host("10.0.0.2"), f"sip:10.0.0.2:5060;transport={transport}")
    client, user = await start(nursery, link.host("10.0.0.1"))

    target = await client.resolve(f"sip:server.test:5060;transport={transport}")
    assert target.address == B
    for number in range(1, 21):
        send(client, f"sip:10.0.0.2:5060;transport={transport}", number)
    await trio.sleep(60)

    assert [(kind, status) for _, kind, status in user.seen] == [(_native.EVENT_RESPONSE, 200)] * 20
    assert client.statistics().core["transactions"] == 0
    nursery.cancel_scope.cancel()


def test_the_same_seed_gives_the_same_packets():
    async def program():
        digest = hashlib.sha256()
        link = Link(11, loss=0.2, duplicate=0.1, reorder=0.1, jitter=0.01)
        async with trio.open_nursery() as nursery:
            await start(nursery, link.host("10.0.0.2"), "sip:10.0.0.2")
            client, user = await start(
                nursery,
                link.host("10.0.0.1"),
                "sip:10.0.0.1",
                trace=lambda *record: digest.update(repr(record).encode()),
            )
            origin = trio.current_time()
            for number in range(1, 101):
                send(client, "sip:10.0.0.2", number)
                await trio.sleep(0.01)
            await trio.sleep(100)
            assert len(user.seen) == 100
            assert {kind for _, kind, _ in user.seen} == {_native.EVENT_RESPONSE}
            assert origin == 0
            nursery.cancel_scope.cancel()
        return digest.hexdigest()

    assert run_repeatably(program, seed=1) == run_repeatably(program, seed=1)


HALF = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 60000\r\n\r\n"


@pytest.mark.parametrize("first", [HALF, b""], ids=["inside a message", "alone"])
async def test_line_breaks_buy_a_connection_no_time(first, nursery, autojump_clock):
    link = Link(7)
    server, _ = await start(nursery, link.host("10.0.0.1"), "sip:10.0.0.1:5060;transport=tcp")
    connector = link.host("10.0.0.2").open_connector("10.0.0.2", ("10.0.0.1", 5060))
    far = await connector.connect()
    opened_at = trio.current_time()
    await far.send_all(first or b"\r\n")
    await trio.sleep(0.5)

    with trio.move_on_after(60), suppress(trio.BrokenResourceError):
        while server.statistics().flows:
            await far.send_all(b"\r\n\r\n")
            await trio.sleep(0.5)

    assert trio.current_time() - opened_at == pytest.approx(10, abs=1)
    nursery.cancel_scope.cancel()
