"""What the system refuses to send: the transaction ends, or goes to the next server, at once."""

from __future__ import annotations

import errno
import os

import pytest
import trio
from tests.client.test_failover import ALIVE, URI, answering, servers

from trivox.errors import CallFailedError, TransportError
from trivox.testing.far_end import SDP
from trivox.testing.link import LinkDatagramSocket

NO_WAY = [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EMSGSIZE]
PASSING = [errno.ENOBUFS, errno.EAGAIN]
GONE = "10.0.0.9"


class Refusal:
    """Has the virtual sockets refuse datagrams to one host, with one error."""

    def __init__(self, monkeypatch, error: int, *, host: str = GONE, most: int = 10_000) -> None:
        self.times = 0
        send = LinkDatagramSocket.send

        def refuse(socket, data, destination) -> None:
            if destination[0] == host and self.times < most:
                self.times += 1
                raise OSError(error, os.strerror(error))
            send(socket, data, destination)

        monkeypatch.setattr(LinkDatagramSocket, "send", refuse)


def is_clean(client) -> bool:
    """Tell whether nothing of any request is left."""
    core = dict(client._wiring.endpoint.core.statistics())
    left = (core["transactions"], core["timers"], core["dialogs"], client.statistics().tokens)
    return left == (0, 0, 0, 0)


@pytest.mark.parametrize("error", NO_WAY)
async def test_a_request_without_a_way_fails_at_once(autojump_clock, world, monkeypatch, error):
    """RFC 3261 §17.1.4: the transaction ends, its user is told."""
    async with world().client() as client:
        refused = Refusal(monkeypatch, error)
        began = trio.current_time()

        with pytest.raises(TransportError):
            await client.request("OPTIONS", f"sip:{GONE}:5060")

        assert trio.current_time() == began
        assert refused.times == 2, "an error may be of an earlier datagram: it was tried twice"
        assert is_clean(client)


@pytest.mark.parametrize("error", NO_WAY)
async def test_a_call_without_a_way_fails_at_once(autojump_clock, world, monkeypatch, error):
    async with world().client() as client:
        Refusal(monkeypatch, error)
        began = trio.current_time()

        with pytest.raises(CallFailedError) as failed:
            async with client.dial(f"sip:{GONE}:5060"):
                pass

        assert failed.value.sip_code == 503  # RFC 3261 §8.1.3.1
        assert trio.current_time() == began
        assert not client.calls
        await trio.sleep(33)  # so long a 2xx might have come (RFC 3261 §13.2.2.4)
        assert is_clean(client)


@pytest.mark.parametrize("error", [*NO_WAY, errno.EPERM])
async def test_the_next_server_is_asked_at_once(autojump_clock, world, monkeypatch, error):
    """RFC 3263 §4.3: with a second server nobody waits for the first."""
    own = world()
    async with own.client(dns=servers("udp", GONE, ALIVE)) as caller, own.client(ALIVE) as callee:
        Refusal(monkeypatch, error)
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, answering)
            began = trio.current_time()
            async with caller.dial(URI):
                assert trio.current_time() - began < 0.2
            await trio.sleep(100)
            assert is_clean(caller)
            nursery.cancel_scope.cancel()


async def test_what_a_firewall_forbids_is_given_up_after_some_tries(
    autojump_clock, world, monkeypatch
):
    """EPERM is a rule, or a table that is full for the moment: 7·T1, as a far end that starts."""
    async with world().client() as client:
        Refusal(monkeypatch, errno.EPERM)
        began = trio.current_time()

        with pytest.raises(TransportError):
            await client.request("OPTIONS", f"sip:{GONE}:5060")

        assert trio.current_time() - began == 0.5 + 1 + 2
        assert is_clean(client)


@pytest.mark.parametrize("error", [*PASSING, errno.EPERM])
async def test_what_is_refused_for_a_moment_is_sent_again(
    autojump_clock, world, monkeypatch, error
):
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        Refusal(monkeypatch, error, most=2)
        answers = []

        async def ask() -> None:
            answers.append(await client.request("OPTIONS", far.uri))

        nursery.start_soon(ask)
        far.respond(await far.expect("OPTIONS"), 200)
        await trio.sleep(50)

        assert [answer.status for answer in answers] == [200]
        assert is_clean(client)


@pytest.mark.parametrize("error", PASSING)
async def test_what_is_refused_for_ever_ends_with_its_timer(
    autojump_clock, world, monkeypatch, error
):
    """Timer F: a full queue of the system is no reason to leave a server."""
    async with world().client() as client:
        Refusal(monkeypatch, error)
        with pytest.raises(trio.TooSlowError), trio.fail_after(31.9):
            await client.request("OPTIONS", f"sip:{GONE}:5060")
        await trio.sleep(33)

        assert is_clean(client)


@pytest.mark.parametrize("error", [*NO_WAY, *PASSING, errno.EPERM])
async def test_a_call_survives_a_network_that_is_gone_for_a_moment(
    autojump_clock, world, monkeypatch, error
):
    """Within a dialog nothing fails at once: the network may have a way again."""
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        call = client.create_call(far.uri)
        nursery.start_soon(call.start)
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await call.wait_connected()
        Refusal(monkeypatch, error, most=3)

        receipt = call.send_info("text/plain", "?")
        far.respond(await far.expect("INFO"), 200)

        assert (await receipt.wait()).status == 200
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
        await trio.sleep(100)
        assert is_clean(client)
