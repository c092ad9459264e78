"""The session timer (RFC 4028): what is asked, who refreshes, when it is given up."""

from __future__ import annotations

import pytest

from trivox.sip import events
from trivox.sip.invite_session import InviteSession
from trivox.sip.session_timer import (
    TIMER_ACTIONS,
    TIMER_IGNORED,
    TIMER_TABLE,
    TimerAction,
    TimerEvent,
    TimerOffer,
    TimerState,
    interval_untrusted,
)
from trivox.sip.table import ignored_because

from .conftest import Driver, said

TIMER = ("Supported", "100rel, timer")
UPDATES = ("Allow", "INVITE, ACK, BYE, UPDATE")


@pytest.mark.parametrize("state", TimerState)
@pytest.mark.parametrize("event", TimerEvent)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(state, event) -> None:
    is_row = event in TIMER_TABLE[state]

    assert is_row != (ignored_because(TIMER_IGNORED, state, event) is not None)


def test_every_action_of_the_table_can_be_done_and_is_used() -> None:
    used = {action for row in TIMER_TABLE.values() for go in row.values() for action in go.actions}

    assert used == set(TimerAction) == set(TIMER_ACTIONS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1800", (1800, "")),
        ("1800;refresher=uac", (1800, "uac")),
        (" 90 ; x=y ; Refresher=UAS", (90, "uas")),
        ("99999999999", None),
        ("-1", None),
        ("١٢٠", None),
        ("", None),
        (None, None),
        ("9999999999;refresher=who", (2**31, "")),
    ],
)
def test_session_expires_is_read_with_care(value, expected) -> None:
    assert interval_untrusted(value) == expected


# As caller


def call(identity, far_end, *, offer: TimerOffer, answer: tuple = ()) -> Driver:
    driver = Driver(
        InviteSession.outgoing(
            identity,
            "sip:bob@example.com",
            call_id="call-1",
            local_tag="us",
            cnonce="c",
            timer=offer,
        )
    )
    driver.carry(driver.session.invite(b"offer"))
    tx, invite = driver.last
    ok = far_end.response(invite, 200, body=b"answer", more=(UPDATES, *answer))
    driver.carry(driver.session.handle(far_end.answers(tx, ok), 1000.0))
    return driver


def expires(value: str) -> tuple[str, str]:
    return ("Session-Expires", value)


def test_invite_asks_for_an_interval(identity, far_end) -> None:
    driver = call(identity, far_end, offer=TimerOffer(1200, 100))
    _, invite = driver.last

    assert far_end.header(invite, "Session-Expires") == "1200"
    assert far_end.header(invite, "Min-SE") == "100"
    assert "timer" in far_end.header(invite, "Supported")
    # Their 2xx has none: there is no timer (RFC 4028 §7.2).
    assert driver.session.next_deadline() is None


def test_session_without_a_wish_asks_for_none(identity, far_end) -> None:
    _, invite = call(identity, far_end, offer=TimerOffer(0)).last

    assert far_end.header(invite, "Session-Expires") is None


@pytest.mark.parametrize("value", ["1200;refresher=uac", "1200"])
def test_our_refresh_is_an_update_after_half_of_the_interval(identity, far_end, value) -> None:
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=(expires(value),))
    assert driver.session.next_deadline() == 1600.0

    outputs = driver.carry(driver.session.handle_timeout(1600.0))

    tx, update = driver.last
    assert said(outputs) == ["UPDATE"]
    assert (update.body, far_end.header(update, "Session-Expires")) == (b"", "1200;refresher=uac")
    # The answer starts the interval anew.
    ok = far_end.response(update, 200, more=(expires("1200;refresher=uac"),))
    assert driver.carry(driver.session.handle(far_end.answers(tx, ok), 1601.0)) == []
    assert driver.session.next_deadline() == 2201.0


