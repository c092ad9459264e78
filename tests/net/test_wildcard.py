"""UDP on all addresses: an answer leaves from the address its request came to, and names it."""

from __future__ import annotations

import os
import socket

import pytest
import trio

from trivox._native import EVENT_REQUEST, Message
from trivox.errors import ConnectionNetworkError
from trivox.net.endpoint import Endpoint
from trivox.net.interfaces import beside, local_hosts
from trivox.net.sockets import SystemSockets
from trivox.sip.outputs import SendResponse

pytestmark = pytest.mark.native

HOSTS = [*local_hosts(), "127.0.0.2", "127.1.2.3"]


class User:
    """Answers each request with 200 and the Contact the endpoint names."""

    def __init__(self):
        self.flows = []

    def handle_sip(self, events, now):
        for kind, token, tx, _, _, _, flow, source in events:
            if kind == EVENT_REQUEST:
                self.flows.append(flow)
                contact = self.endpoint.contact(self.endpoint.flow(flow), source, "me")
                answer = SendResponse(tx, 200, "OK", (("Contact", contact),), b"", "tag")
                self.endpoint.respond(answer, token=token)

    def handle_flow_closed(self, flow, *, is_peers):
        pass


@pytest.fixture
async def everywhere(nursery):
    """Return an async function that starts an endpoint; it gives (user, port)."""

    async def start(uri):
        user = User()
        user.endpoint = Endpoint(user, listen=[uri], seed=os.urandom(32))
        await nursery.start(user.endpoint.run)
        return user, int(user.endpoint.listening_on[0].partition(";")[0].rpartition(":")[2])

    return start


def asked(host, port, number):
    """Return a socket that hears nobody but `host`, and has asked it something."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(0)
    made.connect((host, port))
    made.send(
        f"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\n"
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
    )
    return made


async def answer(made):
    with made, trio.fail_after(5):
        await trio.lowlevel.wait_readable(made)
        return Message.parse(made.recv(4096))


async def test_each_answer_leaves_from_the_address_that_was_asked(everywhere, nursery):
    user, port = await everywhere("sip:0.0.0.0:0;transport=udp")
    user6, port6 = await everywhere("sip:[::]:0;transport=udp")
    ports = {host: port6 if ":" in host else port for host in HOSTS}
    sockets = {host: asked(host, ports[host], number) for number, host in enumerate(HOSTS)}

    for host, made in sockets.items():
        bracketed = f"[{host}]" if ":" in host else host
        expected = f"<sip:me@{bracketed}:{ports[host]};transport=udp>"
        assert (await answer(made)).header("Contact") == expected
    assert len(set(user.flows)) == len([host for host in HOSTS if ":" not in host])
    assert len(set(user6.flows)) == len([host for host in HOSTS if ":" in host])
    nursery.cancel_scope.cancel()


async def test_a_request_in_a_dialog_leaves_from_the_address_that_was_asked(everywhere, nursery):
    user, port = await everywhere("sip:0.0.0.0:0;transport=udp")
    with asked("127.0.0.2", port, 1) as made:
        await trio.lowlevel.wait_readable(made)
        own = made.getsockname()

        flow, destination = user.endpoint.next_hop(
            f"sip:a@127.0.0.1:{own[1]}", flow=user.flows[0], source=own
        )
        made.recv(4096)
        flow.send(b"from the same address", destination)
        with trio.fail_after(5):
            await trio.lowlevel.wait_readable(made)

        assert made.recv(4096) == b"from the same address"
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_nobody_else_gets_the_port(everywhere, nursery, host):
    _, port = await everywhere("sip:0.0.0.0:0;transport=udp")

    with pytest.raises(OSError, match="in use"):
        SystemSockets().bind_datagram((host, port), 65_536)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sharing:
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            sharing.bind((host, port))
    nursery.cancel_scope.cancel()


async def test_a_port_that_one_address_has_in_use_is_not_taken(everywhere):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        user = User()
        uri = f"sip:0.0.0.0:{other.getsockname()[1]};transport=udp"

        with pytest.raises(ConnectionNetworkError, match="in use"):
            await Endpoint(user, listen=[uri], seed=bytes(32)).run()


def test_the_kernel_names_the_addresses_of_the_machine():
    hosts = local_hosts()

    assert "127.0.0.1" in hosts
    assert not [host for host in hosts if host.startswith("fe80:")]


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("10.0.0.2", ("10.0.0.2", "10.0.0.1", "fd00::1")),
        ("10.0.0.9", ("10.0.0.9", "10.0.0.1", "10.0.0.2", "fd00::1")),
        ("127.0.0.1", ("127.0.0.1",)),
        ("::1", ("::1",)),
    ],
)
def test_loopback_is_offered_to_loopback_only(host, found):
    assert beside(host, ("127.0.0.1", "10.0.0.1", "10.0.0.2", "::1", "fd00::1")) == found
