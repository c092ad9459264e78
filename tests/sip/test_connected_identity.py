"""Telling the far end who is here now (RFC 4916), also before the 2xx (RFC 3311 §5.1)."""

from __future__ import annotations

import pytest

from trivox.sip.invite_session import InviteSession

from .conftest import FarEnd, said

CAROL = '"Carol" <sip:carol@example.org>'
KNOWS_UPDATE = ("Allow", "INVITE, ACK, BYE, UPDATE")


def _answered(caller, far_end: FarEnd, *more: tuple[str, str]) -> InviteSession:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"answer", more=more)))
    return caller.session


@pytest.mark.parametrize(
    ("supported", "expected"),
    [
        ((), False),
        (("timer, replaces",), False),
        (("timer, From-Change",), True),
        (("timer", "from-change"), True),
    ],
)
def test_another_from_is_for_who_knows_from_change(caller, far_end, supported, expected) -> None:
    """RFC 4916 §4.4.1."""
    session = _answered(caller, far_end, *(("Supported", value) for value in supported))

    assert session.can_rename is session.supports("from-change") is expected


def test_update_names_another_party_and_so_does_all_that_follows(called, far_end) -> None:
    """RFC 4916 §4.4.1."""
    called.carry(called.session.modify(method="UPDATE", party=CAROL))
    tx, update = called.last

    outputs = called.hears(far_end.answers(tx, far_end.response(update, 200)))

    assert far_end.header(update, "From") == f"{CAROL};tag=us"
    assert (update.method, update.body) == ("UPDATE", b"")
    assert said(outputs) == ["ModificationAnswered"]
    bye = called.session.end()[0]
    assert far_end.header(bye, "From") == f"{CAROL};tag=us"


@pytest.mark.parametrize("status", [403, 491])
def test_refused_or_crossed_introduction_is_taken_back(called, far_end, status) -> None:
    called.carry(called.session.modify(b"same", party=CAROL))
    tx, invite = called.last

    called.hears(far_end.answers(tx, far_end.response(invite, status)))

    info = called.session.request("INFO")
    assert far_end.header(invite, "From") == f"{CAROL};tag=us"
    assert far_end.header(info, "From") == "<sip:alice@example.org>;tag=us"


def test_a_refused_change_of_media_leaves_who_is_here(called, far_end) -> None:
    called.carry(called.session.modify(method="UPDATE", party=CAROL))
    tx, update = called.last
    called.hears(far_end.answers(tx, far_end.response(update, 200)))
    called.carry(called.session.modify(b"hold"))
    tx, invite = called.last

    called.hears(far_end.answers(tx, far_end.response(invite, 488)))

    assert far_end.header(called.session.request("INFO"), "From") == f"{CAROL};tag=us"


def test_update_without_offer_need_not_wait_for_their_offer(callee) -> None:
    """Their INVITE's offer is unanswered: only another offer has to wait (RFC 3311 §5.1)."""
    assert said(callee.carry(callee.session.modify(method="UPDATE", party=CAROL))) == ["UPDATE"]


# Where an UPDATE may go before the 2xx


def test_a_confirmed_session_has_no_early_dialog(caller, far_end) -> None:
    session = _answered(caller, far_end, KNOWS_UPDATE)

    assert (session.can_update, session.early_tag) == (True, None)


def test_a_far_end_that_takes_no_update_has_none(callee) -> None:
    assert (callee.session.can_update, callee.session.early_tag) == (False, None)


def test_callee_may_once_the_prack_is_here(far_end, identity) -> None:
    more = (("Supported", "100rel"), KNOWS_UPDATE)
    invite = far_end.request("INVITE", to_tag="", body=b"offer", more=more)
    session = InviteSession.incoming(
        invite, 7, local_tag="us", contact="<sip:alice@192.0.2.1>", identity=identity, cnonce="c"
    )
    assert session.early_tag is None
    (ringing,) = session.provisional(183, "Session Progress", body=b"answer", is_reliable=True)
    assert session.early_tag is None

    rack = ("RAck", f"{far_end.header(ringing, 'RSeq')} 1 INVITE")
    session.handle(far_end.asks(50, far_end.request("PRACK", cseq=2, more=(rack,))), 0.0)

    assert session.early_tag == ""
    session.modify(b"more", method="UPDATE")
    # The 200 that overtakes the answer to our UPDATE repeats nothing (RFC 6337 §3.1.1).
    (ok,) = session.accept((), b"answer")
    assert ok.body == b""


def test_caller_may_in_a_dialog_that_has_agreed(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    more = (("Require", "100rel"), ("RSeq", "1"), KNOWS_UPDATE)
    ringing = far_end.response(invite, 183, tag="one", more=more)
    caller.hears(far_end.answers(tx, ringing))
    assert caller.session.early_tag is None

    more = (("Require", "100rel"), ("RSeq", "1"), KNOWS_UPDATE)
    agreed = far_end.response(invite, 183, tag="two", body=b"answer", more=more)
    caller.hears(far_end.answers(tx, agreed))

    assert caller.session.early_tag == "two"
    caller.carry(caller.session.modify(method="UPDATE", to_tag="two", party=CAROL))
    update = caller.last[1]
    assert far_end.header(update, "To").endswith(";tag=two")
    assert far_end.header(update, "From") == f"{CAROL};tag=us"
