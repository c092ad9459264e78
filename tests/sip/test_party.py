"""Identities and histories in headers: RFC 3325, 3323, 5806, 7044, 7462."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.sip.party import (
    AlertInfo,
    Diversion,
    HistoryEntry,
    Party,
    hides,
    identity_headers,
    permitted,
    read_alert_info_untrusted,
    read_diversions_untrusted,
    read_history_untrusted,
    read_parties_untrusted,
    read_privacy_untrusted,
    unless_given,
    values_untrusted,
)

PAI = ("P-Asserted-Identity", "<sip:a@example.org>")


def test_a_sip_and_a_tel_identity_are_both_read_rfc_3325_section_9_1() -> None:
    lines = ['"Cullen, J" <sip:fluffy@cisco.com>', "tel:+14085264000"]

    assert read_parties_untrusted(lines) == (
        Party("sip:fluffy@cisco.com", "Cullen, J"),
        Party("tel:+14085264000"),
    )
    assert read_parties_untrusted([", ".join(lines)]) == read_parties_untrusted(lines)


def test_what_is_no_identity_is_passed_over() -> None:
    assert read_parties_untrusted(["<<", "", '"open <sip:a@b>', "<sip:c@d"]) == ()


def test_the_readable_values_of_a_list_are_given_as_they_stand() -> None:
    assert list(values_untrusted(['"A, B" <sip:a@b>;x=1 , <<', "tel:+1"])) == [
        '"A, B" <sip:a@b>;x=1',
        "tel:+1",
    ]


def test_the_number_of_values_that_are_read_is_bounded() -> None:
    assert len(read_parties_untrusted(["sip:a@b," * 100])) == 32


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("id", {"id"}),
        ("user;ID; critical", {"user", "id", "critical"}),
        ("none", {"none"}),
        ("history", {"history"}),
        ("whatever", set()),
    ],
)
def test_kinds_of_privacy_are_read_rfc_3323_section_4_2(value: str, kinds: set[str]) -> None:
    assert read_privacy_untrusted([value]) == kinds


def test_diversions_are_read_the_latest_first_rfc_5806_section_4() -> None:
    """RFC 5806 §4."""
    lines = [
        '<tel:+19195551002>;reason=no-answer;counter=2;privacy="off";screen=yes',
        '"Bob" <sip:bob@example.org>;Reason=User-Busy, sip:carol@example.org;counter=x',
    ]

    assert read_diversions_untrusted(lines) == (
        Diversion(Party("tel:+19195551002"), "no-answer", 2, "off", is_screened=True),
        Diversion(Party("sip:bob@example.org", "Bob"), "user-busy"),
        Diversion(Party("sip:carol@example.org")),
    )


def test_the_history_of_targets_is_read_rfc_7044_section_7() -> None:
    """RFC 7044 §7."""
    lines = [
        "<sip:bob@biloxi.example.com?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1,"
        '"Office" <sip:office@example.com?Privacy=history&x=y>;index=1.1.1;mp=1.1',
        "<sip:192.0.2.4>;np;index=1.2",
    ]

    assert read_history_untrusted(lines) == (
        HistoryEntry(Party("sip:bob@biloxi.example.com"), "1.1", "SIP;cause=302", "1", "rc"),
        HistoryEntry(
            Party("sip:office@example.com", "Office"), "1.1.1", "", "1.1", "mp", is_private=True
        ),
        HistoryEntry(Party("sip:192.0.2.4"), "1.2", "", "", "np"),
    )


def test_how_to_ring_is_read_and_nothing_is_fetched_rfc_7462_section_5() -> None:
    lines = ["<urn:alert:service:call-waiting>", "<http://example.org/ring.wav>;info=Internal"]

    assert read_alert_info_untrusted(lines) == (
        AlertInfo("urn:alert:service:call-waiting", {}),
        AlertInfo("http://example.org/ring.wav", {"info": "Internal"}),
    )


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_text_is_read_or_passed_over(lines: list[str]) -> None:
    for read in (
        read_parties_untrusted,
        read_diversions_untrusted,
        read_history_untrusted,
        read_alert_info_untrusted,
        read_privacy_untrusted,
    ):
        assert read(lines) is not None


def test_a_user_prefers_and_a_network_asserts_rfc_3325_section_9() -> None:
    """RFC 3323 §4.2."""
    assert identity_headers("<sip:a@b>", (), is_network=False) == (
        ("P-Preferred-Identity", "<sip:a@b>"),
    )
    assert identity_headers("<sip:a@b>", ("id", "critical"), is_network=True) == (
        ("P-Asserted-Identity", "<sip:a@b>"),
        ("Privacy", "id;critical"),
        ("Proxy-Require", "privacy"),
    )
    assert identity_headers("<sip:a@b>", ("session", "header"), is_network=True) == (
        ("P-Asserted-Identity", "<sip:a@b>"),
        ("Privacy", "session;header"),
    )


@pytest.mark.parametrize(
    ("kinds", "is_hidden"), [(("id",), True), (("user",), True), (("session",), False), ((), False)]
)
def test_privacy_of_the_user_hides_from_rfc_3323_section_4_1_1_3(kinds, is_hidden) -> None:
    assert hides(kinds) is is_hidden


def test_only_a_trusted_peer_is_told_rfc_3325_section_7() -> None:
    given_headers = (PAI, ("p-preferred-identity", "x"), ("PRIVACY", "id"), ("X-Own", "1"))

    assert permitted(given_headers, is_trusted=True) == given_headers
    assert permitted(given_headers, is_trusted=False) == (("X-Own", "1"),)
    assert permitted((), is_trusted=False) == ()


def test_a_program_s_own_identity_takes_the_place_of_ours() -> None:
    ours = (PAI, ("Privacy", "id"))

    assert unless_given(ours, (("p-asserted-identity", "<tel:+1>"),)) == (("Privacy", "id"),)
    assert unless_given(ours, ()) == ours
