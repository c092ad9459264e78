"""What a session does with the 2xx to an INVITE that it has given up (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

import pytest

from .conftest import kinds


def test_late_answer_to_a_reinvite_is_acknowledged_once_the_call_is_over(called, far_end):
    called.carry(called.session.modify(b"offer"))
    tx, reinvite = called.last
    late = far_end.answers(tx, far_end.response(reinvite, 200, body=b"answer"))
    called.hears(far_end.is_silent(tx))
    bye, request = called.last
    called.hears(far_end.answers(bye, far_end.response(request, 200)))

    [ack] = called.hears(late)

    assert kinds((ack,)) == ["SendAck"]
    assert (ack.tx, far_end.header(ack, "CSeq")) == (tx, "2 ACK")


@pytest.mark.parametrize("status", [180, 486])
def test_late_answer_that_is_no_2xx_means_nothing(caller, far_end, status):
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.is_silent(tx))

    assert caller.hears(far_end.answers(tx, far_end.response(invite, status))) == []


def test_late_answer_counts_once_for_each_branch(caller, far_end):
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.is_silent(tx))

    first = caller.hears(far_end.answers(tx, far_end.response(invite, 200)))
    again = caller.hears(far_end.answers(tx, far_end.response(invite, 202)))
    other = caller.hears(far_end.answers(tx, far_end.response(invite, 200, tag="else")))

    assert [kinds(said) for said in (first, again, other)] == [
        ["SendAck", "BYE"],
        [],
        ["SendAck", "BYE"],
    ]
