"""Provisional responses sent and taken reliably (RFC 3262)."""

from __future__ import annotations

import pytest

from trivox import _native
from trivox.errors import NotSupportedError
from trivox.sip import events
from trivox.sip.invite_session import InviteSession
from trivox.sip.invite_table import InviteState
from trivox.sip.offer_answer import OfferState
from trivox.sip.reliable import (
    SENDER_IGNORED,
    SENDER_TABLE,
    Reliability,
    SenderEvent,
    SenderState,
)
from trivox.sip.table import ignored_because

from .conftest import Driver, said

SUPPORTS = ("Supported", "timer, 100rel")
REQUIRES = ("Require", "100rel")


@pytest.mark.parametrize("state", SenderState)
@pytest.mark.parametrize("event", SenderEvent)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(state, event) -> None:
    is_row = event in SENDER_TABLE[state]

    assert is_row != (ignored_because(SENDER_IGNORED, state, event) is not None)


# Theirs


def reliable(serial: object, *, body: bool = False) -> dict:
    return {"more": (REQUIRES, ("RSeq", str(serial))), "body": b"answer" if body else b""}


@pytest.fixture
def calling(caller) -> Driver:
    caller.carry(caller.session.invite(b"offer"))
    return caller


def progress(driver, far_end, status: int = 183, *, invite=None, **given) -> list[object]:
    tx, first = min(driver.sent.items())
    return driver.hears(far_end.answers(tx, far_end.response(invite or first, status, **given)))


def test_reliable_response_gets_its_prack_in_the_early_dialog(calling, far_end) -> None:
    outputs = progress(calling, far_end, contact="<sip:bob@192.0.2.77>", **reliable(7, body=True))

    prack, told = outputs
    assert (prack.method, prack.uri) == ("PRACK", "sip:bob@192.0.2.77")
    assert far_end.header(prack, "RAck") == "7 1 INVITE"
    assert far_end.header(prack, "CSeq") == "2 PRACK"
    assert far_end.header(prack, "To").endswith(";tag=them")
    assert (told.body, told.is_reliable, told.is_offer) == (b"answer", True, False)


def test_further_ones_are_acknowledged_in_order(calling, far_end) -> None:
    progress(calling, far_end, **reliable(7))

    held = progress(calling, far_end, **reliable(9))
    outputs = progress(calling, far_end, **reliable(8))

    assert held == []
    assert said(outputs) == ["PRACK", "Progress", "PRACK", "Progress"]
    assert [far_end.header(o, "RAck") for o in outputs[::2]] == ["8 1 INVITE", "9 1 INVITE"]
    assert [far_end.header(o, "CSeq") for o in outputs[::2]] == ["3 PRACK", "4 PRACK"]


def test_one_that_came_before_is_not_acknowledged_again(calling, far_end) -> None:
    progress(calling, far_end, **reliable(7))

    assert progress(calling, far_end, 180, **reliable(7)) == []
    assert progress(calling, far_end, 180, **reliable(3)) == []


def test_what_is_kept_for_a_gap_is_bounded(calling, far_end) -> None:
    progress(calling, far_end, **reliable(1))
    for serial in range(3, 20):
        progress(calling, far_end, **reliable(serial))

    outputs = progress(calling, far_end, **reliable(2))

    assert said(outputs) == ["PRACK", "Progress"] * 9


@pytest.mark.parametrize("value", ["0", "x", "4294967296", "-1", "99999999999"])
def test_response_whose_number_is_none_counts_as_a_plain_one(calling, far_end, value) -> None:
    assert said(progress(calling, far_end, **reliable(value))) == ["Progress"]


def test_number_without_requirement_counts_as_a_plain_one(calling, far_end) -> None:
    assert said(progress(calling, far_end, more=(("RSeq", "1"),))) == ["Progress"]


def test_reliable_response_without_dialog_is_dropped(calling, far_end) -> None:
    assert progress(calling, far_end, tag="", **reliable(1)) == []


