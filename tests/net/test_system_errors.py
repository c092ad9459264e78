"""What the system refuses, on real sockets: typed errors, and what is left goes on."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import open_side

import trivox
from trivox.errors import EngineError, EngineExhaustedError, TransportError
from trivox.media.native_engine import LiveMedia
from trivox.net.target import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.native

OWN = ["sip:127.0.0.1:0;transport=udp"]


@contextmanager
def no_descriptor_left(*, but: int = 0) -> Iterator[None]:
    """Let every further descriptor be refused with EMFILE, but some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probes = [os.dup(0) for _ in range(but + 1)]
    for probe in probes:
        os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(probes), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_a_session_without_a_descriptor_says_so_and_the_next_one_opens(transport) -> None:
    media = LiveMedia(seed=b"tests")
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        with no_descriptor_left(), pytest.raises(EngineExhaustedError, match="ulimit"):
            media.sessions.create_offer(open_side(media, transport).session)

        assert "m=audio" in media.sessions.create_offer(open_side(media, transport).session)
        nursery.cancel_scope.cancel()
    media.close()


async def test_an_address_that_is_not_ours_is_wrong_and_no_exhaustion() -> None:
    media = LiveMedia(seed=b"tests")
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        with pytest.raises(EngineError) as caught:
            media.sessions.create_offer(open_side(media, "plain", "192.0.2.1").session)
        nursery.cancel_scope.cancel()
    media.close()
    assert not isinstance(caught.value, EngineExhaustedError)


async def test_a_request_without_a_descriptor_fails_and_the_next_one_leaves() -> None:
    own = ["sip:127.0.0.1:0;transport=tcp"]
    async with trivox.open_client(listen=own) as server, trivox.open_client(listen=own) as client:
        server.on(trivox.IncomingCall, print)
        uri = f"sip:127.0.0.1:{parse_endpoint(server.listening_on[0])[2]};transport=tcp"
        with no_descriptor_left(), pytest.raises(TransportError):
            await client.request("OPTIONS", uri)

        with trio.fail_after(20):
            assert (await client.request("OPTIONS", uri)).status == 200


async def test_a_connection_that_finds_no_descriptor_is_taken_when_there_is_one() -> None:
    listen = ["sip:127.0.0.1:0;transport=tcp", *OWN]
    async with trivox.open_client(listen=listen) as server, trivox.open_client(listen=OWN) as other:
        server.on(trivox.IncomingCall, print)
        ports = [parse_endpoint(uri)[2] for uri in server.listening_on]
        with no_descriptor_left(but=1), trio.fail_after(20):
            stream = await trio.open_tcp_stream("127.0.0.1", ports[0])
            udp = f"sip:127.0.0.1:{ports[1]};transport=udp"
            assert (await other.request("OPTIONS", udp)).status == 200, "it goes on meanwhile"

        async with stream:
            with trio.fail_after(20):
                await stream.send_all(OPTIONS)
                assert b"200 OK" in await stream.receive_some(4096)


async def test_where_nothing_can_be_sent_is_told_and_not_waited_for() -> None:
    """EACCES: a broadcast address is none a request goes to."""
    async with trivox.open_client(listen=OWN, filter_targets=False) as client:
        with trio.fail_after(20), pytest.raises(TransportError):  # Timer F is 32 s
            await client.request("OPTIONS", "sip:255.255.255.255:5060;transport=udp")


OPTIONS = (
    b"OPTIONS sip:bot@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKo\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:bot@b>\r\nCall-ID: o\r\n"
    b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
