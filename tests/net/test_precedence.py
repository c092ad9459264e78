"""Which address of a host is tried first (RFC 6724 §6)."""

from __future__ import annotations

import random

import pytest
from tests.net.fake_dns import FakeDns

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


async def test_the_addresses_of_a_name_are_tried_in_that_order(autojump_clock):
    dns = FakeDns({("a.test", "A"): (V4,), ("a.test", "AAAA"): (V6,)})
    both, old = machine("198.51.100.9", "2001:db8::9"), machine("198.51.100.9")
    found = []
    for precedence in (both, old):
        made = Resolver(dns, has_records=True, draw=random.Random(1).random, precedence=precedence)
        target = await made.resolve("sip:a.test:5060")
        found.append(tuple(host for host, _ in target.addresses))

    assert found == [(V6, V4), (V4, V6)]