def test_each_branch_counts_for_itself(calling, far_end) -> None:
    first = progress(calling, far_end, tag="a", **reliable(5))
    second = progress(calling, far_end, tag="b", **reliable(900))
    third = progress(calling, far_end, tag="a", **reliable(6))

    assert [far_end.header(o[0], "RAck") for o in (first, second, third)] == [
        "5 1 INVITE",
        "900 1 INVITE",
        "6 1 INVITE",
    ]


def test_answer_that_came_reliably_stands_for_the_one_of_the_2xx(calling, far_end) -> None:
    """RFC 6337 §3.1.1: of the branch that wins, and of no other."""
    progress(calling, far_end, tag="a", **reliable(5))
    progress(calling, far_end, tag="them", **reliable(9, body=True))

    ack, told = progress(calling, far_end, 200, body=b"something else")

    assert told.body == b"answer"
    assert far_end.header(ack, "CSeq") == "1 ACK"
    assert calling.session.offer_state is OfferState.STABLE


def test_answer_of_the_2xx_counts_when_none_came_reliably(calling, far_end) -> None:
    progress(calling, far_end, **reliable(9))

    _, told = progress(calling, far_end, 200, body=b"late answer")

    assert told.body == b"late answer"


@pytest.mark.parametrize("status", [200, 481, 500])
def test_what_the_prack_is_answered_changes_nothing(calling, far_end, status) -> None:
    progress(calling, far_end, **reliable(7))
    tx, prack = calling.last

    assert calling.hears(far_end.answers(tx, far_end.response(prack, status))) == []
    assert calling.session.state is InviteState.PROCEEDING


def test_offer_in_a_reliable_response_is_answered_by_the_prack(caller, far_end) -> None:
    """RFC 3262 §5: our INVITE had none."""
    caller.carry(caller.session.invite())
    [told] = progress(caller, far_end, **reliable(7, body=True))
    assert (told.body, told.is_offer) == (b"answer", True)

    [prack] = caller.carry(caller.session.acknowledge_progress("them", b"ours"))
    assert (prack.method, prack.body) == ("PRACK", b"ours")
    assert far_end.header(prack, "RAck") == "7 1 INVITE"
    assert caller.session.acknowledge_progress("them", b"ours") == ()
    assert caller.session.acknowledge_progress("who", b"ours") == ()

    outputs = progress(caller, far_end, 200)
    assert said(outputs) == ["SendAck", "Answered"]


def test_reliable_response_without_description_before_the_offer(caller, far_end) -> None:
    caller.carry(caller.session.invite())
    progress(caller, far_end, 180, **reliable(7))

    [told] = progress(caller, far_end, 200, body=b"offer")

    assert (told.body, told.is_offer) == (b"offer", True)


def test_update_in_an_early_dialog_that_is_agreed(calling, far_end) -> None:
    """RFC 3311 §5.2: early media change."""
    progress(calling, far_end, **reliable(7, body=True))

    [told] = calling.hears(far_end.asks(50, far_end.request("UPDATE", body=b"new offer")))
    ok = calling.session.respond(50, 200, "OK", body=b"new answer")
    _, answered = progress(calling, far_end, 200)

    assert (told.body, ok.status) == (b"new offer", 200)
    assert answered.body == b""


def test_update_with_offer_in_an_early_dialog_that_is_not_agreed_gets_491(calling, far_end) -> None:
    progress(calling, far_end, 180)

    [refusal] = calling.hears(far_end.asks(50, far_end.request("UPDATE", body=b"new offer")))

    assert refusal.status == 491


@pytest.mark.parametrize(
    ("policy", "supported", "required"),
    [
        (Reliability.NEVER, False, None),
        (Reliability.SUPPORTED, True, None),
        (Reliability.REQUIRED, True, "100rel"),
    ],
)
def test_invite_says_what_the_policy_is(identity, far_end, policy, supported, required) -> None:
    session = InviteSession.outgoing(
        identity,
        "sip:bob@example.com",
        call_id="call-1",
        local_tag="us",
        cnonce="c",
        reliability=policy,
    )

    [invite] = session.invite(b"offer")

    assert ("100rel" in far_end.header(invite, "Supported")) is supported
    assert "timer" in far_end.header(invite, "Supported")
    assert far_end.header(invite, "Require") == required


