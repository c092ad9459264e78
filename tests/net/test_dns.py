"""From names to servers (RFC 3263 §4): what is asked, in which order it is tried, what is kept.

NAPTR is RFC 3403, the order and weights of SRV RFC 2782.
"""

from __future__ import annotations

import random
from collections import Counter

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio
from tests.net.fake_dns import FakeDns

from trivox.errors import ConnectionNetworkError
from trivox.net.dns_cache import Blocklist
from trivox.net.dns_client import DnsClient, SystemDns, is_local_name
from trivox.net.dns_records import DnsFailedError, DnsQuestion, Naptr, Srv
from trivox.net.resolver import Resolver

HOST = "example.org"
TLS = Naptr(10, 50, "s", "SIPS+D2T", "_sips._tcp.example.org")
TCP = Naptr(20, 50, "s", "SIP+D2T", "_sip._tcp.example.org")
UDP = Naptr(30, 50, "s", "SIP+D2U", "_sip._udp.example.org")
SERVERS = {
    ("_sips._tcp.example.org", "SRV"): (Srv(0, 0, 5061, "one.example.org"),),
    ("_sip._tcp.example.org", "SRV"): (Srv(0, 0, 5060, "one.example.org"),),
    ("_sip._udp.example.org", "SRV"): (Srv(0, 0, 5070, "two.example.org"),),
    ("one.example.org", "A"): ("10.0.0.1",),
    ("one.example.org", "AAAA"): ("fd00::1",),
    ("two.example.org", "A"): ("10.0.0.2",),
    (HOST, "A"): ("10.0.0.9",),
}


def resolver(dns, draw=None):
    return Resolver(dns, has_records=True, draw=draw or random.Random(1).random)


@pytest.mark.parametrize(
    ("uri", "naptr", "transport", "addresses"),
    [
        ("sip:example.org", (UDP, TCP, TLS), "tls", [("10.0.0.1", 5061), ("fd00::1", 5061)]),
        ("sip:example.org", (UDP, TCP), "tcp", [("10.0.0.1", 5060), ("fd00::1", 5060)]),
        ("sips:example.org", (UDP, TCP, TLS), "tls", [("10.0.0.1", 5061), ("fd00::1", 5061)]),
        ("sips:example.org", (UDP,), "tls", [("10.0.0.1", 5061), ("fd00::1", 5061)]),
        ("sip:example.org", (), "udp", [("10.0.0.2", 5070)]),
        ("sip:example.org;transport=tcp", (UDP,), "tcp", [("10.0.0.1", 5060), ("fd00::1", 5060)]),
        ("sip:example.org:5080", (TCP,), "udp", [("10.0.0.9", 5080)]),
        ("sip:example.org:5080;transport=tls", (TCP,), "tls", [("10.0.0.9", 5080)]),
        ("sip:example.org;transport=wss", (TCP,), "wss", [("10.0.0.9", 443)]),
        ("sip:a@other.org;maddr=example.org", (UDP,), "udp", [("10.0.0.2", 5070)]),
    ],
)
async def test_the_transport_and_servers_of_a_uri(uri, naptr, transport, addresses, autojump_clock):
    """RFC 3263 §4.1."""
    target = await resolver(FakeDns({**SERVERS, (HOST, "NAPTR"): naptr})).resolve(uri)

    assert (target.transport, list(target.addresses)) == (transport, addresses)
    assert target.host == ("other.org" if "maddr" in uri else HOST)


async def test_a_domain_without_servers_is_a_host_itself(autojump_clock):
    dns = FakeDns({(HOST, "A"): ("10.0.0.9",)})

    assert (await resolver(dns).resolve("sip:example.org")).address == ("10.0.0.9", 5060)
    assert (await resolver(dns).resolve("sips:example.org")).address == ("10.0.0.9", 5061)


@pytest.mark.parametrize("records", [(Naptr(1, 1, "a", "SIP+D2U", "x"),), (Srv(0, 0, 1, "."),)])
async def test_records_of_no_use_are_passed_over(records, autojump_clock):
    """RFC 3403 §4.1."""
    dns = FakeDns({(HOST, "NAPTR"): records, (HOST, "A"): ("10.0.0.9",)})

    assert (await resolver(dns).resolve("sip:example.org")).address == ("10.0.0.9", 5060)


async def test_a_service_that_is_said_not_to_exist_is_not_guessed_at(autojump_clock):
    dns = FakeDns(
        {("_sip._tcp.example.org", "SRV"): (Srv(0, 0, 0, "."),), (HOST, "A"): ("10.0.0.9",)}
    )

    with pytest.raises(ConnectionNetworkError):
        await resolver(dns).resolve("sip:example.org;transport=tcp")


