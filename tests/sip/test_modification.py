"""Changing a session by a re-INVITE of ours (RFC 3261 §14)."""

from __future__ import annotations

import pytest

from trivox.errors import CallWrongStateError
from trivox.sip import events
from trivox.sip.invite_session import InviteSession
from trivox.sip.invite_table import InviteState
from trivox.sip.modification import (
    MODIFICATION_ACTIONS,
    MODIFICATION_IGNORED,
    MODIFICATION_TABLE,
    ModificationAction,
    ModificationEvent,
    ModificationState,
)
from trivox.sip.offer_answer import OfferState
from trivox.sip.outputs import SendAck, SendRequest
from trivox.sip.table import ignored_because

from .conftest import Driver, said


def modify(driver, *given) -> tuple[int, SendRequest]:
    driver.carry(driver.session.modify(*given))
    return driver.last


@pytest.mark.parametrize("state", ModificationState)
@pytest.mark.parametrize("event", ModificationEvent)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(state, event) -> None:
    is_row = event in MODIFICATION_TABLE[state]

    assert is_row != (ignored_because(MODIFICATION_IGNORED, state, event) is not None)


def test_every_action_of_the_table_can_be_done_and_is_used() -> None:
    rows = MODIFICATION_TABLE.values()
    used = {action for row in rows for go in row.values() for action in go.actions}

    assert used == set(ModificationAction) == set(MODIFICATION_ACTIONS)


def test_reinvite_is_acknowledged_and_its_answer_told(called, far_end) -> None:
    tx, invite = modify(called, b"hold")
    body = {"body": b"held", "contact": "<sip:bob@192.0.2.77>"}

    ack, told = called.hears(far_end.answers(tx, far_end.response(invite, 200, **body)))

    assert (invite.method, invite.body) == ("INVITE", b"hold")
    assert far_end.header(invite, "CSeq") == "2 INVITE"
    assert far_end.header(invite, "Contact") == "<sip:alice@192.0.2.1>"
    assert isinstance(ack, SendAck)
    assert (ack.tx, far_end.header(ack, "CSeq")) == (tx, "2 ACK")
    # The 2xx names a new target (RFC 3261 §12.2.1.2).
    assert ack.uri == "sip:bob@192.0.2.77"
    assert isinstance(told, events.ModificationAnswered)
    assert (told.body, told.is_offer) == (b"held", False)
    assert not called.session.is_modifying
    assert called.session.offer_state is OfferState.STABLE


def test_callee_may_change_the_session_too(answered, far_end) -> None:
    tx, invite = modify(answered, b"hold")

    outputs = answered.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"held")))

    assert said(outputs) == ["SendAck", "ModificationAnswered"]


def test_reinvite_without_body_gets_an_offer_and_answers_it_in_the_ack(called, far_end) -> None:
    tx, invite = modify(called)
    [told] = called.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"offer")))
    assert (told.body, told.is_offer) == (b"offer", True)
    assert called.session.is_modifying

    [ack] = called.session.acknowledge_modification(b"answer")

    assert (ack.tx, ack.body) == (tx, b"answer")
    assert not called.session.is_modifying
    assert called.session.offer_state is OfferState.STABLE


def test_acknowledging_what_was_not_offered_does_nothing(called) -> None:
    assert called.session.acknowledge_modification(b"answer") == ()
    modify(called, b"hold")
    assert called.session.acknowledge_modification(b"answer") == ()


@pytest.mark.parametrize("status", [488, 603, 500, 503])
def test_refusal_leaves_the_session_as_it_was(called, far_end, status) -> None:
    tx, invite = modify(called, b"hold")

    [told] = called.hears(far_end.answers(tx, far_end.response(invite, status, reason="No")))

    assert (told.status, told.reason) == (status, "No")
    assert called.session.is_confirmed
    assert called.session.offer_state is OfferState.STABLE
    assert said(called.carry(called.session.modify(b"again"))) == ["INVITE"]


@pytest.mark.parametrize("status", [408, 481])
def test_final_response_that_says_the_dialog_is_gone_ends_it(called, far_end, status) -> None:
    tx, invite = modify(called, b"hold")

    outputs = called.hears(far_end.answers(tx, far_end.response(invite, status)))
    outputs += called.waits(1.0)

    assert said(outputs) == ["ModificationRefused", "DialogLost", "BYE"]


def test_silence_ends_the_dialog_and_a_lost_flow_does_not(called, far_end) -> None:
    assert not called.session.has_given_up
    tx, _ = modify(called, b"hold")
    [told] = called.hears(far_end.is_gone(tx))
    assert (told.status, told.message) == (503, None)
    tx, _ = modify(called, b"hold")

    outputs = called.hears(far_end.is_silent(tx))

    assert said(outputs) == ["ModificationRefused", "DialogLost", "BYE"]
    assert outputs[0].status == 408
    assert called.session.has_given_up


