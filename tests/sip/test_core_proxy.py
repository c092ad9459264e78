"""The core as a stateful proxy between two user agents, in virtual time (RFC 3261 §16)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from trivox._native import (
    EVENT_ACK,
    EVENT_PROXY_CANCELLED,
    EVENT_REQUEST,
    EVENT_RESPONSE,
    Message,
    SipCore,
    SipEvent,
)
from trivox.errors import InvalidHeaderError

ALICE, PROXY, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060), ("192.0.2.3", 5060)


def _headers(method: str, *, to_tag: str = "") -> list[tuple[str, str]]:
    return [
        ("From", "<sip:alice@a>;tag=alice"),
        ("To", f"<sip:bob@b>{to_tag}"),
        ("Call-ID", "call"),
        ("CSeq", f"1 {method}"),
        ("Max-Forwards", "70"),
        ("Route", "<sip:192.0.2.2;lr>"),
        ("X-Kept", "a  b"),
    ]


@dataclass
class Network:
    """Three cores; what one sends is given to the one with that address."""

    cores: dict[tuple[str, int], SipCore] = field(default_factory=dict)
    events: dict[tuple[str, int], list[SipEvent]] = field(default_factory=dict)
    now: float = 0.0
    transport: str = "udp"

    def __post_init__(self) -> None:
        for address in (ALICE, PROXY, BOB):
            core = SipCore(address[0].encode())
            core.open_flow(1, self.transport, address)
            self.cores[address] = core

    def settle(self) -> None:
        self.events = {address: [] for address in self.cores}
        while any(self._deliver(address, core) for address, core in self.cores.items()):
            pass

    def _deliver(self, source: tuple[str, int], core: SipCore) -> bool:
        output = core.take_output()
        for _, destination, data in output:
            events = self.cores[destination].receive_batch(1, [(data, source)], self.now)
            self.events[destination] += events
        return bool(output)

    def call(self, method: str = "INVITE") -> tuple[int, int, Message]:
        """Alice's request as far as the proxy: her transaction, the proxy's, the message."""
        client = self.cores[ALICE].request(
            method, "sip:bob@b", 1, PROXY, "192.0.2.1", _headers(method), b"sdp", 1, self.now
        )
        self.settle()
        (event,) = self.events[PROXY]
        assert event[5] is not None
        return client, event[2], event[5]

    def forward(
        self, message: Message, server: int, replaced: tuple[tuple[str, str], ...] = ()
    ) -> int:
        return self.cores[PROXY].forward(
            message,
            "sip:bob@192.0.2.3",
            1,
            BOB,
            "192.0.2.2",
            routes=[],
            record_route="<sip:192.0.2.2;lr>",
            max_forwards=69,
            server=server,
            now=self.now,
            replaced=replaced,
        )

    def respond(self, status: int) -> Message:
        """Bob's answer as the proxy gets it."""
        (event,) = self.events[BOB]
        self.cores[BOB].respond(event[2], status, "Reason", [], b"", "bob", 2, self.now)
        self.settle()
        (event,) = self.events[PROXY]
        assert (event[0], event[4]) == (EVENT_RESPONSE, status)
        assert event[5] is not None
        return event[5]

    def run(self, end: float) -> list[SipEvent]:
        all_events: list[SipEvent] = []
        while deadlines := [d for d in map(SipCore.next_deadline, self.cores.values()) if d]:
            if min(deadlines) > end:
                break
            self.now = min(deadlines)
            for core in self.cores.values():
                all_events += core.handle_timeout(self.now)
            self.settle()
        return all_events


@pytest.fixture
def network() -> Network:
    return Network()


def test_forwarded_request_has_a_new_top_via_and_replaced_routes(network: Network) -> None:
    _, server, invite = network.call()
    network.forward(invite, server)
    network.settle()

    (event,) = network.events[BOB]

    message = event[5]
    assert message is not None
    assert (event[0], message.uri, message.body) == (EVENT_REQUEST, "sip:bob@192.0.2.3", b"sdp")
    assert [via.split(";")[0] for via in message.values("Via")] == [
        "SIP/2.0/UDP 192.0.2.2",
        "SIP/2.0/UDP 192.0.2.1",
    ]
    assert ";received=192.0.2.1;rport=5060;" in message.values("Via")[1]
    assert message.headers("Route") == []
    assert message.headers("Record-Route") == ["<sip:192.0.2.2;lr>"]
    assert (message.header("Max-Forwards"), message.header("X-Kept")) == ("69", "a  b")
    assert message.validate() is None


