"""Where the network may send us: loopback and private nets only from within."""

from __future__ import annotations

import pytest

from trivox.sip.target_filter import AddressScope, TargetFilter, address_of, scope_of

PUBLIC, PRIVATE, LOOPBACK, LINK = "203.0.113.1", "10.0.0.1", "127.0.0.1", "169.254.1.1"

SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.168.1.7\r\ns=-\r\nc=IN IP4 192.168.1.7\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0\r\na=rtcp:4001 IN IP4 192.168.1.7\r\n"
    "a=candidate:1 1 udp 2130706431 192.168.1.7 4000 typ host\r\n"
    "a=candidate:2 1 udp 1694498815 198.51.100.4 4000 typ srflx raddr 192.168.1.7 rport 4000\r\n"
    "a=candidate:3 1 udp 2130706431 a-b-c.local 4000 typ host\r\n"
)


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("198.51.100.4", AddressScope.PUBLIC),
        ("2001:4860::8888", AddressScope.PUBLIC),
        ("10.255.0.1", AddressScope.PRIVATE),
        ("172.31.9.9", AddressScope.PRIVATE),
        ("172.32.0.1", AddressScope.PUBLIC),
        ("192.168.1.7", AddressScope.PRIVATE),
        ("100.64.0.9", AddressScope.PRIVATE),
        ("fd00::1", AddressScope.PRIVATE),
        ("169.254.169.254", AddressScope.LINK_LOCAL),
        ("fe80::1%eth0", AddressScope.LINK_LOCAL),
        ("127.9.9.9", AddressScope.LOOPBACK),
        ("::1", AddressScope.LOOPBACK),
        ("[::1]", AddressScope.LOOPBACK),
        ("::ffff:127.0.0.1", AddressScope.LOOPBACK),
        ("64:ff9b::a00:1", AddressScope.PRIVATE),
        ("2002:7f00:1::", AddressScope.LOOPBACK),
        ("0.0.0.0", AddressScope.UNUSABLE),
        ("0.1.2.3", AddressScope.UNUSABLE),
        ("::", AddressScope.UNUSABLE),
        ("224.0.0.1", AddressScope.UNUSABLE),
        ("ff02::1", AddressScope.UNUSABLE),
        ("255.255.255.255", AddressScope.UNUSABLE),
    ],
)
def test_an_address_reaches_as_far_as_its_range_says(host, scope) -> None:
    assert scope_of(address_of(host)) is scope


@pytest.mark.parametrize("local", [PUBLIC, PRIVATE, LOOPBACK, LINK])
@pytest.mark.parametrize("target", ["10.2.3.4", "127.0.0.1", "169.254.169.254"])
def test_a_closed_net_is_reached_exactly_from_within(target, local) -> None:
    is_within = scope_of(address_of(target)) is scope_of(address_of(local))

    assert TargetFilter().allows(target, local) is is_within


@pytest.mark.parametrize("local", [PUBLIC, PRIVATE, LOOPBACK])
def test_a_public_address_and_a_name_are_never_refused(local) -> None:
    chosen = TargetFilter()

    assert chosen.allows("198.51.100.4", local)
    assert chosen.allows("proxy.example.org", local)
    assert chosen.refused == 0


@pytest.mark.parametrize("local", [PUBLIC, PRIVATE, LOOPBACK])
@pytest.mark.parametrize("target", ["0.0.0.0", "224.0.0.5", "255.255.255.255"])
def test_the_address_of_nobody_is_always_refused(target, local) -> None:
    assert not TargetFilter().allows(target, local)


def test_refusals_are_counted_each_time() -> None:
    chosen = TargetFilter()

    for _ in range(3):
        chosen.allows(LOOPBACK, PUBLIC)

    assert chosen.refused == 3


def test_networks_that_are_named_are_allowed_from_anywhere() -> None:
    chosen = TargetFilter(allowed=["10.1.0.0/16"])

    assert chosen.allows("10.1.2.3", PUBLIC)
    assert not chosen.allows("10.2.2.3", PUBLIC)
    assert not chosen.allows("::1", PUBLIC)


def test_a_filter_that_is_off_refuses_nothing() -> None:
    chosen = TargetFilter(is_on=False)

    assert chosen.allows(LOOPBACK, PUBLIC)
    assert chosen.screen(SDP, source=PUBLIC, local_host=PUBLIC) == SDP


def test_what_is_remembered_is_bounded() -> None:
    chosen = TargetFilter()

    for number in range(5000):
        chosen.allows(f"10.{number >> 8}.{number & 255}.1", PUBLIC)

    assert len(chosen._known) <= 4096
    assert chosen.refused == 5000


def test_media_of_a_phone_behind_a_nat_goes_where_its_message_came_from() -> None:
    screened = TargetFilter().screen(SDP, source="198.51.100.4", local_host=PUBLIC)

    assert "c=IN IP4 198.51.100.4\r\n" in screened
    assert "a=rtcp:4001 IN IP4 198.51.100.4\r\n" in screened
    assert "o=- 1 1 IN IP4 192.168.1.7\r\n" in screened
    assert "typ srflx" in screened
    assert "a-b-c.local" in screened
    assert "udp 2130706431 192.168.1.7" not in screened


def test_a_description_from_within_is_left_as_it_is() -> None:
    assert TargetFilter().screen(SDP, source="192.168.1.7", local_host=PRIVATE) == SDP


def test_a_description_that_names_its_sender_is_not_looked_into() -> None:
    plain = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n"
    chosen = TargetFilter()

    assert chosen.screen(plain, source=LOOPBACK, local_host=PUBLIC) == plain
    assert chosen.refused == 0


def test_a_hold_by_the_null_address_is_kept() -> None:
    held = "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n"

    assert TargetFilter().screen(held, source=PUBLIC, local_host=PUBLIC) == held


def test_a_forbidden_ipv6_connection_is_replaced_in_its_own_family() -> None:
    sdp = "v=0\r\nc=IN IP6 fd00::5\r\nm=audio 4000 RTP/AVP 0\r\n"

    screened = TargetFilter().screen(sdp, source="2001:db8::5", local_host="2001:4860::1")

    assert "c=IN IP6 2001:db8::5\r\n" in screened


def test_an_address_that_cannot_be_read_is_left_to_the_engine() -> None:
    odd = "v=0\r\nc=IN IP4 1.2.3\r\nm=audio 4000 RTP/AVP 0\r\n"

    assert TargetFilter().screen(odd, source=PUBLIC, local_host=PUBLIC) == odd