# Ours


def called_by(far_end, identity, *more, body=b"offer", policy=Reliability.SUPPORTED) -> Driver:
    request = far_end.request("INVITE", cseq=4, to_tag="", body=body, more=more)
    return Driver(
        InviteSession.incoming(
            request,
            7,
            local_tag="us",
            contact="<sip:alice@192.0.2.1>",
            identity=identity,
            cnonce="c",
            reliability=policy,
        )
    )


def ring(driver, status: int = 183, body: bytes = b"answer", **given) -> list[object]:
    return list(driver.session.provisional(status, "Reason", body=body, **given))


def prack(driver, far_end, response, *, cseq: int = 5, rack: str = "", **given) -> list[object]:
    serial = next(value for name, value in response.headers if name == "RSeq")
    more = (("RAck", rack or f"{serial} 4 INVITE"),)
    request = far_end.request("PRACK", cseq=cseq, more=more, **given)
    return driver.hears(far_end.asks(40 + cseq, request))


def test_response_with_a_description_is_sent_reliably_to_who_knows_it(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)

    [plain] = ring(driver, 180, b"")
    [response] = ring(driver)

    assert far_end.header(plain, "RSeq") is None
    assert far_end.header(response, "Require") == "100rel"
    assert 1 <= int(far_end.header(response, "RSeq")) < 2**31
    assert "UPDATE" in far_end.header(response, "Allow")
    assert response.body == b"answer"
    assert driver.session.offer_state is OfferState.STABLE


