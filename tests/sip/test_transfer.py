"""The two machines of a transfer: the one who asks, and the one who is asked (RFC 3515)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox._native import Message
from trivox.errors import ParseError
from trivox.sip.refer import (
    ReferTo,
    read_refer_untrusted,
    read_sipfrag_untrusted,
    refer_to,
    sipfrag,
)
from trivox.sip.replaces import DialogName, dialog_named_untrusted
from trivox.sip.table import ignored_because
from trivox.sip.transfer import ReferAnswer, ReferNotify, Referral, Transfer, TransferChanged
from trivox.sip.transfer_table import (
    REFERRAL_IGNORED,
    REFERRAL_TABLE,
    TRANSFER_IGNORED,
    TRANSFER_TABLE,
    ReferralEvent,
    ReferralState,
    TransferEvent,
    TransferState,
)

S, R = TransferState, ReferralState


def message(method: str, *headers: tuple[str, str], body: bytes = b"") -> Message:
    lines = [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"),
        ("From", "<sip:a@b>;tag=1"),
        ("To", "<sip:c@d>;tag=2"),
        ("Call-ID", "x"),
        ("CSeq", f"7 {method}"),
        *headers,
        ("Content-Length", str(len(body))),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return Message.parse(f"{method} sip:c@d SIP/2.0\r\n{head}\r\n".encode() + body)


def notify(body: bytes = b"", state: str = "active", event: str = "refer") -> Message:
    return message("NOTIFY", ("Event", event), ("Subscription-State", state), body=body)


def accepted(cseq: int = 7) -> Transfer:
    machine = Transfer(cseq)
    assert machine.handle_response(202, "Accepted", 0.0) == ()
    return machine


@pytest.mark.parametrize(
    ("table", "ignored", "states", "events"),
    [
        (TRANSFER_TABLE, TRANSFER_IGNORED, TransferState, TransferEvent),
        (REFERRAL_TABLE, REFERRAL_IGNORED, ReferralState, ReferralEvent),
    ],
)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(table, ignored, states, events) -> None:
    for state in states:
        for event in events:
            is_taken = event in table[state]
            assert is_taken is (ignored_because(ignored, state, event) is None), (state, event)


# RFC 3515 §2.4.5: what NOTIFYs report.


def test_progress_then_success() -> None:
    machine = accepted()

    assert machine.state is S.ACCEPTED
    assert machine.handle_notify(notify(b"SIP/2.0 180 Ringing\r\n"), 1.0) == (
        TransferChanged(S.ACCEPTED, 180, "Ringing", is_reported=True),
    )
    assert machine.handle_notify(notify(b"SIP/2.0 200 OK\r\n", "terminated"), 2.0) == (
        TransferChanged(S.SUCCEEDED, 200, "OK", is_reported=True),
    )
    assert machine.is_over
    assert machine.next_deadline() is None
    assert machine.handle_notify(notify(b"SIP/2.0 486 Busy\r\n"), 3.0) == ()


def test_a_notify_may_overtake_the_202() -> None:
    machine = Transfer(7)
    machine.handle_notify(notify(b"SIP/2.0 100 Trying"), 0.0)

    assert machine.state is S.ACCEPTED
    assert machine.handle_response(202, "Accepted", 0.1) == ()


def test_a_failure_is_the_outcome() -> None:
    assert accepted().handle_notify(notify(b"SIP/2.0 486 Busy Here\r\n"), 1.0) == (
        TransferChanged(S.FAILED, 486, "Busy Here", is_reported=True),
    )


def test_a_refused_refer_is_the_outcome() -> None:
    machine = Transfer(7)

    assert machine.handle_response(603, "Decline", 0.0) == (
        TransferChanged(S.FAILED, 603, "Decline", is_reported=False),
    )


def test_a_subscription_that_ends_without_a_status_fails() -> None:
    (told,) = accepted().handle_notify(notify(b"", "terminated;reason=timeout"), 1.0)

    assert (told.state, told.status) == (S.FAILED, 0)


def test_a_notify_that_says_nothing_changes_nothing() -> None:
    assert accepted().handle_notify(notify(b"hello"), 1.0) == ()


# RFC 4488 §4: no subscription.


def test_refer_sub_false_ends_with_the_2xx() -> None:
    (told,) = Transfer(7).handle_response(202, "Accepted", 0.0, refer_sub=" False")

    assert (told.state, told.is_reported) == (S.SUCCEEDED, False)


# RFC 6665 §4.1.2.4: Timer N, then the subscription's own time.


def test_the_first_notify_is_awaited_32_s_and_the_outcome_180() -> None:
    machine = accepted()

    assert machine.next_deadline() == 32.0
    assert machine.handle_timeout(31.9) == ()
    machine.handle_notify(notify(b"SIP/2.0 100 Trying"), 10.0)
    assert machine.next_deadline() == 190.0
    (told,) = machine.handle_timeout(190.0)
    assert (told.state, told.status) == (S.FAILED, 408)
    assert Transfer(1).handle_timeout(99.0) == ()


def test_a_far_end_that_leaves_has_been_transferred_once_it_accepted() -> None:
    machine = accepted()
    machine.handle_notify(notify(b"SIP/2.0 180 Ringing"), 0.0)

    assert machine.handle_left(1.0) == (
        TransferChanged(S.SUCCEEDED, 180, "the far end left", is_reported=False),
    )
    (told,) = Transfer(7).handle_left(0.0)
    assert told.state is S.FAILED


# RFC 3515 §2.4.6: the id of the subscription is the CSeq of the REFER, of its last try with
# credentials.


@pytest.mark.parametrize(
    ("event", "is_ours"),
    [
        ("refer", True),
        ("refer;id=7", True),
        ("refer;id=8", True),
        ("refer;id=6", False),
        ("refer;id=x", False),
        ("dialog", False),
    ],
)
def test_a_notify_is_told_by_its_event(event, is_ours) -> None:
    assert Transfer(7).concerns(notify(event=event)) is is_ours


def test_a_notify_without_event_concerns_nobody() -> None:
    assert not Transfer(7).concerns(message("NOTIFY"))


# The other side.


def referral(*, wants: bool = True) -> Referral:
    return Referral(ReferTo("sip:x@y", "INVITE", None, None, wants), 9)


def test_acceptance_is_200_and_a_notify_of_100() -> None:
    """RFC 7647 §5: a 202 is never sent, whatever RFC 3515 §2.4.2 said."""
    answer, told = referral().accept()

    assert answer == ReferAnswer(200, ())
    assert isinstance(told, ReferNotify)
    assert told.headers == (("Event", "refer;id=9"), ("Subscription-State", "active;expires=180"))
    assert told.body == b"SIP/2.0 100 Trying\r\n"


def test_one_notify_is_out_and_the_newest_waits() -> None:
    machine = referral()
    machine.accept()

    assert machine.report(180, "Ringing") == machine.report(183, "Progress") == ()
    assert machine.report(200, "OK") == ()
    assert machine.report(487, "Too late") == ()
    assert not machine.is_done
    (told,) = machine.handle_notified(200)
    assert isinstance(told, ReferNotify)
    assert told.body == b"SIP/2.0 200 OK\r\n"
    assert told.headers[1] == ("Subscription-State", "terminated;reason=noresource")
    assert machine.handle_notified(200) == ()
    assert machine.is_done


def test_a_failed_notify_ends_the_reports() -> None:
    machine = referral()
    machine.accept()
    machine.report(180, "Ringing")

    assert machine.handle_notified(481) == ()
    assert machine.state is R.OVER
    assert machine.report(200, "OK") == ()
    assert machine.is_done


def test_rejection_is_its_status_once() -> None:
    machine = referral()

    assert machine.reject(603) == (ReferAnswer(603, ()),)
    assert machine.accept() == machine.reject(486) == ()
    assert machine.is_done


def test_refer_sub_false_is_confirmed_and_obeyed() -> None:
    """RFC 4488 §4."""
    machine = referral(wants=False)

    assert machine.accept() == (ReferAnswer(200, (("Refer-Sub", "false"),)),)
    assert machine.report(200, "OK") == ()
    assert machine.is_done


def test_the_end_of_the_call_ends_the_reports() -> None:
    machine = referral()
    machine.accept()
    machine.report(180, "Ringing")
    machine.handle_lost()

    assert machine.handle_notified(200) == ()
    assert machine.is_done


# RFC 3515 §2.1, RFC 3891 §6.1, RFC 3892 §2.1: what a REFER says.


def test_a_refer_is_read_whole() -> None:
    value = (
        "<sip:b@c:5070;transport=tcp;method=INVITE?Replaces=i%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&X=y>"
    )
    asked = read_refer_untrusted(
        message(
            "REFER", ("Refer-To", value), ("Referred-By", '"A" <sip:a@b>'), ("Refer-Sub", "false")
        )
    )

    assert asked == ReferTo(
        "sip:b@c:5070;transport=tcp",
        "INVITE",
        DialogName("i@h", "1", "2"),
        "sip:a@b",
        wants_notifications=False,
    )


def test_nosub_asks_for_no_reports() -> None:
    asked = read_refer_untrusted(message("REFER", ("Refer-To", "sip:b@c"), ("Require", "nosub")))

    assert (asked.uri, asked.wants_notifications) == ("sip:b@c", False)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Refer-To", "<sip:a@b>"), ("Refer-To", "<sip:a@b>")],
        [("Refer-To", "<tel:1>")],
        [("Refer-To", "<sip:a@b?Replaces=a&replaces=b>")],
        [("Refer-To", "<sip:a@b?Replaces=a>")],
    ],
)
def test_a_bad_refer_is_a_parse_error(headers) -> None:
    with pytest.raises(ParseError):
        read_refer_untrusted(message("REFER", *headers))


def test_refer_to_carries_the_dialog_to_replace() -> None:
    name = DialogName("i;x@h", "1", "2", is_early_only=True)

    assert refer_to("sip:a@b") == "<sip:a@b>"
    assert refer_to("sip:a@b", name).startswith("<sip:a@b?Replaces=i%3Bx%40h%3Bto-tag%3D1")
    assert refer_to("sip:a@b?Subject=x", name).startswith("<sip:a@b?Subject=x&Replaces=")


def test_a_call_id_of_any_octets_survives_refer_to(far_end) -> None:
    name = DialogName("i\udcff@h", "1", "2")
    asked = read_refer_untrusted(message("REFER", ("Refer-To", refer_to("sip:a@b", name))))

    assert asked.replaces == name


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=80))
def test_any_refer_to_is_read_or_a_parse_error(text) -> None:
    for value in (text, f"<sip:a@b?Replaces={text}>", f"<sip:{text}>"):
        try:
            asked = read_refer_untrusted(message("REFER", ("Refer-To", value)))
        except ParseError:
            continue
        assert asked.uri.lower().startswith("sip")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (sipfrag(486, "Busy Here"), (486, "Busy Here")),
        (b"SIP/2.0 200", (200, "")),
        (b"\r\nSIP/2.0 200 OK\r\nTo: x", (200, "OK")),
        (b"SIP/2.0 999 x", None),
        (b"", None),
    ],
)
def test_fragments(body, told) -> None:
    assert read_sipfrag_untrusted(body) == told


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("c;to-tag=a;from-tag=b", DialogName("c", "a", "b")),
        ("c ; FROM-tag=b;x;to-tag=a;early-only", DialogName("c", "a", "b", is_early_only=True)),
    ],
)
def test_a_dialog_is_named_by_three_ids(value, read) -> None:
    assert DialogName.parse_untrusted(value) == read
    assert DialogName.parse_untrusted(str(read)) == read


@pytest.mark.parametrize(
    "value", ["", "c", "c;to-tag=a", ";to-tag=a;from-tag=b", "c;to-tag=a;to-tag=b;from-tag=c"]
)
def test_a_dialog_named_badly_is_a_parse_error(value) -> None:
    with pytest.raises(ParseError):
        DialogName.parse_untrusted(value)


NAME = "c;to-tag=a;from-tag=b"


def test_one_header_of_an_invite_may_name_a_dialog() -> None:
    found = dialog_named_untrusted(message("INVITE", ("Join", NAME)))

    assert found == ("Join", DialogName("c", "a", "b"))
    assert dialog_named_untrusted(message("INVITE")) is None


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("INVITE", [("Replaces", NAME), ("Join", NAME)]),
        ("INVITE", [("Replaces", NAME), ("Replaces", NAME)]),
        ("MESSAGE", [("Replaces", NAME)]),
    ],
)
def test_a_dialog_named_twice_or_elsewhere_is_a_parse_error(method, headers) -> None:
    with pytest.raises(ParseError):
        dialog_named_untrusted(message(method, *headers))


def test_a_session_s_dialog_is_found_by_its_name(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    assert caller.session.dialogs == ()
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180)))
    (early,) = caller.session.dialogs
    caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"answer")))
    (dialog,) = caller.session.dialogs

    theirs = DialogName.of_far_end(dialog)
    assert (theirs.to_tag, theirs.from_tag) == ("them", dialog.local_tag)
    assert not theirs.is_of(dialog)
    ours = DialogName(dialog.call_id, dialog.local_tag, "them")
    assert ours.is_of(dialog)
    assert ours.is_of(early)
