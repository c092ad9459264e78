"""Connections that serve both ways: offered by who opened them, used for names that were proved."""

from __future__ import annotations

import itertools

import pytest
import trio
from tests.net.certificates import Authority
from tests.net.test_tls import User, send

from trivox._native import Message
from trivox.net.aliases import Aliases
from trivox.net.endpoint import Endpoint
from trivox.net.limits import StreamLimits
from trivox.net.tcp import TcpFlow
from trivox.net.tls import TlsConfig
from trivox.testing import Link

SERVER, TRUNK = "10.0.0.1", "10.0.0.2"
NAMES = {"sip.example.org": SERVER, "trunk.example.net": TRUNK, "other.example.net": TRUNK}
numbers = itertools.count(1)


@pytest.fixture
def pair(tmp_path, nursery):
    """Return an async function that starts a server and a trunk, and lets the trunk send."""
    link, authority = Link(3, names=NAMES), Authority(tmp_path)

    async def start(*, verify="optional", names=("trunk.example.net",), advertised=None):
        configs = {
            SERVER: TlsConfig(
                certificate=authority.issue("server", "sip.example.org"),
                ca=authority.root,
                verify_client=verify,
            ),
            TRUNK: TlsConfig(certificate=authority.issue("trunk", *names), ca=authority.root),
        }
        users = []
        for host, config in configs.items():
            user = User()
            user.endpoint = Endpoint(
                user,
                listen=[f"sips:{host}"],
                seed=host.encode() * 4,
                sockets=link.host(host),
                tls=config,
                advertised=advertised if host == TRUNK else None,
            )
            await nursery.start(user.endpoint.run)
            users.append(user)
        await send(users[1].endpoint, "sips:sip.example.org")
        await trio.sleep(1)
        assert users[1].responses == [200]
        return users

    return start


async def test_a_request_goes_back_by_the_connection_that_was_offered(
    pair, nursery, autojump_clock
):
    """RFC 5923 §8.2."""
    server, trunk = await pair()
    request, came_by = server.requests[0]
    assert request.header("Via").startswith(f"SIP/2.0/TLS {TRUNK}:5061;")
    assert ";alias" in request.header("Via")

    flow = await send(server.endpoint, "sips:trunk.example.net", 2)
    await trio.sleep(1)

    assert flow.id == came_by
    assert flow.accepted
    assert server.responses == [200]
    # It is no connection of the server's own, which offers nothing on it.
    assert ";alias" not in trunk.requests[0][0].header("Via")
    nursery.cancel_scope.cancel()


async def test_a_name_of_the_sender_in_its_via_may_stand_for_its_address(
    pair, nursery, autojump_clock
):
    server, _ = await pair(advertised="trunk.example.net")

    flow = await send(server.endpoint, "sips:trunk.example.net", 2)

    assert flow.id == server.requests[0][1]
    nursery.cancel_scope.cancel()


async def test_without_a_verified_certificate_nothing_is_used_backwards(
    pair, nursery, autojump_clock
):
    """RFC 5923 §8.2: the Via alone is anybody's word."""
    server, _ = await pair(verify="none")

    flow = await send(server.endpoint, "sips:trunk.example.net", 2)

    assert not flow.accepted
    nursery.cancel_scope.cancel()


async def test_an_offer_holds_for_the_names_that_were_proved_and_for_no_other(
    pair, nursery, autojump_clock
):
    """RFC 5923 §8.1: requests for a domain go to who has shown that it is that domain."""
    server, _ = await pair()

    other = await send(server.endpoint, "sips:other.example.net", 2)
    numeric = await send(server.endpoint, f"sips:{TRUNK}", 3)
    elsewhere = await send(server.endpoint, "sips:trunk.example.net:5099", 4)

    assert not any(flow.accepted for flow in (other, numeric, elsewhere))
    nursery.cancel_scope.cancel()


