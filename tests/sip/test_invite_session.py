"""The INVITE session's table, and the caller's side up to the 2xx."""

from __future__ import annotations

import pytest

from trivox.errors import CallWrongStateError
from trivox.sip import events
from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.digest import DigestAlgorithm
from trivox.sip.identity import LocalIdentity
from trivox.sip.invite_actions import ACTIONS
from trivox.sip.invite_session import InviteSession
from trivox.sip.invite_table import (
    INVITE_IGNORED,
    INVITE_TABLE,
    InviteAction,
    InviteEvent,
    InviteState,
)
from trivox.sip.offer_answer import OfferState
from trivox.sip.outputs import Forget, SendAck, SendCancel
from trivox.sip.table import ignored_because

from .conftest import kinds

S = InviteState


# The table


@pytest.mark.parametrize("state", InviteState)
@pytest.mark.parametrize("event", InviteEvent)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(state, event) -> None:
    is_row = event in INVITE_TABLE[state]

    assert is_row != (ignored_because(INVITE_IGNORED, state, event) is not None)


def test_every_action_of_the_table_can_be_done_and_is_used() -> None:
    used = {action for row in INVITE_TABLE.values() for go in row.values() for action in go.actions}

    assert used == set(InviteAction) == set(ACTIONS)


def test_every_state_but_the_last_leads_to_the_end() -> None:
    reached = {S.TERMINATED}
    for _ in S:
        reached |= {
            state
            for state, row in INVITE_TABLE.items()
            if any(go.state in reached for go in row.values())
        }

    assert reached == set(S)


# The INVITE


def test_invite_names_who_calls_whom_and_how_to_reach_us(far_end) -> None:
    identity = LocalIdentity(
        "sip:alice@example.org",
        "<sip:alice@192.0.2.1>",
        display_name='Al "A" ice',
        routes=("<sip:proxy;lr>",),
        user_agent="trivox",
    )
    session = InviteSession.outgoing(
        identity,
        "sip:bob@example.com",
        call_id="call-1",
        local_tag="us",
        cnonce="c",
        extra_headers=(("X-Campaign", "42"),),
    )

    [invite] = session.invite(b"offer")

    assert invite.headers == (
        ("Route", "<sip:proxy;lr>"),
        ("Max-Forwards", "70"),
        ("From", '"Al \\"A\\" ice" <sip:alice@example.org>;tag=us'),
        ("To", "<sip:bob@example.com>"),
        ("Call-ID", "call-1"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:alice@192.0.2.1>"),
        ALLOW,
        SUPPORTED,
        ("User-Agent", "trivox"),
        ("X-Campaign", "42"),
        ("Content-Type", "application/sdp"),
    )
    assert (invite.uri, invite.body, invite.route) == (
        "sip:bob@example.com",
        b"offer",
        ("<sip:proxy;lr>",),
    )


def test_second_invite_and_commands_of_the_other_role_do_nothing(caller) -> None:
    session = caller.session
    caller.carry(session.invite(b"offer"))

    assert session.invite(b"offer") == ()
    assert session.accept() == session.reject(486, "Busy Here") == ()
    assert session.provisional(180, "Ringing") == session.acknowledge(b"x") == ()


def test_progress_tells_early_dialogs_apart(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last

    trying = caller.hears(far_end.answers(tx, far_end.response(invite, 100, tag="")))
    first = caller.hears(far_end.answers(tx, far_end.response(invite, 180, tag="a")))
    second = caller.hears(
        far_end.answers(tx, far_end.response(invite, 183, tag="b", body=b"preview"))
    )

    assert trying == []
    assert [(p.status, p.to_tag, p.body) for p in first + second] == [
        (180, "a", b""),
        (183, "b", b"preview"),
    ]
    assert caller.session.state is S.PROCEEDING
    assert caller.session.dialog is None


def test_progress_without_tag_makes_no_dialog(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last

    [progress] = caller.hears(far_end.answers(tx, far_end.response(invite, 180, tag="")))
    ended = caller.hears(far_end.answers(tx, far_end.response(invite, 486)))

    assert progress.to_tag == ""
    assert kinds(ended) == ["Rejected"]


def test_flood_of_early_dialogs_is_bounded(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    for number in range(70):
        caller.hears(far_end.answers(tx, far_end.response(invite, 180, tag=f"t{number}")))

    ended = caller.hears(far_end.answers(tx, far_end.response(invite, 486)))

    assert kinds(ended) == ["Rejected"] + ["Forget"] * 64


def test_answer_is_acknowledged_at_once(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180)))

    ack, answered = caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"answer")))

    assert (ack.tx, ack.to_tag, ack.uri, ack.body) == (tx, "them", "sip:bob@192.0.2.2", b"")
    assert far_end.header(ack, "CSeq") == "1 ACK"
    assert (answered.body, answered.to_tag, answered.is_offer) == (b"answer", "them", False)
    assert caller.session.is_confirmed
    assert caller.session.dialog is not None
    assert caller.session.offer_state is OfferState.STABLE


