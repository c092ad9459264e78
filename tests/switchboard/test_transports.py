"""Calls between users on different transports, over the virtual link and real sockets."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import trio
from tests.net.certificates import Authority

from trivox.errors import InvalidArgumentsError
from trivox.net.tls import TlsConfig
from trivox.switchboard import open_switchboard
from trivox.testing import Link

USERS = {"alice": "a-secret", "bob": "b-secret"}
TRANSPORTS = ("udp", "tcp", "ws")
LISTEN = [f"sip:10.0.0.1:{5060 + n};transport={kind}" for n, kind in enumerate(TRANSPORTS)]


def transports_of(values):
    return [value.partition("transport=")[2].partition(";")[0] for value in values]


@pytest.mark.parametrize(("near", "far"), [*itertools.product(TRANSPORTS, TRANSPORTS)])
async def test_users_on_any_two_transports_call_each_other(
    link, board, agent, nursery, autojump_clock, near, far
):
    async with board(listen=LISTEN, users=USERS) as switchboard:
        alice = await agent(switchboard, "alice", near, link.host("10.0.0.2"))
        bob = await agent(switchboard, "bob", far, link.host("10.0.0.3"))
        assert (await bob.register()).status == 200

        answer = await alice.call(bob.account.uri)
        assert answer.status == 200
        await bob.until(lambda: bob.acks)
        assert transports_of(bob.requests[0].values("Record-Route")) == [far, near]
        assert (await alice.hang_up(answer)).status == 200

        await alice.call(bob.account.uri)
        await bob.until(lambda: len(bob.acks) == 2)
        assert (await bob.hang_up_called(bob.requests[-1])).status == 200
        assert alice.requests[-1].method == "BYE"

        await trio.sleep(100)
        assert switchboard.statistics().endpoint.core["transactions"] == 0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("near", "far"), [("tls", "udp"), ("ws", "tls"), ("wss", "wss")])
async def test_users_call_each_other_over_tls(
    link, board, agent, nursery, autojump_clock, tmp_path, near, far
):
    authority = Authority(tmp_path)
    own = TlsConfig(certificate=authority.issue("board", "10.0.0.1"))
    trusting = TlsConfig(ca=authority.root)
    listen = [f"sip:10.0.0.1:{5060 + n};transport={kind}" for n, kind in enumerate({near, far})]
    async with board(listen=listen, users=USERS, tls=own) as switchboard:
        alice = await agent(switchboard, "alice", near, link.host("10.0.0.2"), tls=trusting)
        bob = await agent(switchboard, "bob", far, link.host("10.0.0.3"), tls=trusting)
        assert (await bob.register()).status == 200

        answer = await alice.call(bob.account.uri)
        assert answer.status == 200
        await bob.until(lambda: bob.acks)
        assert transports_of(bob.requests[0].values("Record-Route")) == [far, near]
        assert (await alice.hang_up(answer)).status == 200
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_binding_ends_with_its_connection(
    link, board, agent, nursery, autojump_clock, transport
):
    async with board(listen=LISTEN, users=USERS) as switchboard:
        alice = await agent(switchboard, "alice", "udp", link.host("10.0.0.2"))
        bob = await agent(switchboard, "bob", transport, link.host("10.0.0.3"))
        await bob.register()
        await trio.sleep(3000)  # longer than a connection may idle that nobody is registered on
        assert (await alice.call(bob.account.uri)).status == 200

        bob.endpoint.close_flow(bob.flow_of())
        await trio.sleep(1)

        assert switchboard.registered("bob") == ()
        assert (await alice.call(bob.account.uri)).status == 480
        nursery.cancel_scope.cancel()


async def test_a_dialog_whose_connection_is_gone_is_told(
    link, board, agent, nursery, autojump_clock
):
    async with board(listen=LISTEN, users=USERS) as switchboard:
        alice = await agent(switchboard, "alice", "udp", link.host("10.0.0.2"))
        bob = await agent(switchboard, "bob", "ws", link.host("10.0.0.3"))
        await bob.register()
        answer = await alice.call(bob.account.uri)

        bob.endpoint.close_flow(bob.flow_of())
        await trio.sleep(1)

        assert (await alice.hang_up(answer)).status == 480
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_2xx_long_after_the_refusal_is_forwarded_by_any_transport(
    link, board, agent, phones, nursery, autojump_clock, transport
):
    """RFC 3261 §16.7 step 5: so long a phone may repeat it, for 64·T1."""
    async with board(listen=LISTEN, users=USERS) as switchboard:
        alice = await agent(switchboard, "alice", transport, link.host("10.0.0.2"))
        bob = phones("bob", 3)
        await bob.register()
        call, refusal = await alice.ask("INVITE", "sip:bob@board.test")
        assert refusal.status == 408
        invite = await bob.receive("INVITE")

        await trio.sleep(31)
        assert switchboard.statistics().endpoint.core["kept"] == 1
        bob.answer(invite, 200)
        await alice.until(lambda: alice.responses[call][-1].status == 200)

        await trio.sleep(100)
        core = switchboard.statistics().endpoint.core
        assert (core["kept"], core["transactions"]) == (0, 0)
        nursery.cancel_scope.cancel()


async def test_calls_survive_a_bad_link(board, agent, nursery, autojump_clock, link):
    link.loss, link.duplicate, link.reorder, link.jitter = 0.1, 0.1, 0.1, 0.02
    async with board(listen=LISTEN, users=USERS) as switchboard:
        alice = await agent(switchboard, "alice", "udp", link.host("10.0.0.2"))
        bob = await agent(switchboard, "bob", "udp", link.host("10.0.0.3"))
        assert (await bob.register()).status == 200

        for _ in range(50):
            answer = await alice.call(bob.account.uri)
            assert answer.status == 200
            assert (await alice.hang_up(answer)).status == 200

        await trio.sleep(200)
        methods = [message.method for message in bob.requests]
        assert (methods.count("INVITE"), methods.count("BYE")) == (50, 50)
        statistics = switchboard.statistics()
        assert (statistics.requests, statistics.endpoint.core["transactions"]) == (0, 0)
        nursery.cancel_scope.cancel()


@pytest.fixture
def _descriptors_back_to_base():
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.mark.native
@pytest.mark.usefixtures("_descriptors_back_to_base")
async def test_everything_works_on_real_sockets(agent, nursery, tmp_path):
    (tmp_path / "index.html").write_text("the page")
    listen = [f"sip:127.0.0.1:0;transport={kind}" for kind in TRANSPORTS]
    async with open_switchboard(listen=listen, users=USERS, pages=tmp_path) as switchboard:
        alice = await agent(switchboard, "alice", "tcp")
        bob = await agent(switchboard, "bob", "ws")
        assert (await bob.register()).status == 200
        answer = await alice.call(bob.account.uri)
        assert answer.status == 200
        await bob.until(lambda: bob.acks)
        assert (await alice.hang_up(answer)).status == 200

        port = int(switchboard.listening_on[2].partition(";")[0].rpartition(":")[2])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"".join([piece async for piece in stream]).endswith(b"the page")
        await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_an_account_says_how_to_be_a_user(board, autojump_clock):
    async with board(listen=LISTEN) as switchboard:
        account = switchboard.account("alice", transport="ws")

        assert account.uri == "sip:alice@board.test"
        assert account.registrar == "sip:10.0.0.1:5062;transport=ws"
        assert account.proxy == "sip:10.0.0.1:5062;transport=ws;lr"
        assert "a-secret" not in repr(account)
        with pytest.raises(InvalidArgumentsError, match="no user"):
            switchboard.account("nobody")


async def test_an_account_of_a_wildcard_switchboard_names_loopback(autojump_clock):
    sockets = Link().host("127.0.0.1")
    async with open_switchboard(
        listen=["sip:0.0.0.0:5060"], users=USERS, sockets=sockets
    ) as switchboard:
        assert switchboard.account("bob").registrar == "sip:127.0.0.1:5060;transport=udp"
        assert switchboard.account("bob").uri == "sip:bob@localhost"
        with pytest.raises(InvalidArgumentsError, match="does not listen"):
            switchboard.account("bob", transport="ws")


async def test_an_address_in_use_is_an_error_and_leaves_nothing(link, board, autojump_clock):
    async with board():
        with pytest.raises(OSError, match="in use"):
            async with board():
                raise AssertionError("the body must not run")
    assert link.open_sockets == 0


async def test_an_error_of_the_body_comes_out_as_itself(link, board, autojump_clock):
    with pytest.raises(LookupError, match="mine"):
        async with board():
            raise LookupError("mine")
    assert link.open_sockets == 0


def test_nothing_to_listen_on_is_an_error():
    with pytest.raises(InvalidArgumentsError):
        open_switchboard(listen=[])
