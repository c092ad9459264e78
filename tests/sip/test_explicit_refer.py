"""What a REFER says whose sender subscribes by itself, and what it is told (RFC 7614)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.subscribing import Telling
from tests.sip.test_transfer import message

from trivox.errors import ParseError
from trivox.sip.notifier import Publication
from trivox.sip.refer import SIPFRAG, events_at_untrusted, read_refer_untrusted
from trivox.sip.subscription_table import NotifierState
from trivox.sip.transfer import ReferAnswer, ReferNotify, Referral, Transfer, TransferChanged
from trivox.sip.transfer_table import TransferState

REFER_TO = ("Refer-To", "<sip:b@c>")
DONE = Publication(b"SIP/2.0 200 OK\r\n", SIPFRAG)


@pytest.mark.parametrize(
    ("headers", "wants", "is_explicit"),
    [
        ([("Require", "explicitsub")], True, True),
        ([("Require", "tdialog, ExplicitSub")], True, True),
        ([("Require", "explicitsub"), ("Refer-Sub", "false")], False, True),
        ([("Supported", "explicitsub")], True, False),
        ([("Require", "NoSub")], False, False),
        ([], True, False),
    ],
)
def test_a_refer_says_who_makes_its_subscription(headers, wants, is_explicit) -> None:
    """RFC 7614 §4.1, §5.1: in Require, where case says nothing (RFC 3261 §7.3.1)."""
    asked = read_refer_untrusted(message("REFER", REFER_TO, *headers))

    assert (asked.wants_notifications, asked.is_explicit) == (wants, is_explicit)


def test_a_refer_that_wants_none_and_one_is_a_mistake() -> None:
    """RFC 7614 §6."""
    for values in (["nosub, explicitsub"], ["explicitsub", "nosub"]):
        with pytest.raises(ParseError):
            read_refer_untrusted(message("REFER", REFER_TO, *(("Require", one) for one in values)))


@pytest.mark.parametrize(
    ("headers", "confirmed"), [([], ()), ([("Refer-Sub", "false")], (("Refer-Sub", "false"),))]
)
def test_reports_are_made_whatever_refer_sub_says(headers, confirmed) -> None:
    """RFC 7614 §4.7: the state is there for who subscribes; RFC 4488 §4 is about another one."""
    request = message("REFER", REFER_TO, ("Require", "explicitsub"), *headers)
    machine = Referral(read_refer_untrusted(request), 7)

    answer, first = machine.accept()
    machine.handle_notified(200)
    (last,) = machine.report(486, "Busy Here")

    assert answer == ReferAnswer(200, confirmed)
    assert isinstance(first, ReferNotify)
    assert isinstance(last, ReferNotify)
    assert (first.is_last, last.is_last) == (False, True)


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("<sip:a@b;x=1>", "sip:a@b;x=1"),
        ("<sips:a@b:5061>;more=1", "sips:a@b:5061"),
        ("<tel:+1>", None),
        ("<sip:a@b?Subject=x>", None),
        ("<sip:a@b>, <sip:c@d>", None),
        ("", None),
    ],
)
def test_where_to_subscribe_is_one_sip_uri(value, uri) -> None:
    """RFC 7614 §4.8."""
    assert events_at_untrusted(value) == uri


@given(st.text(alphabet="<>sip:@;?=,. a", max_size=60) | st.text(max_size=40))
def test_any_value_is_a_uri_or_none(text) -> None:
    uri = events_at_untrusted(text)

    assert uri is None or uri.startswith(("sip", "SIP", "Sip"))


def test_who_subscribes_after_the_outcome_is_told_that_and_no_more(identity, far_end) -> None:
    """RFC 7614 §4.7: one NOTIFY, which ends the subscription (RFC 3515 §2.4.7)."""
    telling = Telling(identity, far_end)
    (answer, *_) = telling.carry(telling.machine.conclude(DONE, 0.0))

    assert answer.status == 200
    assert telling.state_told() == "terminated;reason=noresource"
    assert telling.sent[0].body == DONE.body
    assert telling.machine.state is NotifierState.OVER
    telling.hears(200)
    assert telling.machine.is_done


def test_an_outcome_that_nobody_can_tell_is_a_timeout() -> None:
    machine = Transfer(1)
    machine.handle_response(200, "OK", 0.0)

    assert machine.handle_unheard("refused", 1.0) == (
        TransferChanged(TransferState.FAILED, 408, "refused", is_reported=True),
    )
    assert machine.handle_unheard("refused", 1.0) == ()