def test_body_that_is_no_description_is_not_taken_for_an_answer(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    other = far_end.response(invite, 200)

    _, answered = caller.hears(far_end.answers(tx, other))

    assert answered.body == b""


def test_delayed_offer_is_answered_in_the_ack(caller, far_end) -> None:
    [invite] = caller.carry(caller.session.invite())
    tx, _ = caller.last
    [told] = caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"offer")))
    assert (told.is_offer, told.body, caller.session.state) == (True, b"offer", S.ANSWERED)

    [ack] = caller.carry(caller.session.acknowledge(b"answer"))

    assert isinstance(ack, SendAck)
    assert (ack.body, far_end.header(ack, "Content-Type")) == (b"answer", "application/sdp")
    assert caller.session.is_confirmed
    assert caller.session.offer_state is OfferState.STABLE


def test_delayed_offer_given_up_is_acknowledged_and_hung_up(caller, far_end) -> None:
    [invite] = caller.carry(caller.session.invite())
    tx, _ = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"offer")))

    assert kinds(caller.carry(caller.session.end())) == ["SendAck", "BYE"]


def test_refusal_ends_the_session_once(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last

    [rejected] = caller.hears(
        far_end.answers(tx, far_end.response(invite, 486, reason="Busy Here"))
    )

    assert (rejected.status, rejected.reason) == (486, "Busy Here")
    assert caller.session.is_over
    assert caller.session.end() == ()


@pytest.mark.parametrize(
    ("event", "fact"), [("is_silent", "TimedOut"), ("is_gone", "TransportFailed")]
)
def test_invite_nobody_answers_ends_the_session(caller, far_end, event, fact) -> None:
    caller.carry(caller.session.invite(b"offer"))

    assert kinds(caller.hears(getattr(far_end, event)(caller.last[0]))) == [fact]
    assert caller.session.is_over


# Challenges


def test_challenge_is_answered_with_the_next_cseq_and_the_same_call(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last

    again, told = caller.hears(far_end.answers(tx, far_end.challenge(invite)))

    assert isinstance(told, events.Challenged)
    assert far_end.header(again, "CSeq") == "2 INVITE"
    assert far_end.header(again, "From") == far_end.header(invite, "From")
    assert far_end.header(again, "Call-ID") == "call-1"
    assert str(DigestAlgorithm.SHA_256) in far_end.header(again, "Authorization")
    assert again.body == b"offer"
    assert caller.session.tx == caller.last[0] != tx
    assert caller.session.state is S.CALLING


def test_proxy_then_server_are_both_answered_and_the_ack_repeats_it(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.challenge(invite, 407, "proxy")))
    tx, second = caller.last
    caller.hears(far_end.answers(tx, far_end.challenge(second, 401, "r")))
    tx, third = caller.last

    ack, _ = caller.hears(far_end.answers(tx, far_end.response(third, 200, body=b"answer")))

    for name in ("Authorization", "Proxy-Authorization"):
        assert far_end.header(third, name) == far_end.header(ack, name) is not None
    assert far_end.header(ack, "CSeq") == "3 ACK"


def test_wrong_password_is_not_tried_twice(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.challenge(invite)))
    tx, again = caller.last

    assert kinds(caller.hears(far_end.answers(tx, far_end.challenge(again)))) == ["Rejected"]


