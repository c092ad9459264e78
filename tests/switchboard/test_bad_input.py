"""Anything may come in at the sockets: the switchboard goes on."""

from __future__ import annotations

import random

import pytest
import trio

from trivox.errors import InvalidArgumentsError
from trivox.switchboard import open_switchboard
from trivox.testing import Link, run_repeatably

DOMAIN = "board.test"
SEEDS = [
    b"INVITE sip:bob@board.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@board.test>;tag=1\r\nTo: <sip:bob@board.test>\r\nCall-ID: 1\r\n"
    b"CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:alice@10.0.0.2>\r\n"
    b"Route: <sip:AAAA@10.0.0.1;lr>, <sip:10.0.0.1;lr>\r\nContent-Length: 0\r\n\r\n",
    b"REGISTER sip:board.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK2\r\n"
    b"From: <sip:alice@board.test>;tag=1\r\nTo: <sip:alice@board.test>\r\nCall-ID: 2\r\n"
    b"CSeq: 1 REGISTER\r\nContact: <sip:alice@10.0.0.2>;expires=60, *\r\nExpires: 60\r\n"
    b'Authorization: Digest username="alice", realm="board.test", nonce="n", uri="sip:x", '
    b'response="r", qop=auth, nc=00000001, cnonce="c", algorithm=MD5\r\nContent-Length: 0\r\n\r\n',
    b"ACK sip:bob@10.0.0.3 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK3\r\n"
    b"From: <sip:alice@board.test>;tag=1\r\nTo: <sip:bob@board.test>;tag=2\r\nCall-ID: 3\r\n"
    b"CSeq: 1 ACK\r\nRoute: <sip:AAAA@10.0.0.1;lr>\r\nContent-Length: 0\r\n\r\n",
    b"BYE sip:bob@10.0.0.3 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK4\r\n"
    b"From: <sip:alice@board.test>;tag=1\r\nTo: <sip:bob@board.test>;tag=2\r\nCall-ID: 4\r\n"
    b"CSeq: 1 BYE\r\nRoute: <sip:AAAA@10.0.0.1;lr>\r\nContent-Length: 0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK5, "
    b"SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK6\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>;tag=2\r\nCall-ID: 5\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
]
PIECES = [b"\r\n", b";", b",", b"<", b">", b'"', b"=", b"@", b":", b"\0", b"\xff", b"%00", b"tag="]


def mutated(draw):
    data = bytearray(draw.choice(SEEDS))
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(data))
        kind = draw.randrange(4)
        if kind == 0:
            data[place] = draw.randrange(256)
        elif kind == 1:
            del data[place : place + draw.randint(1, 30)]
        elif kind == 2:
            data[place:place] = draw.choice(PIECES) * draw.randint(1, 3)
        else:
            other = draw.choice(SEEDS)
            start = draw.randrange(len(other))
            data[place:place] = other[start : start + draw.randint(1, 60)]
    return bytes(data)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mutated_messages_are_answered_or_dropped(seed):
    async def program():
        link, draw = Link(seed, delay=0.001), random.Random(seed)
        socket = link.host("10.0.0.2").bind_datagram(("10.0.0.2", 5060))
        async with open_switchboard(
            listen=["sip:10.0.0.1:5060", "sip:10.0.0.1:5060;transport=tcp"],
            users={"alice": "a", "bob": "b"},
            domain=DOMAIN,
            sockets=link.host("10.0.0.1"),
        ) as board:
            for _ in range(3000):
                socket.send(mutated(draw), ("10.0.0.1", 5060))
                await trio.sleep(0.001)
            await trio.sleep(200)
            socket.receive(4096)
            socket.send(SEEDS[0].replace(b"z9hG4bK1", b"z9hG4bKlast"), ("10.0.0.1", 5060))
            await socket.wait_readable()
            assert socket.receive(1)[0][0].startswith(b"SIP/2.0 407 ")
            await trio.sleep(100)
            assert board.statistics().requests == 0
            assert board.statistics().bindings == 0
        socket.close()
        assert link.open_sockets == 0

    run_repeatably(program, seed=seed)


@pytest.mark.slow
@pytest.mark.native
async def test_idle_connections_do_not_keep_good_calls_out(agent, nursery):
    listen = [f"sip:127.0.0.1:0;transport={kind}" for kind in ("udp", "tcp")]
    async with open_switchboard(listen=listen, users={"alice": "a", "bob": "b"}) as board:
        port = int(board.listening_on[1].partition(";")[0].rpartition(":")[2])
        idle = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(300)]
        bob = await agent(board, "bob", "udp")
        alice = await agent(board, "alice", "tcp")
        assert (await bob.register()).status == 200

        for _ in range(100):
            answer = await alice.call(bob.account.uri)
            assert answer.status == 200
            assert (await alice.hang_up(answer)).status == 200

        for stream in idle:
            await stream.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.native
async def test_a_contact_that_is_the_switchboard_itself_is_refused(agent, nursery):
    async with open_switchboard(listen=["sip:127.0.0.1:0"], users={"bob": "b"}) as board:
        bob = await agent(board, "bob", "udp")
        here = board.listening_on[0]
        _, answer = await bob.ask(
            "REGISTER",
            "sip:127.0.0.1",
            to=f"<{bob.account.uri}>",
            headers=(("Contact", f"<{here.replace('sip:', 'sip:bob@')}>"),),
        )

        assert answer.status == 403
        assert board.registered("bob") == ()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"listen": "sip:127.0.0.1:0"}, "a list of addresses"),
        ({"users": ["alice"]}, "mapping of user names"),
        ({"users": {"a\r\nX-Evil: 1": "pw"}}, "use letters"),
        ({"users": {"": "pw"}}, "use letters"),
        ({"users": {"alice": 5}}, "no str"),
    ],
)
def test_settings_of_no_use_are_refused_by_name(settings, advice):
    with pytest.raises(InvalidArgumentsError, match=advice):
        open_switchboard(**settings)