async def test_servers_are_tried_by_priority_and_drawn_by_weight(autojump_clock):
    """RFC 2782 §3."""
    records = [
        Srv(2, 100, 5060, "last.example.org"),
        Srv(1, 75, 5060, "often.example.org"),
        Srv(1, 25, 5060, "rarely.example.org"),
        Srv(1, 0, 5060, "hardly.example.org"),
    ]
    names = ("last", "often", "rarely", "hardly")
    hosts = {(f"{name}.example.org", "A"): (f"10.0.0.{n}",) for n, name in enumerate(names)}
    made = resolver(FakeDns({("_sip._udp.example.org", "SRV"): records, **hosts}))

    first = Counter()
    for _ in range(2000):
        target = await made.resolve("sip:example.org;transport=udp")
        first[target.address[0]] += 1
        assert target.addresses[-1] == ("10.0.0.0", 5060)

    assert 1400 < first["10.0.0.1"] < 1600
    assert 400 < first["10.0.0.2"] < 600
    assert first["10.0.0.3"] == 0


async def test_a_thousand_servers_cost_eight_questions(autojump_clock):
    records = [Srv(index, 0, 5060, f"s{index}.example.org") for index in range(1000)]
    hosts = {(f"s{index}.example.org", "A"): (f"10.0.1.{index % 250}",) for index in range(1000)}
    dns = FakeDns({("_sip._udp.example.org", "SRV"): records, **hosts})

    target = await resolver(dns).resolve("sip:example.org;transport=udp")

    assert [host for host, _ in target.addresses] == [f"10.0.1.{index}" for index in range(8)]
    assert len(dns.asked) == 1 + 2 * 8


async def test_names_that_break_on_naptr_and_srv_still_have_addresses(autojump_clock):
    dns = FakeDns({(HOST, "A"): ("10.0.0.9",)})
    dns.broken = {"_sip._udp.example.org", "_sip._tcp.example.org", "_sips._tcp.example.org"}

    assert (await resolver(dns).resolve("sip:example.org")).address == ("10.0.0.9", 5060)


@pytest.mark.parametrize("fault", ["silent", "broken"])
async def test_a_dns_that_says_nothing_is_an_error_within_4_s(fault, autojump_clock):
    dns = FakeDns()
    getattr(dns, fault).update({HOST, *(name for name, _ in SERVERS)})
    start = trio.current_time()

    with pytest.raises(ConnectionNetworkError, match="the DNS gave no answer"):
        await resolver(dns).resolve("sip:example.org")

    assert trio.current_time() - start <= 4.0


async def test_answers_are_kept_as_long_as_they_say(autojump_clock):
    dns = FakeDns(SERVERS, lifetime=30)
    made = resolver(dns)
    uri = "sip:one.example.org:5060"

    await made.resolve(uri)
    await trio.sleep(29)
    await made.resolve(uri)
    assert len(dns.asked) == 2
    await trio.sleep(2)
    await made.resolve(uri)
    assert len(dns.asked) == 4


async def test_that_there_is_nothing_is_kept_too(autojump_clock):
    dns = FakeDns({}, lifetime=30)
    made = resolver(dns)

    for _ in range(2):
        with pytest.raises(ConnectionNetworkError, match="has no address"):
            await made.resolve("sip:example.org:5060")

    assert len(dns.asked) == 2


async def test_one_question_is_asked_once_however_many_wait(autojump_clock):
    dns = FakeDns(SERVERS)
    made = resolver(dns)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(made.resolve, "sip:two.example.org:5060")

    assert len(dns.asked) == 2


async def test_who_waits_for_a_cancelled_question_asks_it_again(autojump_clock):
    dns = FakeDns(SERVERS, delay=1.0)
    made = resolver(dns)
    found = []

    async def later():
        found.append(await made.resolve("sip:two.example.org:5060"))

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0.5):
            nursery.start_soon(later)
            await made.resolve("sip:two.example.org:5060")

    assert found[0].address == ("10.0.0.2", 5060)


async def test_what_was_said_once_is_used_while_the_dns_is_down(autojump_clock):
    dns = FakeDns(SERVERS, lifetime=30)
    made = resolver(dns)
    await made.resolve("sip:example.org")
    dns.is_down = True
    await trio.sleep(3600)

    start = trio.current_time()
    target = await made.resolve("sip:example.org")

    assert target.address == ("10.0.0.2", 5070)
    assert trio.current_time() - start <= 2.0
    assert made.resolve_known("sip:example.org").address == ("10.0.0.2", 5070)
    assert made.resolve_known("sip:unknown.example") is None
    await trio.sleep(45_000)
    await trio.sleep(45_000)
    with pytest.raises(ConnectionNetworkError):
        await made.resolve("sip:example.org")


async def test_the_cache_is_bounded(autojump_clock):
    made = resolver(FakeDns(delay=0))

    for number in range(4100):
        with pytest.raises(ConnectionNetworkError):
            await made.resolve(f"sip:n{number}.example.org:5060")

    assert len(made._cache._entries) == 4096


