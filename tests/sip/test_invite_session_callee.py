"""The INVITE session from the callee's side, and what both sides do in the dialog."""

from __future__ import annotations

import pytest

from trivox.errors import CallWrongStateError
from trivox.sip import events
from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.invite_session import InviteSession
from trivox.sip.invite_table import InviteState
from trivox.sip.offer_answer import OfferState
from trivox.sip.outputs import Forget

from .conftest import kinds

S = InviteState
GONE = Forget("call-1", "us", "them")


@pytest.fixture
def asked_to_offer(callee, far_end):
    """A session of theirs whose INVITE had no SDP."""
    callee.session = InviteSession.incoming(
        far_end.request("INVITE", to_tag=""), 7, local_tag="us", contact="<sip:alice@192.0.2.1>"
    )
    return callee


# Answering


def test_provisional_response_names_our_contact_and_tag(callee, far_end) -> None:
    [ringing] = callee.session.provisional(180, "Ringing", (("X-A", "1"),))
    [early] = callee.session.provisional(183, "Session Progress", (), b"preview")
    [trying] = callee.session.provisional(100, "Trying")

    assert (ringing.tx, ringing.status, ringing.to_tag) == (7, 180, "us")
    assert ringing.headers == (("Contact", "<sip:alice@192.0.2.1>"), ("X-A", "1"))
    assert (early.body, far_end.header(early, "Content-Type")) == (b"preview", "application/sdp")
    assert trying.headers == ()


def test_accept_is_confirmed_by_the_ack(callee, far_end) -> None:
    [ok] = callee.session.accept((("X-A", "1"),), b"answer")
    assert (ok.status, ok.body, callee.session.is_confirmed) == (200, b"answer", False)
    assert ALLOW in ok.headers
    assert SUPPORTED in ok.headers

    [told] = callee.hears(far_end.acknowledges(7))

    assert (told.tx, told.body) == (7, b"")
    assert callee.session.is_confirmed
    assert callee.session.call_id == "call-1"
    assert callee.session.tx == 7


def test_delayed_offer_is_answered_by_the_ack(asked_to_offer, far_end) -> None:
    session = asked_to_offer.session
    session.accept((), b"offer")
    assert session.offer_state is OfferState.LOCAL_OFFER

    [told] = asked_to_offer.hears(far_end.acknowledges(7, b"answer"))

    assert told.body == b"answer"
    assert session.offer_state is OfferState.STABLE


def test_accept_without_body_leaves_nothing_outstanding(callee, far_end) -> None:
    callee.session.accept()

    assert callee.session.offer_state is OfferState.STABLE


@pytest.mark.parametrize("command", ["reject", "end"])
def test_rejection_ends_the_session(callee, command) -> None:
    if command == "reject":
        outputs = callee.session.reject(486, "Busy Here", (("X-A", "1"),))
    else:
        outputs = callee.session.end((("X-A", "1"),), status=486, reason="Busy Here")

    response, ended, forget = outputs
    assert (response.status, response.reason) == (486, "Busy Here")
    assert response.headers == (("X-A", "1"),)
    assert (ended, forget) == (events.LocalEnded(486, None), GONE)
    assert callee.session.reject(486, "Busy Here") == ()


def test_cancel_is_answered_487(callee, far_end) -> None:
    response, told, forget = callee.hears(far_end.cancels(7))

    assert response.status == 487
    assert isinstance(told, events.RemoteCancelled)
    assert forget == GONE
    assert callee.session.is_over


def test_cancel_after_our_answer_has_no_effect(callee, far_end) -> None:
    callee.session.accept((), b"answer")

    assert callee.hears(far_end.cancels(7)) == []
    assert callee.session.state is S.ACCEPTED


def test_bye_of_the_caller_before_our_answer_ends_both(callee, far_end) -> None:
    outputs = callee.hears(far_end.asks(8, far_end.request("BYE", cseq=2)))

    assert [(o.tx, o.status) for o in outputs[:2]] == [(8, 200), (7, 487)]
    assert kinds(outputs[2:]) == ["RemoteEnded", "Forget"]


def test_bye_of_the_caller_before_the_ack_ends_the_session(callee, far_end) -> None:
    callee.session.accept((), b"answer")

    outputs = callee.hears(far_end.asks(8, far_end.request("BYE", cseq=2)))
    late = callee.hears(far_end.acknowledges(7))

    assert kinds(outputs) == ["SendResponse", "RemoteEnded", "Forget"]
    assert late == []