def test_refresh_without_update_is_asked_of_the_owner(identity, far_end) -> None:
    more = (expires("1200;refresher=uac"), ("Allow", "INVITE, ACK, BYE"))
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=more)
    driver.session._leg.remote_allow = "INVITE"

    assert driver.session.handle_timeout(1600.0) == (events.RefreshDue(),)
    driver.carry(driver.session.modify(b"offer"))

    tx, invite = driver.last
    assert far_end.header(invite, "Session-Expires") == "1200;refresher=uac"
    ok = far_end.response(
        invite, 200, body=b"answer", more=(expires("1200;refresher=uac"), UPDATES)
    )
    driver.carry(driver.session.handle(far_end.answers(tx, ok), 1601.0))
    assert driver.session.next_deadline() == 2201.0


@pytest.mark.parametrize("status", [405, 501])
def test_far_end_that_knows_no_update_after_all_gets_a_reinvite(identity, far_end, status) -> None:
    answer = (expires("1200;refresher=uac"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    driver.carry(driver.session.handle_timeout(1600.0))
    tx, update = driver.last

    assert driver.hears(far_end.answers(tx, far_end.response(update, status))) == [
        events.RefreshDue()
    ]


def test_refused_refresh_is_tried_again_until_the_session_expires(identity, far_end) -> None:
    answer = (expires("1200;refresher=uac"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    driver.carry(driver.session.handle_timeout(1600.0))
    tx, update = driver.last
    driver.carry(driver.session.handle(far_end.answers(tx, far_end.response(update, 500)), 1600.0))
    assert driver.session.next_deadline() == 1610.0
    assert said(driver.carry(driver.session.handle_timeout(1610.0))) == ["UPDATE"]

    outputs = driver.carry(driver.session.handle_timeout(2200.0))

    assert said(outputs) == ["SessionExpired", "BYE"]


@pytest.mark.parametrize("sign", ["is_silent", 481])
def test_refresh_nobody_answers_ends_the_dialog(identity, far_end, sign) -> None:
    """RFC 4028 §10."""
    answer = (expires("1200;refresher=uac"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    driver.carry(driver.session.handle_timeout(1600.0))
    tx, update = driver.last
    event = (
        far_end.is_silent(tx)
        if sign == "is_silent"
        else far_end.answers(tx, far_end.response(update, sign))
    )

    assert said(driver.hears(event) + driver.waits(1601.0)) == ["DialogLost", "BYE"]


def test_refresh_over_a_lost_flow_is_tried_again(identity, far_end) -> None:
    answer = (expires("1200;refresher=uac"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    driver.carry(driver.session.handle_timeout(1600.0))
    tx, _ = driver.last

    assert driver.carry(driver.session.handle(far_end.is_gone(tx), 1600.0)) == []
    assert driver.session.next_deadline() == 1610.0


def test_refresh_with_too_short_an_interval_goes_out_again(identity, far_end) -> None:
    answer = (expires("120;refresher=uac"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    driver.carry(driver.session.handle_timeout(1060.0))
    tx, update = driver.last
    refusal = far_end.response(update, 422, more=(("Min-SE", "300"),))

    outputs = driver.hears(far_end.answers(tx, refusal))

    _, again = driver.last
    assert said(outputs) == ["UPDATE"]
    assert far_end.header(again, "Session-Expires") == "300;refresher=uac"
    assert far_end.header(again, "Min-SE") == "300"


def test_session_they_do_not_refresh_is_given_up_before_its_end(identity, far_end) -> None:
    """RFC 4028 §10."""
    answer = (expires("1200;refresher=uas"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    assert driver.session.next_deadline() == 1000.0 + 1200 - 32

    assert driver.session.handle_timeout(2167.9) == ()
    outputs = driver.carry(driver.session.handle_timeout(2168.0))

    assert said(outputs) == ["SessionExpired", "BYE"]
    assert driver.session.next_deadline() is None


def test_short_interval_is_given_up_a_third_before_its_end(identity, far_end) -> None:
    answer = (expires("90;refresher=uas"),)

    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)

    assert driver.session.next_deadline() == 1060.0


def test_interval_below_the_least_of_the_rfc_is_not_believed(identity, far_end) -> None:
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=(expires("1;refresher=uac"),))

    assert driver.session.next_deadline() == 1045.0


def test_ending_the_call_ends_the_timer(identity, far_end) -> None:
    answer = (expires("1200;refresher=uac"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)

    driver.carry(driver.session.end())

    assert driver.session.next_deadline() is None
    assert driver.session.handle_timeout(9999.0) == ()


# 422 to the INVITE (RFC 4028 §7.3)


def refused(identity, far_end, *least: str) -> Driver:
    driver = Driver(
        InviteSession.outgoing(
            identity,
            "sip:bob@example.com",
            call_id="call-1",
            local_tag="us",
            cnonce="c",
            timer=TimerOffer(1800),
        )
    )
    driver.carry(driver.session.invite(b"offer"))
    for value in least:
        tx, invite = driver.last
        response = far_end.response(invite, 422, more=(("Min-SE", value),) if value else ())
        driver.outputs = driver.hears(far_end.answers(tx, response))
    return driver


def test_422_is_met_with_the_interval_they_want(identity, far_end) -> None:
    """RFC 4028 §6."""
    driver = refused(identity, far_end, "2000", "3600")
    _, invite = driver.last

    assert said(driver.outputs) == ["INVITE", "Challenged"]
    assert far_end.header(invite, "Session-Expires") == "3600"
    assert far_end.header(invite, "Min-SE") == "3600"
    assert far_end.header(invite, "CSeq") == "3 INVITE"


@pytest.mark.parametrize("least", [("",), ("90",), ("2000", "1999")])
def test_422_that_asks_for_nothing_new_is_final(identity, far_end, least) -> None:
    assert said(refused(identity, far_end, *least).outputs)[0] == "Rejected"


def test_422_without_end_is_final(identity, far_end) -> None:
    driver = refused(identity, far_end, "2000", "2001", "2002", "2003", "2004")

    assert said(driver.outputs)[0] == "Rejected"


def test_422_to_a_reinvite_lets_it_go_out_again_at_once(identity, far_end) -> None:
    answer = (expires("120;refresher=uas"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    driver.carry(driver.session.modify(b"hold"))
    tx, invite = driver.last
    refusal = far_end.response(invite, 422, more=(("Min-SE", "300"),))

    outputs = driver.carry(driver.session.handle(far_end.answers(tx, refusal), 1001.0))

    assert outputs == [events.ModificationDeferred(422)]
    assert driver.session.next_deadline() == 1001.0
    assert driver.session.handle_timeout(1001.0) == (events.ModificationDue(),)


# As callee


OFFER = TimerOffer(1800)


def callee_of(far_end, identity, *more, offer: TimerOffer = OFFER) -> Driver:
    request = far_end.request("INVITE", to_tag="", body=b"offer", more=more)
    return Driver(
        InviteSession.incoming(
            request,
            7,
            local_tag="us",
            contact="<sip:alice@192.0.2.1>",
            identity=identity,
            cnonce="c",
            timer=offer,
        )
    )


@pytest.mark.parametrize(
    ("asked", "expected", "is_required", "deadline"),
    [
        ((TIMER, expires("1200")), "1200;refresher=uac", True, 3168.0),
        ((TIMER, expires("1200;refresher=uac")), "1200;refresher=uac", True, 3168.0),
        ((TIMER, expires("1200;refresher=uas")), "1200;refresher=uas", False, 2600.0),
        ((expires("1200"),), "1200;refresher=uas", False, 2600.0),
        ((TIMER, expires("3600")), "1800;refresher=uac", True, 3768.0),
        ((TIMER, expires("3600"), ("Min-SE", "3000")), "3000;refresher=uac", True, 4968.0),
        ((TIMER,), None, False, None),
        ((), None, False, None),
    ],
)
def test_2xx_agrees_to_an_interval_and_its_refresher(
    far_end, identity, asked, expected, is_required, deadline
) -> None:
    """RFC 4028 §9 and table 2."""
    driver = callee_of(far_end, identity, *asked)
    [ok] = driver.session.accept((), b"answer")
    assert driver.session.next_deadline() is None

    driver.session.handle(far_end.acknowledges(7), 2000.0)

    assert far_end.header(ok, "Session-Expires") == expected
    assert (far_end.header(ok, "Require") == "timer") is is_required
    assert driver.session.next_deadline() == deadline


def test_interval_is_accepted_as_asked_by_who_wants_none_himself(far_end, identity) -> None:
    driver = callee_of(far_end, identity, TIMER, expires("7200"), offer=TimerOffer(0))

    [ok] = driver.session.accept((), b"answer")

    assert far_end.header(ok, "Session-Expires") == "7200;refresher=uac"


@pytest.fixture
def watched(far_end, identity) -> Driver:
    """A session of theirs that they refresh; it began at 2000 with 1200 s."""
    driver = callee_of(far_end, identity, TIMER, expires("1200"))
    driver.session.accept((), b"answer")
    driver.session.handle(far_end.acknowledges(7), 2000.0)
    return driver


@pytest.mark.parametrize(("method", "body"), [("INVITE", b"offer"), ("UPDATE", b"")])
def test_their_refresh_starts_the_interval_anew(watched, far_end, method, body) -> None:
    more = (TIMER, expires("1200;refresher=uac"))
    request = far_end.request(method, cseq=2, body=body, more=more)
    watched.session.handle(far_end.asks(50, request), 2500.0)

    ok = watched.session.respond(50, 200, "OK", body=body)

    assert far_end.header(ok, "Session-Expires") == "1200;refresher=uac"
    assert watched.session.next_deadline() == 2500.0 + 1168


def test_request_of_theirs_that_does_not_ask_leaves_the_refresh_to_us(watched, far_end) -> None:
    request = far_end.request("INVITE", cseq=2, body=b"hold")
    watched.session.handle(far_end.asks(50, request), 2500.0)

    ok = watched.session.respond(50, 200, "OK", body=b"held")

    assert far_end.header(ok, "Session-Expires") == "1200;refresher=uas"
    assert watched.session.next_deadline() == 3100.0


def test_refused_change_of_theirs_leaves_the_timer_alone(watched, far_end) -> None:
    request = far_end.request("INVITE", cseq=2, body=b"hold", more=(TIMER, expires("1800")))
    watched.session.handle(far_end.asks(50, request), 2500.0)

    watched.session.respond(50, 488, "Not Acceptable Here")

    assert watched.session.next_deadline() == 2000.0 + 1168


def test_change_of_ours_keeps_the_roles(watched, far_end) -> None:
    watched.carry(watched.session.modify(b"hold"))
    _, invite = watched.last

    assert far_end.header(invite, "Session-Expires") == "1200;refresher=uas"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_interval_below_ours_is_refused_with_422(watched, far_end, method) -> None:
    request = far_end.request(method, cseq=2, more=(TIMER, expires("60")))

    [refusal] = watched.hears(far_end.asks(50, request))

    assert (refusal.status, far_end.header(refusal, "Min-SE")) == (422, "90")


def test_short_interval_of_who_cannot_be_told_is_brought_up(watched, far_end) -> None:
    request = far_end.request("UPDATE", cseq=2, more=(expires("60"),))
    watched.session.handle(far_end.asks(50, request), 2500.0)

    ok = watched.session.respond(50, 200, "OK")

    assert far_end.header(ok, "Session-Expires") == "90;refresher=uas"


def test_refused_change_leaves_our_next_refresh_alone(identity, far_end) -> None:
    answer = (expires("1200;refresher=uac"),)
    driver = call(identity, far_end, offer=TimerOffer(1800), answer=answer)
    driver.carry(driver.session.modify(b"hold"))
    tx, invite = driver.last

    driver.hears(far_end.answers(tx, far_end.response(invite, 488)))

    assert driver.session.next_deadline() == 1600.0


def test_change_that_is_refused_is_no_refused_refresh(watched, far_end) -> None:
    watched.carry(watched.session.modify(b"hold"))
    tx, invite = watched.last

    watched.hears(far_end.answers(tx, far_end.response(invite, 488)))

    assert watched.session.next_deadline() == 2000.0 + 1168