def test_headers_are_replaced_by_any_spelling_of_their_names(network: Network) -> None:
    _, server, invite = network.call()
    given = invite.raw.replace(b"X-Kept:", b"s: one\r\nSUBJECT: two\r\nx-own: three\r\nX-Kept:")
    network.forward(Message.parse(given), server, (("Subject", ""), ("X-Own", "a"), ("X-Own", "b")))
    network.settle()

    message = network.events[BOB][0][5]

    assert message is not None
    assert (message.headers("Subject"), message.headers("X-Own")) == ([], ["a", "b"])
    assert message.header("X-Kept") == "a  b"


@pytest.mark.parametrize(
    "replaced", [("X", "a\r\nY: b"), ("X Y", "a"), ("Via", "SIP/2.0/UDP a")], ids=str
)
def test_what_is_put_into_a_forwarded_request_is_checked(
    network: Network, replaced: tuple[str, str]
) -> None:
    _, server, invite = network.call()

    with pytest.raises(InvalidHeaderError):
        network.forward(invite, server, (replaced,))


def test_forwarded_2xx_is_neither_repeated_nor_acknowledged_by_the_proxy(network: Network) -> None:
    _, server, invite = network.call()
    network.forward(invite, server)
    network.settle()
    answer = network.respond(200)
    proxy = network.cores[PROXY]

    assert proxy.forward_response(server, answer, 0.0)

    network.settle()
    (event,) = network.events[ALICE]
    assert (event[0], event[1], event[4]) == (EVENT_RESPONSE, 1, 200)
    sent = proxy.statistics()["sent"]
    proxy.handle_timeout(20.0)
    assert proxy.statistics()["sent"] == sent
    assert proxy.handle_timeout(32.0) == []
    assert proxy.statistics()["transactions"] == 0


def test_each_copy_of_a_2xx_passes_the_proxy(network: Network) -> None:
    _, server, invite = network.call()
    network.forward(invite, server)
    network.settle()
    network.cores[PROXY].forward_response(server, network.respond(200), 0.0)
    network.settle()
    network.now = 0.5
    network.cores[BOB].handle_timeout(0.5)
    network.settle()

    (event,) = network.events[PROXY]

    assert event[5] is not None
    assert network.cores[PROXY].forward_response(server, event[5], 0.5)
    network.settle()
    assert network.events[ALICE] == []
    assert network.cores[ALICE].statistics()["absorbed"] == 1


def test_ack_for_a_2xx_passes_the_proxy_without_state(network: Network) -> None:
    client, server, invite = network.call()
    network.forward(invite, server)
    network.settle()
    network.cores[PROXY].forward_response(server, network.respond(200), 0.0)
    network.settle()
    headers = _headers("ACK", to_tag=";tag=bob")
    alice = network.cores[ALICE]
    alice.acknowledge(client, "bob", "sip:bob@b", 1, PROXY, "192.0.2.1", headers, b"", 0.0)
    network.settle()
    (event,) = network.events[PROXY]
    assert (event[0], event[2]) == (EVENT_ACK, 0)
    assert event[5] is not None

    assert network.forward(event[5], 0) == 0

    network.settle()
    assert [(event[0], event[1]) for event in network.events[BOB]] == [(EVENT_ACK, 2)]
    assert network.run(200.0) == []
    assert {core.statistics()["transactions"] for core in network.cores.values()} == {0}


def test_failure_is_acknowledged_hop_by_hop(network: Network) -> None:
    _, server, invite = network.call()
    network.forward(invite, server)
    network.settle()
    answer = network.respond(486)

    assert network.cores[PROXY].forward_response(server, answer, 0.0)

    network.settle()
    assert [event[4] for event in network.events[ALICE]] == [486]
    assert network.run(200.0) == []
    assert {core.statistics()["transactions"] for core in network.cores.values()} == {0}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("source", ["branch", "proxy"])