def test_bye_of_ours_waits_for_the_ack(callee, far_end) -> None:
    callee.session.accept((), b"answer")
    reason = (("Reason", "SIP;cause=480"),)

    at_once = callee.carry(callee.session.end(reason))
    then = callee.hears(far_end.acknowledges(7))

    assert at_once == []
    assert kinds(then) == ["BYE"]
    assert far_end.header(then[0], "Reason") == "SIP;cause=480"


def test_bye_of_ours_goes_out_when_the_ack_never_comes(callee, far_end) -> None:
    callee.session.accept((), b"answer")
    callee.session.end()

    assert kinds(callee.hears(far_end.never_acknowledges(7))) == ["BYE"]


def test_their_bye_overtakes_ours_that_waits(callee, far_end) -> None:
    callee.session.accept((), b"answer")
    callee.session.end()
    [info] = callee.hears(far_end.asks(8, far_end.request("INFO", cseq=2)))
    [invite] = callee.hears(far_end.asks(9, far_end.request("INVITE", cseq=3)))

    outputs = callee.hears(far_end.asks(10, far_end.request("BYE", cseq=4)))

    assert (info.status, invite.status) == (481, 491)
    assert kinds(outputs) == ["SendResponse", "RemoteEnded", "Forget"]


def test_missing_ack_hangs_up(callee, far_end) -> None:
    callee.session.accept((), b"answer")

    assert kinds(callee.hears(far_end.never_acknowledges(7))) == [
        "AcknowledgementTimedOut",
        "BYE",
    ]


def test_second_invite_before_our_answer_is_told_to_come_back(callee, far_end) -> None:
    [response] = callee.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))

    assert response.status == 500
    assert 0 <= int(far_end.header(response, "Retry-After")) <= 10


def test_reinvite_before_the_ack_is_glare(callee, far_end) -> None:
    callee.session.accept((), b"answer")

    [response] = callee.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))

    assert response.status == 491


# Ending


def test_hang_up_is_complete_when_the_bye_is_answered(answered, far_end) -> None:
    [bye] = answered.carry(answered.session.end((("X-Why", "done"),)))
    tx, _ = answered.last

    trying = answered.hears(far_end.answers(tx, far_end.response(bye, 100)))
    done = answered.hears(far_end.answers(tx, far_end.response(bye, 200)))

    assert far_end.header(bye, "X-Why") == "done"
    assert trying == []
    assert (done[0].status, done[1]) == (200, GONE)
    assert answered.session.is_over


@pytest.mark.parametrize("event", ["is_silent", "is_gone"])
def test_hang_up_nobody_answers_is_complete_too(answered, far_end, event) -> None:
    answered.carry(answered.session.end())

    ended, _ = answered.hears(getattr(far_end, event)(answered.last[0]))

    assert ended == events.LocalEnded(0, None)


def test_challenged_bye_is_answered_once(called, far_end) -> None:
    [bye] = called.carry(called.session.end())
    tx, _ = called.last

    [again] = called.hears(far_end.answers(tx, far_end.challenge(bye)))
    tx, _ = called.last
    done = called.hears(far_end.answers(tx, far_end.challenge(again)))

    assert far_end.header(again, "CSeq") == "3 BYE"
    assert far_end.header(again, "Authorization") is not None
    assert kinds(done) == ["LocalEnded", "Forget"]


def test_byes_that_cross_are_both_answered(answered, far_end) -> None:
    [bye] = answered.carry(answered.session.end())
    tx, _ = answered.last

    [ok] = answered.hears(far_end.asks(8, far_end.request("BYE", cseq=2)))
    done = answered.hears(far_end.answers(tx, far_end.response(bye, 481)))

    assert ok.status == 200
    assert kinds(done) == ["LocalEnded", "Forget"]


def test_their_bye_ends_the_session_once(answered, far_end) -> None:
    outputs = answered.hears(far_end.asks(8, far_end.request("BYE", cseq=2)))
    [again] = answered.hears(far_end.asks(9, far_end.request("BYE", cseq=3)))

    assert kinds(outputs) == ["SendResponse", "RemoteEnded", "Forget"]
    assert again.status == 200
    assert answered.session.end() == ()


def test_requests_after_the_end_get_481(answered, far_end) -> None:
    answered.carry(answered.session.end())
    tx, bye = answered.last

    [while_ending] = answered.hears(far_end.asks(8, far_end.request("INFO", cseq=2)))
    answered.hears(far_end.answers(tx, far_end.response(bye, 200)))
    [after] = answered.hears(far_end.asks(9, far_end.request("INVITE", cseq=3)))

    assert (while_ending.status, after.status) == (481, 481)
    with pytest.raises(CallWrongStateError):
        answered.session.request("INFO")