def test_challenge_to_a_reinvite_is_answered_and_its_ack_has_the_credentials(
    called, far_end
) -> None:
    tx, invite = modify(called, b"hold")
    called.hears(far_end.answers(tx, far_end.challenge(invite)))
    again_tx, again = called.last

    ack, _ = called.hears(far_end.answers(again_tx, far_end.response(again, 200, body=b"held")))

    assert far_end.header(again, "CSeq") == "3 INVITE"
    assert again.body == b"hold"
    assert far_end.header(ack, "Authorization") == far_end.header(again, "Authorization")
    assert far_end.header(ack, "CSeq") == "3 ACK"


@pytest.mark.parametrize("body", [b"hold", b""])
def test_update_changes_the_session_without_ack(called, far_end, body) -> None:
    """RFC 3311 §5.1."""
    called.carry(called.session.modify(body, method="UPDATE"))
    tx, update = called.last

    [told] = called.hears(far_end.answers(tx, far_end.response(update, 200, body=body)))

    assert (update.method, update.body) == ("UPDATE", body)
    assert far_end.header(update, "Contact") == "<sip:alice@192.0.2.1>"
    assert (told.body, told.is_offer) == (body, False)
    assert called.session.offer_state is OfferState.STABLE


def test_callee_may_update_an_early_dialog_that_is_agreed(far_end, identity) -> None:
    request = far_end.request("INVITE", to_tag="", body=b"offer", more=(("Supported", "100rel"),))
    driver = Driver(
        InviteSession.incoming(
            request, 7, local_tag="us", contact="<sip:alice@192.0.2.1>", identity=identity
        )
    )
    assert driver.session.is_unanswered
    assert driver.session.modify(b"new", method="UPDATE") == (events.ModificationDeferred(0),)
    [response] = driver.session.provisional(183, "Progress", body=b"answer")
    rack = f"{far_end.header(response, 'RSeq')} 1 INVITE"
    outputs = driver.hears(far_end.asks(50, far_end.request("PRACK", more=(("RAck", rack),))))
    assert said(outputs) == ["200", "ModificationDue"]

    driver.carry(driver.session.modify(b"new", method="UPDATE"))
    tx, update = driver.last
    outputs = driver.hears(far_end.answers(tx, far_end.response(update, 200, body=b"agreed")))

    assert (update.method, said(outputs)) == ("UPDATE", ["ModificationAnswered"])
    assert driver.session.is_unanswered


def test_caller_may_update_the_early_dialog_of_a_branch(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    more = (("Require", "100rel"), ("RSeq", "1"))
    for tag in ("a", "b"):
        response = far_end.response(invite, 183, tag=tag, body=b"answer", more=more)
        caller.hears(far_end.answers(tx, response))

    caller.carry(caller.session.modify(b"new", method="UPDATE", to_tag="a"))
    update_tx, update = caller.last
    crossed = caller.session.handle(far_end.answers(update_tx, far_end.response(update, 491)), 10.0)
    caller.session.handle_timeout(20.0)
    caller.carry(caller.session.modify(b"new", method="UPDATE", to_tag="a"))
    outputs = caller.hears(far_end.answers(tx, far_end.response(invite, 200, tag="a")))

    assert far_end.header(update, "To").endswith(";tag=a")
    assert crossed == (events.ModificationDeferred(491),)
    assert said(outputs) == ["SendAck", "Answered"]
    # The UPDATE is still out: its answer comes by itself.
    assert caller.session.offer_state is OfferState.LOCAL_OFFER


@pytest.mark.parametrize(("method", "tag"), [("INVITE", "them"), ("UPDATE", "who")])
def test_early_dialog_is_not_changed_by_a_reinvite_or_before_it_is_agreed(
    caller, far_end, method, tag
) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 183, body=b"preview")))

    with pytest.raises(CallWrongStateError):
        caller.session.modify(b"new", method=method, to_tag=tag)


# Glare (RFC 3261 §14.1)


def glare(driver, far_end) -> list:
    tx, invite = modify(driver, b"hold")
    return driver.carry(
        driver.session.handle(far_end.answers(tx, far_end.response(invite, 491)), 10.0)
    )


@pytest.mark.parametrize(
    ("side", "least", "most"), [("called", 12.1, 14.0), ("answered", 10.0, 12.0)]
)
def test_glare_is_tried_again_later_by_who_owns_the_call_id(
    request, far_end, side, least, most
) -> None:
    driver = request.getfixturevalue(side)

    [told] = glare(driver, far_end)

    due = driver.session.next_deadline()
    assert told == events.ModificationDeferred(491)
    assert least <= due <= most
    assert round((due - 10.0) * 100) == pytest.approx((due - 10.0) * 100)
    assert driver.session.handle_timeout(due - 0.001) == ()
    assert driver.session.handle_timeout(due) == (events.ModificationDue(),)
    assert driver.session.next_deadline() is None
    assert said(driver.session.modify(b"hold again")) == ["INVITE"]


def test_modify_while_backing_off_waits_for_the_same_moment(called, far_end) -> None:
    glare(called, far_end)
    due = called.session.next_deadline()

    assert called.session.modify(b"more") == (events.ModificationDeferred(0),)
    assert called.session.next_deadline() == due