async def test_who_claims_to_be_somewhere_else_is_not_believed(pair, nursery, autojump_clock):
    server, _ = await pair(advertised="other.example.net")

    flow = await send(server.endpoint, "sips:trunk.example.net", 2)

    assert not flow.accepted
    nursery.cancel_scope.cancel()


async def test_a_connection_that_is_gone_is_offered_no_longer(pair, nursery, autojump_clock):
    server, _ = await pair()
    server.endpoint.close_flow(server.requests[0][1])

    at_once = await send(server.endpoint, "sips:trunk.example.net", 2)
    await trio.sleep(1)

    assert not at_once.accepted
    assert server.responses == [200]
    assert len(server.endpoint._flows.aliases) == 0
    nursery.cancel_scope.cancel()


def connection(*names, remote=TRUNK, transport="tls", accepted=True):
    """A connection whose far end has proved these names."""
    flow = TcpFlow(
        next(numbers),
        (SERVER, 5061),
        (remote, 40_000),
        StreamLimits(),
        accepted=accepted,
        deliver=lambda _flow, _data: False,
        transport=transport,
    )
    flow.wire.verified(names)
    return flow


def request(via):
    return Message.parse(
        f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS {via}\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n".encode()
    )


@pytest.mark.parametrize(
    ("via", "port"),
    [
        (f"{TRUNK};branch=z9hG4bKa;alias", 5061),
        (f"{TRUNK}:5070;branch=z9hG4bKa;ALIAS ;rport", 5070),
        ("Trunk.example.net.:5070;alias;branch=z9hG4bKa", 5070),
        (f"{TRUNK}:5070;branch=z9hG4bKa", None),
        (f"{TRUNK}:5070;branch=z9hG4bKalias", None),
        ("10.0.0.3:5070;branch=z9hG4bKa;alias", None),
        ("other.example.net;branch=z9hG4bKa;alias", None),
    ],
)
async def test_what_a_via_says_of_its_connection(via, port):
    aliases, flow = Aliases(), connection("trunk.example.net")

    aliases.learn_untrusted(flow, request(via))

    assert len(aliases) == (port is not None)
    if port is not None:
        assert aliases.find("tls", (TRUNK, port), "TRUNK.example.net") is flow
        assert aliases.find("tcp", (TRUNK, port), "trunk.example.net") is None


@pytest.mark.parametrize(
    "flow", [{"transport": "tcp"}, {"accepted": False}], ids=["plain", "our own"]
)
async def test_only_secured_connections_of_others_are_learnt(flow):
    aliases = Aliases()

    aliases.learn_untrusted(connection("trunk.example.net", **flow), request(f"{TRUNK};alias"))

    assert len(aliases) == 0


@pytest.mark.parametrize("end", ["finish", "close"])
async def test_a_connection_that_is_ending_serves_nobody(end):
    aliases, flow = Aliases(), connection("trunk.example.net")
    aliases.learn_untrusted(flow, request(f"{TRUNK};alias"))
    asked = "tls", (TRUNK, 5061), "trunk.example.net"
    assert aliases.find(*asked) is flow

    getattr(flow.wire, end)()

    assert aliases.find(*asked) is None


async def test_a_certificate_of_many_names_is_found_by_a_few_and_the_last_offer_counts():
    names = [f"n{number}.example" for number in range(100)]
    aliases, old, new = Aliases(), connection(*names), connection(*names[:1])
    for flow in (old, new):
        aliases.learn_untrusted(flow, request(f"{TRUNK};alias"))

    found = [aliases.find("tls", (TRUNK, 5061), name) for name in names]
    aliases.forget(old.id)

    assert (found[0], found[1]) == (new, old)
    assert sum(flow is not None for flow in found) == 16
    assert aliases.find("tls", (TRUNK, 5061), names[0]) is new
    aliases.forget(new.id)
    assert aliases.find("tls", (TRUNK, 5061), names[0]) is None