def test_lower_cseq_gets_500_and_ends_nothing(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INFO", cseq=5)))

    [response] = answered.hears(far_end.asks(9, far_end.request("BYE", cseq=4)))

    assert response.status == 500
    assert answered.session.is_confirmed


# Requests in the dialog


def test_request_of_ours_is_told_its_response(called, far_end) -> None:
    info = called.session.request("INFO", (("X-A", "1"),), b"x", "text/plain")
    called.carry((info,))
    tx, _ = called.last

    trying = called.hears(far_end.answers(tx, far_end.response(info, 100)))
    [told] = called.hears(far_end.answers(tx, far_end.response(info, 415)))

    assert (info.body, far_end.header(info, "CSeq")) == (b"x", "2 INFO")
    assert trying == []
    assert (told.tx, told.method, told.status) == (tx, "INFO", 415)
    assert called.session.is_confirmed


def test_challenged_request_is_told_under_its_first_transaction(called, far_end) -> None:
    info = called.session.request("INFO")
    called.carry((info,))
    first, _ = called.last

    [again] = called.hears(far_end.answers(first, far_end.challenge(info, 407, "proxy")))
    tx, _ = called.last
    [told] = called.hears(far_end.answers(tx, far_end.response(again, 200)))

    assert (told.tx, told.status) == (first, 200)


@pytest.mark.parametrize("status", [408, 481])
def test_response_that_says_the_dialog_is_gone_hangs_up(called, far_end, status) -> None:
    info = called.session.request("INFO")
    called.carry((info,))
    tx, _ = called.last

    outputs = called.hears(far_end.answers(tx, far_end.response(info, status)))
    outputs += called.waits(1.0)

    assert kinds(outputs) == ["ResponseReceived", "DialogLost", "BYE"]
    assert outputs[1].status == status


def test_481_that_overtook_a_bye_does_not_lose_the_dialog(called, far_end) -> None:
    """RFC 5407 §3.1: the BYE crossed our request, was lost, and is repeated after T1."""
    info = called.session.request("INFO")
    called.carry((info,))
    tx, _ = called.last

    told = called.hears(far_end.answers(tx, far_end.response(info, 481)))
    due = called.session.next_deadline()
    before = called.waits(0.99)
    ended = called.hears(far_end.asks(50, far_end.request("BYE")))

    assert (kinds(told), due, before) == (["ResponseReceived"], 1.0, [])
    assert kinds(ended) == ["SendResponse", "RemoteEnded", "Forget"]
    assert called.waits(1.0) == []


def test_silence_to_a_request_hangs_up(called, far_end) -> None:
    called.carry((called.session.request("INFO"),))

    outputs = called.hears(far_end.is_silent(called.last[0]))

    assert kinds(outputs) == ["ResponseReceived", "DialogLost", "BYE"]
    assert (outputs[0].status, outputs[0].message) == (408, None)


def test_lost_flow_of_a_request_ends_nothing(called, far_end) -> None:
    called.carry((called.session.request("INFO"),))

    [told] = called.hears(far_end.is_gone(called.last[0]))

    assert told.status == 503
    assert called.session.is_confirmed


def test_dialog_lost_before_our_answer_takes_the_invite_with_it(callee, far_end) -> None:
    callee.carry((callee.session.request("INFO"),))

    outputs = callee.hears(far_end.is_silent(callee.last[0]))

    assert kinds(outputs) == [
        "ResponseReceived",
        "SendResponse",
        "DialogLost",
        "LocalEnded",
        "Forget",
    ]


def test_dialog_lost_before_the_ack_hangs_up_with_it(callee, far_end) -> None:
    callee.carry((callee.session.request("INFO"),))
    callee.session.accept((), b"answer")

    lost = callee.hears(far_end.is_silent(callee.last[0]))
    then = callee.hears(far_end.acknowledges(7))

    assert kinds(lost) == ["ResponseReceived", "DialogLost"]
    assert kinds(then) == ["BYE"]


def test_request_of_theirs_is_answered_by_the_owner(answered, far_end) -> None:
    [told] = answered.hears(far_end.asks(8, far_end.request("MESSAGE", cseq=2, body=b"x")))

    response = answered.session.respond(told.tx, 200, "OK")

    assert (told.method, told.message.body) == ("MESSAGE", b"x")
    assert (response.tx, response.status, response.headers) == (8, 200, ())


# re-INVITE


def test_reinvite_is_answered_by_the_owner(answered, far_end) -> None:
    session = answered.session
    [told] = answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))
    trying = session.respond(8, 100, "Trying")
    ok = session.respond(8, 200, "OK", body=b"a")
    [acknowledged] = answered.hears(far_end.acknowledges(8))

    assert (told.tx, told.body) == (8, b"o")
    assert trying.headers == ()
    assert far_end.header(ok, "Contact") == "<sip:alice@192.0.2.1>"
    assert (acknowledged.tx, acknowledged.body) == (8, b"")
    assert session.offer_state is OfferState.STABLE
    assert session.is_confirmed


