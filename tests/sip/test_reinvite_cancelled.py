"""A re-INVITE that nobody answers for good is taken back (RFC 3261 §9.1, §14.1)."""

from __future__ import annotations

import pytest

from trivox.sip.modification import LONGEST_WAIT
from trivox.sip.outputs import SendCancel

from .conftest import said


def _provisional(called, far_end):
    """Send a re-INVITE and hear that somebody is asked about it."""
    called.carry(called.session.modify(b"video"))
    tx, invite = called.last
    called.hears(far_end.answers(tx, far_end.response(invite, 180)))
    return tx, invite


def test_one_that_only_rings_is_cancelled(called, far_end) -> None:
    tx, invite = _provisional(called, far_end)
    assert called.session.next_deadline() == LONGEST_WAIT

    [cancel] = called.waits(LONGEST_WAIT)
    outputs = called.hears(far_end.answers(tx, far_end.response(invite, 487)))

    assert isinstance(cancel, SendCancel)
    assert cancel.tx == tx
    assert [(told.status, type(told).__name__) for told in outputs] == [
        (487, "ModificationRefused")
    ]
    assert called.session.is_confirmed
    assert called.session.next_deadline() is None


def test_further_ringing_buys_no_time(called, far_end) -> None:
    tx, invite = _provisional(called, far_end)

    called.session.handle(far_end.answers(tx, far_end.response(invite, 180)), 20.0)

    assert called.session.next_deadline() == LONGEST_WAIT


@pytest.mark.parametrize("body", [b"answer", b""])
def test_a_2xx_that_crosses_the_cancel_counts(called, far_end, body) -> None:
    tx, invite = _provisional(called, far_end)
    called.waits(LONGEST_WAIT)

    outputs = called.hears(far_end.answers(tx, far_end.response(invite, 200, body=body)))

    assert said(outputs) == ["SendAck", "ModificationAnswered"]


def test_an_offer_that_crosses_the_cancel_is_answered(called, far_end) -> None:
    called.carry(called.session.modify())
    tx, invite = called.last
    called.hears(far_end.answers(tx, far_end.response(invite, 180)))
    called.waits(LONGEST_WAIT)

    [told] = called.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"offer")))

    assert told.is_offer
    assert said(called.session.acknowledge_modification(b"answer")) == ["SendAck"]


def test_glare_after_the_cancel_is_no_reason_to_try_again(called, far_end) -> None:
    tx, invite = _provisional(called, far_end)
    called.waits(LONGEST_WAIT)

    outputs = called.hears(far_end.answers(tx, far_end.response(invite, 491)))

    assert said(outputs) == ["ModificationRefused"]
    assert called.session.next_deadline() is None


def test_hanging_up_while_it_is_cancelled_says_bye(called, far_end) -> None:
    tx, invite = _provisional(called, far_end)
    called.waits(LONGEST_WAIT)

    assert said(called.carry(called.session.end())) == ["BYE"]
    assert called.hears(far_end.answers(tx, far_end.response(invite, 487))) == []


def test_an_update_has_its_own_timer(called, far_end) -> None:
    """RFC 3261 §17.1.2.2: Timer F ends it, and there is no CANCEL for it (§9.1)."""
    called.carry(called.session.modify(b"hold", method="UPDATE"))
    tx, update = called.last

    called.hears(far_end.answers(tx, far_end.response(update, 100)))

    assert called.session.next_deadline() is None


def test_a_provisional_response_of_another_request_changes_nothing(called, far_end) -> None:
    called.carry((called.session.request("INFO"),))
    tx, info = called.last

    assert called.hears(far_end.answers(tx, far_end.response(info, 100))) == []
    assert called.session.next_deadline() is None
