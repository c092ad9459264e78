"""Identities in the messages of a session: told to who is trusted, kept from others (RFC 3325)."""

from __future__ import annotations

import pytest

from trivox.sip.identity import LocalIdentity
from trivox.sip.invite_session import InviteSession

PAI = ("P-Asserted-Identity", "<sip:office@example.org>")
OWN = ("P-Asserted-Identity", "<tel:+15550100>")
KEPT = ("X-Own", "1")


def incoming(far_end, *, is_trusted: bool) -> InviteSession:
    identity = LocalIdentity(
        "sip:alice@example.org", "<sip:alice@192.0.2.1>", is_trusted=is_trusted, headers=(PAI,)
    )
    return InviteSession.incoming(
        far_end.request("INVITE", to_tag="", body=b"offer"),
        7,
        local_tag="us",
        contact=identity.contact,
        identity=identity,
    )


@pytest.mark.parametrize(("is_trusted", "told"), [(True, [PAI[1]]), (False, [])])
def test_an_answer_asserts_who_we_are_section_5(far_end, is_trusted, told) -> None:
    session = incoming(far_end, is_trusted=is_trusted)
    [ringing] = session.provisional(180, "Ringing")
    [ok] = session.accept((KEPT,), b"answer")

    assert far_end.headers(ringing, PAI[0]) == told
    assert far_end.headers(ok, PAI[0]) == told
    assert KEPT in ok.headers


@pytest.mark.parametrize(("is_trusted", "told"), [(True, [OWN[1]]), (False, [])])
def test_a_program_s_assertion_takes_the_place_of_ours_or_goes_nowhere(
    far_end, is_trusted, told
) -> None:
    [ok] = incoming(far_end, is_trusted=is_trusted).accept((OWN, KEPT), b"answer")

    assert far_end.headers(ok, PAI[0]) == told
    assert KEPT in ok.headers


@pytest.mark.parametrize(("is_trusted", "told"), [(True, [PAI[1]]), (False, [])])
def test_a_refusal_asserts_what_the_program_says_to_the_trusted_alone(
    far_end, is_trusted, told
) -> None:
    busy, *_ = incoming(far_end, is_trusted=is_trusted).reject(486, "Busy Here", (PAI, KEPT))

    assert far_end.headers(busy, PAI[0]) == told


def test_a_session_without_identity_is_trusted_by_nobody(far_end) -> None:
    session = InviteSession.incoming(
        far_end.request("INVITE", to_tag="", body=b"offer"), 7, local_tag="us", contact="<sip:a@b>"
    )
    [ok] = session.accept((PAI, KEPT), b"answer")

    assert far_end.headers(ok, PAI[0]) == []
    assert KEPT in ok.headers
