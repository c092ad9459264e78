"""What the virtual network does wrong when a test asks for it."""

from __future__ import annotations

import errno

import pytest
import trio

from trivox.testing import Link, LinkFaults

A, B = ("10.0.0.1", 5060), ("10.0.0.2", 5060)


async def connected(link):
    listener = link.host("10.0.0.2").listen_stream(B)
    connection = await link.host("10.0.0.1").open_connector("10.0.0.1", B).connect()
    return connection, await listener.accept()


async def received(connection):
    data = b""
    while True:
        try:
            piece = await connection.receive_some(100)
        except trio.BrokenResourceError:
            return data, "reset"
        if not piece:
            return data, "end"
        data += piece


async def test_a_corrupted_datagram_differs_in_at_most_one_byte(autojump_clock):
    link = Link(3)
    link.faults.corrupt = 1.0
    one = link.host("10.0.0.1").bind_datagram(A)
    other = link.host("10.0.0.2").bind_datagram(B)
    for _ in range(50):
        one.send(b"0123456789", B)
    await trio.sleep(1)

    pairs = [zip(data, b"0123456789", strict=True) for data, _ in other.receive(64)]

    changed = [sum(a != b for a, b in pair) for pair in pairs]
    assert len(changed) == 50
    assert set(changed) <= {0, 1}
    assert sum(changed) > 40


async def test_a_spike_holds_a_datagram_up(autojump_clock):
    link = Link(delay=0.5)
    link.faults = LinkFaults(spike=1.0, spike_delay=2.0)
    one = link.host("10.0.0.1").bind_datagram(A)
    other = link.host("10.0.0.2").bind_datagram(B)
    start = trio.current_time()

    one.send(b"late", B)
    await other.wait_readable()

    assert trio.current_time() - start == 2.5


@pytest.mark.parametrize("fault", ["send", "open", "connect", "accept", "resolve"])
async def test_a_share_of_one_fails_always(fault, autojump_clock):
    link = Link(names={"b.example": "10.0.0.2"})
    host = link.host("10.0.0.1")
    socket = host.bind_datagram(A)
    listener = link.host("10.0.0.2").listen_stream(B)
    connector = host.open_connector("10.0.0.1", B)
    if fault == "accept":
        await connector.connect()
    setattr(link.faults, fault, 1.0)

    with pytest.raises(OSError) as caught:
        match fault:
            case "send":
                socket.send(b"x", B)
            case "open":
                host.open_connector("10.0.0.1", B)
            case "connect":
                await connector.connect()
            case "accept":
                await listener.accept()
            case "resolve":
                await host.resolve("b.example", 5060)

    assert fault == "resolve" or caught.value.errno in errno.errorcode


async def test_a_reset_cuts_a_write_at_any_byte(autojump_clock):
    cuts = set()
    for seed in range(60):
        link = Link(seed)
        link.faults.reset = 1.0
        one, other = await connected(link)
        with pytest.raises(trio.BrokenResourceError):
            await one.send_all(b"0123456789")
        with pytest.raises(trio.BrokenResourceError):
            await one.send_all(b"more")
        data, how = await received(other)
        assert b"0123456789".startswith(data)
        assert how == "reset"
        assert (await received(one)) == (b"", "reset")
        cuts.add(len(data))

    assert cuts == set(range(11))


async def test_an_unplugged_host_loses_its_connections_and_its_datagrams(autojump_clock):
    link = Link()
    one, other = await connected(link)
    socket = link.host("10.0.0.1").bind_datagram(A)
    peer = link.host("10.0.0.2").bind_datagram(B)

    link.unplug("10.0.0.2")
    socket.send(b"lost", B)
    assert (await received(one)) == (b"", "reset")
    assert (await received(other)) == (b"", "reset")
    link.unplug("10.0.0.2", unplugged=False)
    socket.send(b"there", B)
    await peer.wait_readable()

    assert [data for data, _ in peer.receive(9)] == [b"there"]


async def test_loss_between_two_hosts_is_theirs_alone(autojump_clock):
    link = Link()
    link.set_loss("10.0.0.1", "10.0.0.2", 1.0)
    one = link.host("10.0.0.1").bind_datagram(A)
    other = link.host("10.0.0.2").bind_datagram(B)
    third = link.host("10.0.0.3").bind_datagram(("10.0.0.3", 5060))

    one.send(b"lost", B)
    third.send(b"there", B)
    await trio.sleep(1)

    assert [data for data, _ in other.receive(9)] == [b"there"]