def test_glare_without_end_counts_as_refusal(called, far_end) -> None:
    for _ in range(8):
        assert said(glare(called, far_end)) == ["ModificationDeferred"]
        called.session.handle_timeout(20.0)

    assert said(glare(called, far_end)) == ["ModificationRefused"]


@pytest.mark.parametrize(
    ("value", "delay"), [("3", 3.0), ("10 (busy);duration=5", 10.0), ("99", None), ("x", None)]
)
def test_server_error_that_says_when_to_come_back_is_tried_again(
    called, far_end, value, delay
) -> None:
    """RFC 3261 §14.2: 500 with Retry-After while their last INVITE is not answered."""
    tx, invite = modify(called, b"hold")
    response = far_end.response(invite, 500, more=(("Retry-After", value),))

    [told] = called.carry(called.session.handle(far_end.answers(tx, response), 10.0))

    assert said([told]) == ["ModificationRefused" if delay is None else "ModificationDeferred"]
    expected = None if delay is None else 10.0 + delay
    assert called.session.next_deadline() == expected


# What overlaps


def test_their_reinvite_while_ours_is_out_gets_491(called, far_end) -> None:
    modify(called, b"hold")

    [response] = called.hears(far_end.asks(50, far_end.request("INVITE", body=b"theirs")))

    assert response.status == 491


def test_ours_waits_while_theirs_is_not_answered_and_acknowledged(called, far_end) -> None:
    called.hears(far_end.asks(50, far_end.request("INVITE", body=b"theirs")))
    assert called.session.modify(b"hold") == (events.ModificationDeferred(0),)
    assert called.session.modify(b"hold") == (events.ModificationDeferred(0),)
    called.session.respond(50, 200, "OK", body=b"ours")
    assert called.hears(far_end.asks(51, far_end.request("INFO", cseq=2)))[1:] == []

    outputs = called.hears(far_end.acknowledges(50))

    assert said(outputs) == ["Acknowledged", "ModificationDue"]
    assert said(called.session.modify(b"hold")) == ["INVITE"]


def test_modify_before_the_ack_of_our_2xx_waits_for_it(callee, far_end) -> None:
    callee.session.accept((), b"answer")
    assert callee.session.modify(b"hold") == (events.ModificationDeferred(0),)

    outputs = callee.hears(far_end.acknowledges(7))

    assert said(outputs) == ["Acknowledged", "ModificationDue"]


def test_deferred_change_may_be_sent_at_once_when_the_way_is_free(called, far_end) -> None:
    called.hears(far_end.asks(50, far_end.request("INVITE", body=b"theirs")))
    called.session.modify(b"hold")
    called.session.respond(50, 488, "Not Acceptable Here")

    assert said(called.carry(called.session.modify(b"hold"))) == ["INVITE"]


def test_second_change_while_one_is_out_is_refused(called) -> None:
    modify(called, b"hold")

    with pytest.raises(CallWrongStateError, match="one change at a time"):
        called.session.modify(b"more")


def test_session_that_is_not_answered_or_has_ended_cannot_be_changed(caller, called) -> None:
    called.carry(called.session.end())

    with pytest.raises(CallWrongStateError):
        called.session.modify(b"hold")


# The end of the session meanwhile


def test_hanging_up_while_it_is_out_still_acknowledges_its_2xx(called, far_end) -> None:
    tx, invite = modify(called, b"hold")
    assert said(called.carry(called.session.end())) == ["BYE"]

    outputs = called.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"held")))

    assert said(outputs) == ["SendAck"]
    assert called.session.state is InviteState.ENDING


@pytest.mark.parametrize("status", [487, 491])
def test_hanging_up_while_it_is_out_makes_its_failure_of_no_interest(
    called, far_end, status
) -> None:
    tx, invite = modify(called, b"hold")
    called.carry(called.session.end())

    assert called.hears(far_end.answers(tx, far_end.response(invite, status))) == []
    assert called.session.next_deadline() is None


def test_their_bye_crossing_our_reinvite_ends_the_session(called, far_end) -> None:
    tx, invite = modify(called, b"hold")
    outputs = called.hears(far_end.asks(50, far_end.request("BYE")))
    assert said(outputs) == ["200", "RemoteEnded", "Forget"]

    assert called.hears(far_end.answers(tx, far_end.response(invite, 487))) == []
    assert called.hears(far_end.is_silent(tx)) == []


def test_hanging_up_before_our_answer_sends_the_ack_first(called, far_end) -> None:
    tx, invite = modify(called)
    called.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"offer")))

    outputs = called.carry(called.session.end())

    assert said(outputs) == ["SendAck", "BYE"]


def test_end_while_backing_off_forgets_the_timer(called, far_end) -> None:
    glare(called, far_end)

    called.carry(called.session.end())

    assert called.session.next_deadline() is None
    assert called.session.handle_timeout(100.0) == ()


def test_time_passes_without_effect_on_an_unchanged_session(called) -> None:
    assert called.session.next_deadline() is None
    assert called.session.handle_timeout(1.0) == ()