async def test_a_server_that_failed_is_last_for_a_while(autojump_clock):
    records = {
        ("_sip._udp.example.org", "SRV"): [Srv(n, 0, 5060, f"10.0.0.{n}") for n in (1, 2, 3)]
    }
    made = resolver(FakeDns(records))
    made.blocklist.add("udp", ("10.0.0.1", 5060), trio.current_time() + 30)

    def order(target):
        return [host[-1] for host, _ in target.addresses]

    assert order(await made.resolve("sip:example.org;transport=udp")) == ["2", "3", "1"]
    await trio.sleep(31)
    assert order(await made.resolve("sip:example.org;transport=udp")) == ["1", "2", "3"]


def test_the_blocklist_is_bounded_and_forgives():
    blocklist = Blocklist()
    for number in range(5000):
        blocklist.add("udp", ("10.0.0.1", number), 10.0)
    blocklist.remove("udp", ("10.0.0.1", 4999))

    assert len(blocklist._until) == 4095
    addresses = (("10.0.0.1", 4999), ("10.0.0.1", 4998), ("10.0.0.1", 1))
    assert blocklist.order("udp", addresses, 0.0) == (addresses[0], addresses[2], addresses[1])


class NameServer:
    """A name server on loopback whose zone is a table of texts."""

    def __init__(self, zone):
        self.zone = zone
        self.socket = trio.socket.socket(type=trio.socket.SOCK_DGRAM)

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        await self.socket.bind(("127.0.0.1", 0))
        with self.socket:
            task_status.started(self.socket.getsockname()[1])
            while True:
                data, source = await self.socket.recvfrom(4096)
                answer = self.answer(dns.message.from_wire(data))
                if answer is not None:
                    await self.socket.sendto(answer.to_wire(), source)

    def answer(self, query):
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name == "silent.test":
            return None
        if name == "broken.test":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name == "loop.test":
            other = "loop.test."
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", other))
        elif (name, kind) in self.zone:
            texts = self.zone[name, kind]
            response.answer.append(dns.rrset.from_text(question.name, 77, "IN", kind, *texts))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


ZONE = {
    ("a.test", "A"): ["192.0.2.1", "192.0.2.2"],
    ("a.test", "NAPTR"): ['10 50 "s" "SIP+D2T" "" _sip._tcp.a.test.'],
    ("_sip._tcp.a.test", "SRV"): ["1 2 5060 b.test."],
    ("b.test", "AAAA"): ["2001:db8::1"],
    ("many.test", "SRV"): [f"{n} 0 5060 s{n}.test." for n in range(20)],
}


@pytest.fixture
async def client(nursery):
    port = await nursery.start(NameServer(ZONE).run)
    yield DnsClient(SystemDns(None), nameservers=["127.0.0.1"], port=port)
    nursery.cancel_scope.cancel()


@pytest.mark.native
@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        ("a.test", "A", {"192.0.2.1", "192.0.2.2"}),
        ("a.test", "AAAA", set()),
        ("b.test", "AAAA", {"2001:db8::1"}),
        ("a.test", "NAPTR", {Naptr(10, 50, "s", "SIP+D2T", "_sip._tcp.a.test")}),
        ("_sip._tcp.a.test", "SRV", {Srv(1, 2, 5060, "b.test")}),
        ("nowhere.test", "A", set()),
    ],
)
async def test_dnspython_answers_as_the_resolver_wants(client, name, kind, records):
    answer = await client.query(DnsQuestion(name, kind))

    assert set(answer.records) == records
    assert answer.lifetime == (77 if records else 30)


@pytest.mark.native
@pytest.mark.slow
@pytest.mark.parametrize("name", ["broken.test", "loop.test", "silent.test", "x" * 70 + ".test"])
async def test_what_dnspython_cannot_know_is_a_failure(client, name):
    with trio.fail_after(5):
        with pytest.raises(DnsFailedError):
            await client.query(DnsQuestion(name, "A"))


@pytest.mark.native
async def test_a_uri_is_resolved_by_a_name_server(client):
    target = await resolver(client).resolve("sip:a.test")

    assert (target.transport, target.addresses) == ("tcp", (("2001:db8::1", 5060),))


@pytest.mark.native
async def test_the_system_knows_its_own_names():
    async def look_up(host, port):
        return [("127.0.0.1", port), ("127.0.0.1", port), ("::1", port)]

    client = DnsClient(SystemDns(look_up), nameservers=["127.0.0.1"])

    answer = await client.query(DnsQuestion("localhost", "HOST"))

    assert answer.records == ("127.0.0.1", "::1")
    assert is_local_name("localhost")
    assert not is_local_name("sip.example.org")