def test_prack_is_answered_and_the_2xx_says_nothing_more(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    [response] = ring(driver)
    assert not driver.session.is_acknowledged

    [ok] = prack(driver, far_end, response)
    # Requests of ours may follow within the early dialog from now on (RFC 8840 §4.4).
    assert driver.session.is_acknowledged
    [accepted] = driver.session.accept((), b"answer again")

    assert (ok.tx, ok.status) == (45, 200)
    assert (accepted.status, accepted.body) == (200, b"")
    assert said(driver.hears(far_end.acknowledges(7))) == ["Acknowledged"]


def test_next_response_waits_for_the_prack(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    [first] = ring(driver)
    assert ring(driver, 180, b"", is_reliable=True) == []
    assert ring(driver, 181, b"") == []

    outputs = prack(driver, far_end, first)

    assert said(outputs) == ["200", "180"]
    second = outputs[1]
    numbers = [int(far_end.header(response, "RSeq")) for response in (first, second)]
    assert numbers[1] == numbers[0] + 1
    assert said(prack(driver, far_end, second, cseq=6)) == ["200", "181"]


def test_accept_waits_for_the_prack_of_a_description(far_end, identity) -> None:
    """RFC 3262 §3."""
    driver = called_by(far_end, identity, SUPPORTS)
    [response] = ring(driver)
    ring(driver, 180, b"")
    assert driver.session.accept((), b"answer") == ()
    assert driver.session.state is InviteState.INCOMING

    outputs = prack(driver, far_end, response)

    assert said(outputs) == ["200", "200", "AcceptSent"]
    assert outputs[1].tx == 7
    assert driver.session.state is InviteState.ACCEPTED


def test_accept_does_not_wait_for_the_prack_of_a_plain_ringing(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    [ringing] = ring(driver, 180, b"", is_reliable=True)
    ring(driver, 181, b"")

    [accepted] = driver.session.accept((), b"answer")

    assert (accepted.status, accepted.body) == (200, b"answer")
    assert said(prack(driver, far_end, ringing)) == ["200"]


def test_call_that_is_ended_while_accept_waits(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    [response] = ring(driver)
    driver.session.accept((), b"answer")

    assert said(driver.hears(far_end.cancels(7)))[:2] == ["487", "RemoteCancelled"]
    assert said(prack(driver, far_end, response)) == ["481"]


@pytest.mark.parametrize("rack", ["1 4 INVITE", "{} 3 INVITE", "{} 4 UPDATE", "x", "{}"])
def test_prack_for_no_response_of_ours_gets_481(far_end, identity, rack) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    [response] = ring(driver)
    rack = rack.format(far_end.header(response, "RSeq"))

    assert said(prack(driver, far_end, response, rack=rack)) == ["481"]
    assert said(prack(driver, far_end, response, cseq=6)) == ["200"]
    assert said(prack(driver, far_end, response, cseq=7)) == ["481"]


def test_prack_without_any_reliable_response_gets_481(callee, far_end) -> None:
    request = far_end.request("PRACK", cseq=2, more=(("RAck", "1 1 INVITE"),))

    assert said(callee.hears(far_end.asks(50, request))) == ["481"]


def test_response_nobody_acknowledges_ends_the_invite_with_a_5xx(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    ring(driver)
    event = (_native.EVENT_ACK_TIMEOUT, 1, 7, "INVITE", 0, None, 1, ("192.0.2.2", 5060))

    outputs = driver.hears(event)

    assert said(outputs) == ["504", "ProgressTimedOut", "Forget"]
    assert driver.session.is_over


def test_our_offer_in_a_reliable_response_is_answered_by_the_prack(far_end, identity) -> None:
    """RFC 3262 §5: their INVITE had none."""
    driver = called_by(far_end, identity, SUPPORTS, body=b"")
    [response] = ring(driver, body=b"our offer")

    ok, told = prack(driver, far_end, response, body=b"their answer")

    assert ok.status == 200
    assert isinstance(told, events.ProgressAcknowledged)
    assert told.body == b"their answer"
    assert driver.session.offer_state is OfferState.STABLE


def test_offer_in_a_prack_is_answered_in_its_response(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    [response] = ring(driver)
    driver.session.accept()

    [told] = prack(driver, far_end, response, body=b"new offer")
    assert isinstance(told, events.UpdateReceived)
    assert driver.session.next_deadline() is None
    ok = driver.session.respond(told.tx, 200, "OK", body=b"new answer")

    assert ok.body == b"new answer"
    # What has waited goes out when that is said.
    assert driver.session.next_deadline() == 0.0
    assert said(driver.session.handle_timeout(0.0)) == ["200", "AcceptSent"]


def test_who_requires_it_gets_every_response_reliably(far_end, identity) -> None:
    driver = called_by(far_end, identity, REQUIRES, policy=Reliability.NEVER)

    [response] = ring(driver, 180, b"", is_reliable=False)

    assert far_end.header(response, "RSeq") is not None


@pytest.mark.parametrize(
    ("policy", "body", "wish", "expected"),
    [
        (Reliability.NEVER, b"answer", None, False),
        (Reliability.NEVER, b"", True, True),
        (Reliability.SUPPORTED, b"answer", False, False),
        (Reliability.SUPPORTED, b"", None, False),
        (Reliability.SUPPORTED, b"", True, True),
        (Reliability.REQUIRED, b"", None, True),
    ],
)
def test_policy_and_wish_decide(far_end, identity, policy, body, wish, expected) -> None:
    driver = called_by(far_end, identity, SUPPORTS, policy=policy)

    [response] = ring(driver, 180, body, is_reliable=wish)

    assert (far_end.header(response, "RSeq") is not None) is expected


def test_who_does_not_know_it_cannot_be_sent_one(far_end, identity) -> None:
    driver = called_by(far_end, identity)

    with pytest.raises(NotSupportedError, match="100rel"):
        ring(driver, is_reliable=True)
    assert said(ring(driver)) == ["183"]


def test_provisional_after_the_end_is_nothing(far_end, identity) -> None:
    driver = called_by(far_end, identity, SUPPORTS)
    driver.session.reject(486, "Busy Here")

    assert driver.session.provisional(180, "Ringing", is_reliable=True) == ()
