"""Where a URI leads, what a route says, and what writers hold."""

from __future__ import annotations

import pytest
import trio

from trivox import open_switchboard
from trivox.errors import (
    ConnectionNetworkError,
    InvalidArgumentsError,
    InvalidUriError,
    NotSupportedError,
)
from trivox.net.dns_client import SystemDns
from trivox.net.outbox import Outbox
from trivox.net.resolver import Resolver
from trivox.net.route import RouteTable, host_port, sip_uri
from trivox.net.tracing import StreamSplitter


async def no_name(host, port):
    raise AssertionError(f"{host} needs no look-up")


def system(look_up):
    """Return a resolver that has the system's and no DNS."""
    return Resolver(SystemDns(look_up), has_records=False, draw=lambda: 0.5)


@pytest.mark.parametrize(
    ("uri", "transport", "address"),
    [
        ("sip:10.0.0.1", "udp", ("10.0.0.1", 5060)),
        ("sip:a@10.0.0.1:5070", "udp", ("10.0.0.1", 5070)),
        ("sip:10.0.0.1;transport=TCP", "tcp", ("10.0.0.1", 5060)),
        ("sip:10.0.0.1;transport=ws", "ws", ("10.0.0.1", 80)),
        ("sip:10.0.0.1;transport=wss", "wss", ("10.0.0.1", 443)),
        ("sip:10.0.0.1;transport=tls", "tls", ("10.0.0.1", 5061)),
        ("sips:10.0.0.1", "tls", ("10.0.0.1", 5061)),
        ("sips:10.0.0.1;transport=tcp", "tls", ("10.0.0.1", 5061)),
        ("sips:10.0.0.1:8443;transport=ws", "wss", ("10.0.0.1", 8443)),
        ("sip:[2001:DB8::0:1]:5070;transport=tcp", "tcp", ("2001:db8::1", 5070)),
        ("sip:example.org;maddr=10.0.0.9", "udp", ("10.0.0.9", 5060)),
        ("sip:example.org:5070;maddr=10.0.0.9;transport=tcp", "tcp", ("10.0.0.9", 5070)),
    ],
)
def test_a_numeric_uri_needs_no_look_up(uri, transport, address):
    target = system(no_name).resolve_now(uri)

    assert (target.transport, target.address) == (transport, address)


def test_a_certificate_must_be_of_the_uris_domain_and_not_of_its_maddr():
    target = system(no_name).resolve_now("sips:example.org;maddr=10.0.0.9")

    assert (target.host, target.address) == ("example.org", ("10.0.0.9", 5061))


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("sips:10.0.0.1;transport=udp", NotSupportedError),
        ("sip:10.0.0.1;transport=sctp", NotSupportedError),
        ("sip:[fe80::1]:5060", InvalidUriError),
        ("sip:[febf::1%25eth0]", InvalidUriError),
        ("tel:+1555", InvalidUriError),
        ("", InvalidUriError),
        ("sip:", InvalidUriError),
    ],
)
def test_a_uri_we_cannot_send_to_is_an_error(uri, error):
    with pytest.raises(error):
        system(no_name).resolve_now(uri)


async def test_a_name_is_looked_up_once_a_minute(autojump_clock):
    asked = []

    async def look_up(host, port):
        asked.append(host)
        return [("10.0.0.1", port), ("10.0.0.1", port), ("10.0.0.2", port)]

    resolver = system(look_up)
    assert resolver.resolve_now("sip:example.org") is None
    first = await resolver.resolve("sip:example.org")
    await trio.sleep(59)
    await resolver.resolve("sip:example.org")
    await trio.sleep(2)
    await resolver.resolve("sip:example.org")

    assert first.addresses == (("10.0.0.1", 5060), ("10.0.0.2", 5060))
    assert len(asked) == 2


async def test_a_name_with_no_address_is_an_error():
    async def look_up(host, port):
        return []

    with pytest.raises(ConnectionNetworkError):
        await system(look_up).resolve("sip:example.org")


def test_routes_are_looked_up_again_after_half_a_minute():
    asked = []

    def look_up(peer):
        asked.append(peer)
        return "10.0.0.1"

    table = RouteTable(look_up)

    assert [table.local_host("10.0.0.2", now) for now in (0, 29, 31)] == ["10.0.0.1"] * 3
    assert len(asked) == 2


@pytest.mark.parametrize(("peer", "local"), [("10.0.0.2", "127.0.0.1"), ("fd00::2", "::1")])
def test_without_a_route_a_loopback_address_is_told_and_no_wildcard(peer, local):
    def fails(peer):
        raise OSError

    assert RouteTable(fails).local_host(peer, 0) == local
    assert RouteTable(lambda peer: "0.0.0.0").local_host(peer, 0) == local


def test_ipv6_hosts_are_written_in_brackets():
    assert host_port(("::1", 5060)) == "[::1]:5060"
    assert sip_uri(("::1", 5060), "tcp", "bob") == "sip:bob@[::1]:5060;transport=tcp"


async def test_an_outbox_is_empty_when_the_last_piece_was_written(nursery, autojump_clock):
    outbox, written = Outbox(), []

    async def write():
        while True:
            data = await outbox.take()
            await trio.sleep(1)
            written.append(data)

    nursery.start_soon(write)
    outbox.put(b"one")
    outbox.put(b"two")
    await outbox.wait_empty()

    assert written == [b"onetwo"]
    assert outbox.is_empty
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_traced_stream_is_cut_into_its_messages(size):
    one = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc"
    two = b"BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
    data = b"\r\n\r\n" + one + two + b"\r\n\r\n" + one
    splitter = StreamSplitter()

    messages = []
    for start in range(0, len(data), size):
        messages += splitter.split(data[start : start + size])

    assert messages == [one, two, one]


@pytest.mark.parametrize(
    "advertised", ["a.test:0", "a.test:65536", "a.test:x", "a b", "[::1]:sip", ":5060", "a.test:-1"]
)
def test_an_advertised_address_that_is_none_is_refused(advertised):
    with pytest.raises(InvalidArgumentsError, match="advertised"):
        open_switchboard(advertised=advertised)