def test_challenge_of_a_foreign_realm_is_a_refusal(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last

    [rejected] = caller.hears(far_end.answers(tx, far_end.challenge(invite, realm="evil")))

    assert rejected.status == 401


def test_challenge_after_early_dialogs_forgets_them(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180, tag="early")))

    outputs = caller.hears(far_end.answers(tx, far_end.challenge(invite)))

    assert outputs[0] == Forget("call-1", "us", "early")


# Giving up


def test_end_before_the_invite_sends_nothing(caller) -> None:
    [ended] = caller.session.end()

    assert ended == events.LocalEnded(0, None)
    assert caller.session.invite(b"offer") == ()


def test_cancel_waits_for_the_first_provisional_response(caller, far_end) -> None:
    """RFC 3261 §9.1."""
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    reason = (("Reason", "SIP;cause=480"),)

    at_once = caller.session.end(reason)
    then = caller.hears(far_end.answers(tx, far_end.response(invite, 100, tag="")))

    assert at_once == ()
    assert then == [SendCancel(tx, reason)]


def test_cancel_goes_out_at_once_after_a_provisional_response(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180)))

    cancelled = caller.session.end()
    again = caller.session.end()
    ended, forget = caller.hears(far_end.answers(tx, far_end.response(invite, 487)))

    assert (cancelled, again) == ((SendCancel(tx, ()),), ())
    assert (ended.status, forget) == (487, Forget("call-1", "us", "them"))


def test_challenge_to_a_cancelled_invite_ends_it(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.session.end()

    assert kinds(caller.hears(far_end.answers(tx, far_end.challenge(invite)))) == ["LocalEnded"]


@pytest.mark.parametrize("body", [b"answer", b""])
@pytest.mark.parametrize("offer", [b"offer", b""])
def test_2xx_that_crosses_the_cancel_is_acknowledged_and_hung_up(
    caller, far_end, offer, body
) -> None:
    caller.carry(caller.session.invite(offer))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180)))
    reason = (("Reason", "SIP;cause=480"),)
    caller.session.end(reason)

    outputs = caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=body)))
    bye, request = caller.last
    done = caller.hears(far_end.answers(bye, far_end.response(request, 200)))

    assert kinds(outputs) == ["SendAck", "CrossedAnswer", "BYE"]
    assert far_end.header(request, "Reason") == "SIP;cause=480"
    assert kinds(done) == ["LocalEnded", "Forget"]


@pytest.mark.parametrize("event", ["is_silent", "is_gone"])
def test_cancelled_invite_that_stays_silent_is_over(caller, far_end, event) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180, tag="")))
    caller.session.end()

    assert kinds(caller.hears(getattr(far_end, event)(tx))) == ["LocalEnded"]


# Forks


def test_second_branch_that_answers_is_acknowledged_and_hung_up(called, far_end) -> None:
    """RFC 3261 §13.2.2.4."""
    tx, invite = called.last

    outputs = called.hears(far_end.answers(tx, far_end.response(invite, 200, tag="late")))
    bye, request = called.last
    done = called.hears(far_end.answers(bye, far_end.response(request, 200)))

    assert kinds(outputs) == ["SendAck", "BYE"]
    assert outputs[0].to_tag == "late"
    assert far_end.header(request, "To").endswith("tag=late")
    assert done == [Forget("call-1", "us", "late")]
    assert called.session.is_confirmed


def test_2xx_to_a_try_that_was_challenged_is_acknowledged_and_hung_up(caller, far_end) -> None:
    """RFC 3261 §13.2.2.4: it has a CSeq of its own, and the try that is out goes on."""
    caller.carry(caller.session.invite(b"offer"))
    first, invite = caller.last
    caller.hears(far_end.answers(first, far_end.challenge(invite, 407, "proxy")))
    second, again = caller.last

    outputs = caller.hears(far_end.answers(first, far_end.response(invite, 200, tag="late")))

    assert kinds(outputs) == ["SendAck", "BYE"]
    assert (outputs[0].tx, outputs[0].to_tag) == (first, "late")
    assert far_end.header(outputs[0], "CSeq") == "1 ACK"
    answered = caller.hears(far_end.answers(second, far_end.response(again, 200, body=b"answer")))
    assert kinds(answered)[0] == "SendAck"
    assert caller.session.is_confirmed