def test_a_2xx_passes_the_refusal_before_it_for_64_t1(transport: str, source: str) -> None:
    """RFC 3261 §16.7 step 5; RFC 6026 §7.3 leaves no way past the transaction."""
    network = Network(transport=transport)
    _, server, invite = network.call()
    network.forward(invite, server)
    network.settle()
    proxy = network.cores[PROXY]
    answer = network.respond(486)
    if source == "branch":
        assert proxy.forward_response(server, answer, 0.0)
    else:
        assert proxy.respond(server, 408, "Request Timeout", [], b"", "proxy", 0, 0.0)
    network.settle()
    late = Message.parse(answer.raw.replace(b"486 Reason", b"200 OK"))

    assert network.run(31.9) == []
    assert proxy.forward_response(server, late, 31.9)
    network.settle()
    assert [event[4] for event in network.events[ALICE]] == [200]

    network.run(200.0)
    assert not proxy.forward_response(server, late, 200.0)
    assert proxy.statistics()["transactions"] == 0


def test_who_answers_for_itself_keeps_nothing_of_a_refusal(network: Network) -> None:
    network.call()
    (event,) = network.events[PROXY]
    proxy = network.cores[PROXY]
    proxy.respond(event[2], 486, "Busy Here", [], b"", "proxy", 0, 0.0)
    network.settle()

    network.run(5.0)

    assert (proxy.statistics()["kept"], proxy.statistics()["transactions"]) == (0, 0)


def test_cancel_is_answered_by_the_proxy_and_sent_on_by_its_user(network: Network) -> None:
    client, server, invite = network.call()
    branch = network.forward(invite, server)
    network.settle()
    network.cores[PROXY].forward_response(server, network.respond(180), 0.0)
    network.settle()
    network.cores[ALICE].cancel(client, [], 1, 0.0)
    network.settle()

    (event,) = network.events[PROXY]

    assert (event[0], event[2]) == (EVENT_PROXY_CANCELLED, server)
    assert [event[4] for event in network.events[ALICE]] == [200]
    assert network.cores[PROXY].cancel(branch, [("Reason", "SIP;cause=200")], 0, 0.0) != 0
    network.settle()
    ((*_, cancel, _, _),) = network.events[BOB]
    assert cancel is not None
    assert (cancel.method, cancel.header("Reason")) == ("CANCEL", "SIP;cause=200")


def test_each_provisional_response_reaches_the_proxy_so_that_timer_c_starts_anew(
    network: Network,
) -> None:
    _, server, invite = network.call()
    network.forward(invite, server)
    network.settle()
    ringing = network.respond(180)

    for _ in range(2):
        events = network.cores[PROXY].receive_batch(1, [(ringing.raw, BOB)], 60.0)

        assert [event[4] for event in events] == [180]


@pytest.mark.parametrize("status", [183, 408])
def test_no_late_answer_to_a_non_invite_goes_up(network: Network, status: int) -> None:
    _, server, request = network.call("OPTIONS")
    via = request.values("Via")[0]
    answer = Message.parse(
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKp\r\nVia: {via}\r\n"
        "From: <sip:alice@a>;tag=alice\r\nTo: <sip:bob@b>;tag=b\r\nCall-ID: call\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()
    )

    assert not network.cores[PROXY].forward_response(server, answer, 0.0)


def test_values_of_the_proxy_are_checked_too(network: Network) -> None:
    _, server, invite = network.call()

    with pytest.raises(InvalidHeaderError, match="control character"):
        network.cores[PROXY].forward(
            invite,
            "sip:bob@b",
            1,
            BOB,
            "192.0.2.2",
            routes=["<sip:x>\r\nX: y"],
            record_route="",
            max_forwards=69,
            server=server,
            now=0.0,
        )


@pytest.mark.parametrize("sent_by", ["", "a b", "a;b", "::1", "a\r\nX: y", "a:x"])
def test_sent_by_is_a_host_with_or_without_port(network: Network, sent_by: str) -> None:
    with pytest.raises(InvalidHeaderError):
        network.cores[ALICE].request(
            "OPTIONS", "sip:b", 1, PROXY, sent_by, _headers("OPTIONS"), b"", 0, 0.0
        )


@pytest.mark.parametrize("tag", ["a b", "a;b", "a\r\nX: y", "\u00e4"])
def test_a_tag_is_a_token(network: Network, tag: str) -> None:
    _, server, _ = network.call()

    with pytest.raises(InvalidHeaderError, match="to_tag"):
        network.cores[PROXY].respond(server, 200, "OK", [], b"", tag, 1, 0.0)
