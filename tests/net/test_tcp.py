"""A TCP flow: pieces in, queued writes out, and its limits in time."""

from __future__ import annotations

import socket

import pytest
import trio

from trivox.net.outbox import MESSAGES
from trivox.net.sockets import SystemSockets

ANY = ("10.0.0.2", 1)


async def test_pieces_are_delivered_as_they_come(streams, autojump_clock):
    _, far = await streams.connect_tcp()

    await far.send_all(b"one\n")
    await trio.sleep(1)
    await far.send_all(b"two\n")
    await trio.sleep(1)

    assert streams.received == [b"one\n", b"two\n"]
    far.close()
    await streams.ended.wait()


async def test_what_is_sent_in_one_turn_leaves_in_one_piece(streams, autojump_clock):
    flow, far = await streams.connect_tcp()
    await trio.sleep(1)

    flow.send(b"one ", ANY)
    flow.send(b"two", ANY)

    assert await far.receive_some(100) == b"one two"
    flow.close()
    await streams.ended.wait()


async def test_a_connection_without_a_first_message_ends_after_10_s(streams, autojump_clock):
    start = trio.current_time()
    await streams.connect_tcp()

    await streams.ended.wait()

    assert trio.current_time() - start == pytest.approx(10, abs=0.1)


async def test_dripping_bytes_do_not_lengthen_the_wait_for_a_message(streams, autojump_clock):
    start = trio.current_time()
    _, far = await streams.connect_tcp()

    for _ in range(9):
        await far.send_all(b"x")
        await trio.sleep(1)
    await streams.ended.wait()

    assert trio.current_time() - start == pytest.approx(10, abs=0.1)


async def test_a_silent_connection_ends_after_120_s(streams, autojump_clock):
    _, far = await streams.connect_tcp()
    await far.send_all(b"message\n")
    start = trio.current_time()

    await streams.ended.wait()

    assert trio.current_time() - start == pytest.approx(120, abs=0.1)


async def test_a_connection_that_carries_a_dialog_may_be_silent(streams, autojump_clock):
    flow, far = await streams.connect_tcp()
    await far.send_all(b"message\n")
    flow.wire.keep()

    await trio.sleep(80_000)

    assert not streams.ended.is_set()
    flow.close()
    await streams.ended.wait()


async def test_a_far_end_that_does_not_read_is_given_up_when_the_queue_is_full(
    streams, autojump_clock
):
    flow, far = await streams.connect_tcp()
    await far.send_all(b"message\n")
    await trio.sleep(1)

    flow.send(bytes(300_000), ANY)
    await trio.sleep(1)
    flow.send(b"waits for room", ANY)
    await trio.sleep(1)
    for _ in range(MESSAGES):
        flow.send(b"message", ANY)
    assert not flow.wire.is_closed
    flow.send(b"one too many", ANY)

    assert flow.wire.is_closed
    await streams.ended.wait()


async def test_a_queue_over_1_mib_closes_the_flow(streams, autojump_clock):
    flow, _ = await streams.connect_tcp()

    flow.send(bytes(1024 * 1024), ANY)
    assert not flow.wire.is_closed
    flow.send(b"x", ANY)

    assert flow.wire.is_closed
    await streams.ended.wait()


async def test_a_reset_ends_the_flow(streams, autojump_clock):
    flow, far = await streams.connect_tcp()
    await trio.sleep(1)

    far.reset()
    await streams.ended.wait()

    assert flow.wire.is_closed


async def test_finish_writes_what_is_queued_and_then_closes(streams, autojump_clock):
    def refuse(flow, data):
        flow.send(b"bad", ANY)
        flow.wire.finish()
        return False

    _, far = await streams.connect_tcp(refuse)
    await far.send_all(b"garbage")

    assert await far.receive_some(100) == b"bad"
    assert await far.receive_some(100) == b""
    await streams.ended.wait()


async def test_a_ping_that_is_answered_keeps_the_connection(streams, autojump_clock):
    flow, far = await streams.connect_tcp()
    await far.send_all(b"message\n")
    flow.wire.keep()

    for _ in range(3):
        flow.ping(ANY)
        assert await far.receive_some(100) == b"\r\n\r\n"
        await trio.sleep(9)
        await far.send_all(b"\r\n")
        await trio.sleep(60)

    assert not streams.ended.is_set()
    flow.close()
    await streams.ended.wait()


async def test_a_ping_without_an_answer_ends_the_connection_after_10_s(streams, autojump_clock):
    flow, far = await streams.connect_tcp()
    await far.send_all(b"message\n")
    flow.wire.keep()
    await trio.sleep(1000)
    start = trio.current_time()

    flow.ping(ANY)
    await trio.sleep(5)
    flow.ping(ANY)  # asking again buys no time
    await streams.ended.wait()

    assert trio.current_time() - start == pytest.approx(10, abs=0.1)


@pytest.mark.native
async def test_the_system_notices_a_far_end_that_is_gone_within_30_s():
    sockets = SystemSockets()
    listener = sockets.listen_stream(("127.0.0.1", 0))
    made = await sockets.open_connector("127.0.0.1", listener.local).connect()
    accepted = await listener.accept()

    for connection in (made, accepted):
        option = connection._stream.getsockopt
        assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        connection.close()
    listener.close()