def test_repeated_2xx_of_a_known_branch_changes_nothing(called, far_end) -> None:
    tx, invite = called.last

    assert called.hears(far_end.answers(tx, far_end.response(invite, 202))) == []


def test_branch_that_lost_may_hang_up_itself(called, far_end) -> None:
    tx, invite = called.last
    called.hears(far_end.answers(tx, far_end.response(invite, 200, tag="late")))

    [ok] = called.hears(far_end.asks(50, far_end.request("BYE", from_tag="late")))
    [gone] = called.hears(far_end.asks(51, far_end.request("INFO", from_tag="late")))

    assert (ok.status, gone.status) == (200, 481)


def test_branch_whose_bye_is_never_answered_can_be_forgotten(called, far_end) -> None:
    tx, invite = called.last
    called.hears(far_end.answers(tx, far_end.response(invite, 200, tag="late")))

    assert called.session.forget_branches() == (Forget("call-1", "us", "late"),)


def test_flood_of_answers_is_acknowledged_but_not_remembered(called, far_end) -> None:
    tx, invite = called.last
    for number in range(64):
        called.hears(far_end.answers(tx, far_end.response(invite, 200, tag=f"t{number}")))

    assert kinds(
        called.hears(far_end.answers(tx, far_end.response(invite, 200, tag="one-more")))
    ) == ["SendAck", "Forget"]


def test_2xx_after_the_end_is_acknowledged_and_hung_up(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180, tag="")))
    caller.session.end()
    caller.hears(far_end.answers(tx, far_end.response(invite, 487)))

    late = caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"answer")))

    assert kinds(late) == ["SendAck", "BYE", "CrossedAnswer"]
    assert caller.session.is_over


# Requests before the answer


def test_requests_of_an_early_dialog(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180)))

    [info] = caller.hears(far_end.asks(50, far_end.request("INFO", cseq=1)))
    [bye] = caller.hears(far_end.asks(51, far_end.request("BYE", cseq=2)))
    [glare] = caller.hears(far_end.asks(52, far_end.request("INVITE", cseq=3, body=b"o")))
    [stranger] = caller.hears(far_end.asks(53, far_end.request("INFO", from_tag="who")))

    assert (info.method, info.tx) == ("INFO", 50)
    assert (bye.status, glare.status, stranger.status) == (481, 491, 481)


@pytest.mark.parametrize("status", [200, 481])
def test_our_requests_in_early_dialogs_are_those_of_their_branches(caller, far_end, status) -> None:
    """RFC 3261 §12.2.1.1; a branch that has lost the dialog is not the call (RFC 5057 §5.1)."""
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    for tag in ("a", "b"):
        contact = f"<sip:{tag}@192.0.2.2>"
        caller.hears(far_end.answers(tx, far_end.response(invite, 180, tag=tag, contact=contact)))
    caller.carry((caller.session.request("INFO", to_tag="b"),))
    info_tx, info = caller.last
    [told] = caller.hears(far_end.answers(info_tx, far_end.response(info, status, tag="b")))

    assert (info.method, info.uri) == ("INFO", "sip:b@192.0.2.2")
    assert far_end.header(info, "To").endswith(";tag=b")
    assert (told.tx, told.status) == (info_tx, status)
    assert caller.session.state is S.PROCEEDING


def test_requests_are_refused_while_giving_up(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 180)))
    caller.session.end()

    statuses = [
        caller.hears(far_end.asks(50, far_end.request(method)))[0].status
        for method in ("INFO", "BYE", "INVITE")
    ]

    assert statuses == [481, 481, 491]


def test_request_without_a_dialog_is_a_misuse(caller) -> None:
    with pytest.raises(CallWrongStateError, match="INFO needs a dialog"):
        caller.session.request("INFO")


def test_unknown_transactions_and_events_are_passed_over(caller, far_end) -> None:
    [invite] = caller.carry(caller.session.invite(b"offer"))
    unknown = (99, 1, 5, "", 0, None, 1, ("192.0.2.2", 5060))

    assert caller.hears(far_end.answers(5, far_end.response(invite, 486))) == []
    assert caller.hears(far_end.is_silent(5)) == []
    assert caller.hears(unknown) == []
