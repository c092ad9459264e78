"""Which address of a host is tried first (RFC 6724 §6)."""

from __future__ import annotations

import random

import pytest
from tests.net.fake_dns import FakeDns

from trivox.net.dns_records import Srv
from trivox.net.precedence import Precedence
from trivox.net.resolver import Resolver

V4, V6, ULA, LINK = "198.51.100.1", "2001:db8::1", "fd00::1", "fe80::1"


def machine(*own):
    """Return the routes of a machine with these addresses."""

    def route(host):
        for one in own:
            if (":" in one) == (":" in host):
                return one
        raise OSError("no route")

    return Precedence(route)


@pytest.mark.parametrize(
    ("own", "hosts", "best"),
    [
        (("198.51.100.9", "2001:db8::9"), (V4, V6), (V6, V4)),  # rule 6: precedence
        (("198.51.100.9",), (V6, V4), (V4, V6)),  # rule 1: no way there
        (("2001:db8::9",), (V4, V6), (V6, V4)),
        (("198.51.100.9", "fd00::9"), (V6, V4), (V4, V6)),  # rule 5: the label of our end
        (("198.51.100.9", "fd00::9"), (V4, ULA), (V4, ULA)),  # rule 6
        (("198.51.100.9", "2001:db8::9"), (LINK, V4), (V4, LINK)),  # rule 2: scope
        (("127.0.0.1", "::1"), ("127.0.0.1", "::1"), ("::1", "127.0.0.1")),
        (("198.51.100.9",), (V4, "198.51.100.2"), (V4, "198.51.100.2")),  # rule 10
    ],
)
def test_the_order_is_that_of_rfc_6724(own, hosts, best):
    assert machine(*own).order(hosts) == best


async def test_each_server_of_a_domain_is_asked_in_both_families(autojump_clock):
    """RFC 7984 §4.1: A and AAAA of each; the order of the servers comes before that of families."""
    names = [Srv(priority, 0, 5060, f"s{priority}.test") for priority in (1, 2)]
    both = {f"s{n}.test": (f"198.51.100.{n}", f"2001:db8::{n}") for n in (1, 2)}
    records = {("_sip._udp.a.test", "SRV"): tuple(names)}
    for host, (old, new) in both.items():
        records |= {(host, "A"): (old,), (host, "AAAA"): (new,)}
    precedence = machine("198.51.100.9", "2001:db8::9")
    draw = random.Random(1).random
    made = Resolver(FakeDns(records), has_records=True, draw=draw, precedence=precedence)

    target = await made.resolve("sip:a.test")

    assert [host for host, _ in target.addresses] == [
        "2001:db8::1",
        "198.51.100.1",
        "2001:db8::2",
        "198.51.100.2",
    ]


async def test_the_addresses_of_a_name_are_tried_in_that_order(autojump_clock):
    dns = FakeDns({("a.test", "A"): (V4,), ("a.test", "AAAA"): (V6,)})
    both, old = machine("198.51.100.9", "2001:db8::9"), machine("198.51.100.9")
    found = []
    for precedence in (both, old):
        made = Resolver(dns, has_records=True, draw=random.Random(1).random, precedence=precedence)
        target = await made.resolve("sip:a.test:5060")
        found.append(tuple(host for host, _ in target.addresses))

    assert found == [(V6, V4), (V4, V6)]