def test_reinvite_without_offer_gets_ours_and_the_ack_answers(answered, far_end) -> None:
    [told] = answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2)))
    answered.session.respond(8, 200, "OK", body=b"offer")

    [glare] = answered.hears(far_end.asks(9, far_end.request("INVITE", cseq=3)))
    [acknowledged] = answered.hears(far_end.acknowledges(8, b"answer"))

    assert told.body == b""
    assert glare.status == 491
    assert acknowledged.body == b"answer"


def test_reinvite_the_owner_refuses_leaves_all_as_it_was(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))
    response = answered.session.respond(8, 488, "Not Acceptable Here")

    [again] = answered.hears(far_end.asks(9, far_end.request("INVITE", cseq=3, body=b"o")))

    assert (response.status, response.headers) == (488, ())
    assert isinstance(again, events.ReinviteReceived)


def test_reinvite_answered_without_body_leaves_nothing_outstanding(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))
    answered.session.respond(8, 200, "OK")

    assert answered.session.offer_state is OfferState.STABLE


def test_second_reinvite_before_the_first_is_answered_comes_too_soon(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))

    [response] = answered.hears(far_end.asks(9, far_end.request("INVITE", cseq=3, body=b"o")))

    assert response.status == 500
    assert far_end.header(response, "Retry-After") is not None


def test_cancelled_reinvite_is_answered_487_and_the_call_goes_on(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))

    response, told = answered.hears(far_end.cancels(8))
    again = answered.hears(far_end.cancels(8))

    assert (response.tx, response.status) == (8, 487)
    assert told == events.ReinviteCancelled(8)
    assert again == []
    assert answered.session.is_confirmed


def test_reinvite_whose_ack_never_comes_hangs_up(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))
    answered.session.respond(8, 200, "OK", body=b"a")

    stray = answered.hears(far_end.never_acknowledges(99))
    outputs = answered.hears(far_end.never_acknowledges(8))

    assert stray == []
    assert kinds(outputs) == ["AcknowledgementTimedOut", "BYE"]


def test_unanswered_reinvite_is_answered_when_the_session_ends(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))

    outputs = answered.hears(far_end.asks(9, far_end.request("BYE", cseq=3)))

    assert [(o.tx, o.status) for o in outputs if kinds([o]) == ["SendResponse"]] == [
        (9, 200),
        (8, 487),
    ]


def test_answered_reinvite_is_left_alone_when_the_session_ends(answered, far_end) -> None:
    answered.hears(far_end.asks(8, far_end.request("INVITE", cseq=2, body=b"o")))
    answered.session.respond(8, 200, "OK", body=b"a")

    outputs = answered.hears(far_end.asks(9, far_end.request("BYE", cseq=3)))

    assert kinds(outputs) == ["SendResponse", "RemoteEnded", "Forget"]


def test_stray_ack_is_passed_over(answered, far_end) -> None:
    assert answered.hears(far_end.acknowledges(99)) == []


def test_session_without_identity_answers_no_challenge(asked_to_offer, far_end) -> None:
    asked_to_offer.session.accept((), b"offer")
    asked_to_offer.hears(far_end.acknowledges(7, b"answer"))
    [bye] = asked_to_offer.carry(asked_to_offer.session.end())
    tx, _ = asked_to_offer.last

    done = asked_to_offer.hears(far_end.answers(tx, far_end.challenge(bye)))

    assert kinds(done) == ["LocalEnded", "Forget"]


def test_session_of_ours_hears_requests_between_2xx_and_late_answer(caller, far_end) -> None:
    [invite] = caller.carry(caller.session.invite())
    tx, _ = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"offer")))

    [info] = caller.hears(far_end.asks(8, far_end.request("INFO")))
    [early] = caller.hears(far_end.asks(9, far_end.request("INVITE", cseq=2)))
    outputs = caller.hears(far_end.asks(10, far_end.request("BYE", cseq=3)))

    assert (info.method, early.status) == ("INFO", 500)
    assert kinds(outputs) == ["SendAck", "SendResponse", "RemoteEnded", "Forget"]
