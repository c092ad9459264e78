"""The machines of subscriptions: the subscriber with its forks, and the notifier (RFC 6665)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sip.subscribing import KIND, Telling, Watching

from trivox.sip.event_headers import EventName
from trivox.sip.notifier import NotifierChanged, Publication
from trivox.sip.outputs import Forget, Remember
from trivox.sip.subscriber import MAX_FORKS, Notified
from trivox.sip.subscription import SubscriptionChanged, SubscriptionUsage, Wish
from trivox.sip.subscription_table import (
    NOTIFIER_IGNORED,
    NOTIFIER_TABLE,
    SUBSCRIPTION_IGNORED,
    SUBSCRIPTION_TABLE,
    NotifierEvent,
    NotifierState,
    SubscriptionEvent,
    SubscriptionState,
)
from trivox.sip.table import ignored_because

S, N = SubscriptionState, NotifierState


@pytest.mark.parametrize(
    ("table", "ignored", "states", "events"),
    [
        (SUBSCRIPTION_TABLE, SUBSCRIPTION_IGNORED, SubscriptionState, SubscriptionEvent),
        (NOTIFIER_TABLE, NOTIFIER_IGNORED, NotifierState, NotifierEvent),
    ],
)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(table, ignored, states, events) -> None:
    for state in states:
        for event in events:
            is_taken = event in table[state]
            assert is_taken is (ignored_because(ignored, state, event) is None), (state, event)


@pytest.fixture
def watching(identity, far_end) -> Watching:
    return Watching(identity, far_end)


@pytest.fixture
def active(watching) -> Watching:
    watching.begin()
    watching.hears(200, more=(("Expires", "600"),))
    watching.told("active;expires=600")
    return watching


def test_a_subscribe_says_what_and_how_long(watching) -> None:
    assert watching.begin() == [SubscriptionChanged(S.SUBSCRIBING)]
    (subscribe,) = watching.sent
    header = watching.far_end.header

    assert (subscribe.method, subscribe.uri) == ("SUBSCRIBE", "sip:box@example.com")
    assert header(subscribe, "Event") == "message-summary"
    assert header(subscribe, "Expires") == "3600"
    assert header(subscribe, "Accept") == KIND
    assert header(subscribe, "Contact") == "<sip:alice@192.0.2.1>"
    assert header(subscribe, "To") == "<sip:box@example.com>"


@pytest.mark.parametrize("status", [200, 202])
def test_it_is_active_with_the_first_notify(watching, status) -> None:
    """RFC 6665 §8.3.1: a notifier of RFC 3265 may still say 202. RFC 3265 §3.1.4.1."""
    watching.begin()
    (waiting,) = watching.hears(status, more=(("Expires", "600"),))
    notified, remember, changed = watching.told("active;expires=300")

    assert waiting.state is S.WAITING
    assert remember == Remember("call-1", "us", "them")
    assert isinstance(notified, Notified)
    assert (notified.header.state, notified.from_tag) == ("active", "them")
    assert (changed.state, changed.expires) == (S.ACTIVE, 300.0)
    assert watching.answers[0].status == 200
    assert watching.machine.next_deadline() == pytest.approx(300 * 0.7)


def test_a_notify_may_overtake_the_2xx(watching) -> None:
    """RFC 6665 §4.1.2.4."""
    watching.begin()
    watching.told("pending")
    assert watching.machine.state is S.PENDING

    assert watching.hears(200, more=(("Expires", "100"),)) == []
    assert watching.machine.next_deadline() == pytest.approx(70.0)


def test_a_pending_one_that_is_told_no_time_lasts_as_long_as_asked(watching) -> None:
    watching.begin()
    watching.hears(200)
    watching.told("pending")

    assert watching.machine.next_deadline() == pytest.approx(3600 * 0.7)
    watching.told("active")
    assert watching.machine.next_deadline() == pytest.approx(3600 * 0.7)


# RFC 6665 §4.1.2.4: Timer N.


def test_without_a_notify_in_32_s_it_is_over(watching) -> None:
    watching.begin()
    watching.hears(200, 1.0)
    assert watching.machine.next_deadline() == 33.0
    assert watching.later(32.9) == []
    told = watching.later(33.0)

    assert [type(one) for one in told] == [Forget, SubscriptionChanged]
    assert told[1].reason == "timeout"
    assert watching.machine.next_deadline() is None


# RFC 6665 §4.1.2.2: refreshing.


def test_it_is_refreshed_within_the_dialog(active) -> None:
    active.later(420.0)
    header = active.far_end.header

    assert header(active.sent[1], "CSeq") == "2 SUBSCRIBE"
    assert header(active.sent[1], "To").endswith(";tag=them")
    assert active.sent[1].uri == "sip:bob@192.0.2.2"
    active.hears(200, 420.0, more=(("Expires", "600"),))
    assert active.machine.next_deadline() == pytest.approx(840.0)


def test_a_refresh_that_fails_for_now_lets_the_old_time_go_on(active) -> None:
    active.later(420.0)

    assert active.hears(503, 420.0) == []
    assert active.machine.state is S.ACTIVE
    assert active.machine.next_deadline() == 600.0
    assert active.later(600.0)[-1].state is S.TERMINATED


@pytest.mark.parametrize("status", [481, 489, 404])
def test_a_refresh_that_finds_nothing_ends_it(active, status) -> None:
    active.later(420.0)
    (_, changed) = active.hears(status, 420.0)

    assert (changed.state, changed.status) == (S.TERMINATED, status)


@pytest.mark.parametrize(("event", "state"), [("is_silent", S.TERMINATED), ("is_gone", S.ACTIVE)])
def test_a_refresh_without_an_answer(active, event, state) -> None:
    active.later(420.0)
    active.carry(active.machine.handle(getattr(active.far_end, event)(2), 430.0))

    assert active.machine.state is state


# RFC 6665 §4.1.2.3: the way out.


def test_unsubscribing_is_expires_0_and_the_last_notify(active) -> None:
    (leaving,) = active.carry(active.machine.unsubscribe(10.0))
    assert leaving.state is S.UNSUBSCRIBING
    assert active.far_end.header(active.sent[1], "Expires") == "0"
    assert active.hears(200, 10.0) == []
    assert active.machine.next_deadline() == 42.0
    assert active.machine.unsubscribe(11.0) == ()
    _, forgotten, changed = active.told("terminated;reason=timeout", 11.0)

    assert isinstance(forgotten, Forget)
    assert (changed.state, changed.reason) == (S.TERMINATED, "timeout")


def test_unsubscribing_early_waits_for_the_dialog(watching) -> None:
    watching.begin()
    watching.carry(watching.machine.unsubscribe(0.0))
    assert len(watching.sent) == 1
    watching.hears(200)

    assert watching.far_end.header(watching.sent[1], "Expires") == "0"


def test_unsubscribing_before_anything_was_sent_is_nothing(watching) -> None:
    (changed,) = watching.machine.unsubscribe(0.0)

    assert changed.state is S.TERMINATED
    assert watching.told("active") == []
    assert watching.answers[-1].status == 481


# Challenges and 423.


def test_a_challenge_is_answered(watching) -> None:
    watching.begin()
    message = watching.far_end.challenge(watching.sent[0])
    watching.carry(watching.machine.handle(watching.far_end.answers(1, message), 0.0))

    assert "Authorization" in dict(watching.sent[1].headers)
    assert watching.far_end.header(watching.sent[1], "CSeq") == "2 SUBSCRIBE"


def test_a_longer_time_is_asked_for_as_told(watching) -> None:
    watching.begin()
    watching.hears(423, more=(("Min-Expires", "7200"),))
    assert watching.far_end.header(watching.sent[1], "Expires") == "7200"
    watching.hears(423, more=(("Min-Expires", "9000"),))
    (changed,) = watching.hears(423, more=(("Min-Expires", "9900"),))

    assert (changed.state, changed.status) == (S.TERMINATED, 423)


def test_a_refusal_tells_its_status_and_when_to_come_again(watching) -> None:
    watching.begin()
    assert watching.hears(180) == []
    (changed,) = watching.hears(503, more=(("Retry-After", "9"),))

    assert (changed.status, changed.retry_after) == (503, 9.0)
    assert watching.hears(200, tx=1) == []


# RFC 6665 §4.1.3: a NOTIFY that is not ours.


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"event": "dialog"}, 489),
        ({"event": "message-summary;id=1"}, 481),
        ({"state": ""}, 400),
        ({"cseq": 0, "tag": "stranger"}, 200),
        ({"more": (("Content-Type", "text/html"),), "body": b"x"}, 415),
    ],
)
def test_a_notify_is_judged(active, words, status) -> None:
    active.told(**({"state": "active"} | words))

    assert active.answers[-1].status == status


def test_an_old_notify_is_answered_500(active) -> None:
    active.told("active", cseq=9)
    active.told("active", cseq=8)

    assert active.answers[-1].status == 500


def test_another_request_in_the_dialog_is_405(active) -> None:
    request = active.far_end.request("INFO", cseq=7)
    (answer,) = active.machine.handle(active.far_end.asks(60, request), 0.0)

    assert (answer.status, answer.headers) == (405, (("Allow", "NOTIFY"),))


# RFC 6665 §4.4.1: one SUBSCRIBE, several notifiers.


def test_the_whole_ends_with_its_last_branch(active) -> None:
    active.told("active", tag="other")
    active.told("terminated", tag="them", cseq=9)
    assert active.machine.state is S.ACTIVE
    *_, changed = active.told("terminated", tag="other", cseq=9)

    assert changed.state is S.TERMINATED
    active.told("active", tag="third")
    assert active.answers[-1].status == 481


def test_branches_are_limited(active) -> None:
    for number in range(MAX_FORKS):
        active.told("active", tag=f"t{number}")

    assert [answer.status for answer in active.answers[-2:]] == [200, 481]


def test_all_branches_are_ended_and_refreshed(active) -> None:
    active.told("active", tag="other")
    active.later(420.0)
    active.hears(200, 420.0, tx=2)
    active.later(2520.0)
    assert len(active.sent) >= 3
    before = len(active.sent)
    active.carry(active.machine.unsubscribe(2521.0))

    assert [active.far_end.header(one, "Expires") for one in active.sent[before:]] == ["0"]


def test_a_subscription_behind_a_proxy_answers_its_challenge(far_end, identity) -> None:
    watching = Watching(
        replace(identity, routes=("<sip:proxy.example.org;lr>",), user_agent="x"),
        far_end,
        accept=(),
        body=b"filter",
        content_type="text/plain",
    )
    watching.begin()
    assert far_end.headers(watching.sent[0], "Route") == ["<sip:proxy.example.org;lr>"]
    watching.told("active", more=(("Record-Route", "<sip:192.0.2.7;lr>"),), contact="")
    watching.later(3000.0)

    assert watching.sent[1].route == ("<sip:192.0.2.7;lr>",)
    assert watching.sent[1].uri == "sip:box@example.com"


def test_a_usage_that_never_began_has_no_deadline(identity) -> None:
    wish = Wish(
        identity=identity,
        target="sip:x@y",
        event=EventName("dialog"),
        call_id="c",
        local_tag="t",
        cnonce="n",
    )
    usage = SubscriptionUsage(wish)

    assert usage.handle_timeout(5.0) == ()
    assert (usage.remote_tag, usage.tx, usage.next_deadline()) == ("", 0, None)


# The other side: RFC 6665 §4.2.


NEWS = Publication(b"Messages-Waiting: yes\r\n", KIND)


@pytest.fixture
def telling(identity, far_end) -> Telling:
    return Telling(identity, far_end, more=(("Expires", "600"),))


def test_acceptance_is_200_and_a_notify_at_once(telling) -> None:
    ok, changed = telling.carry(telling.machine.accept(NEWS, 0.0))

    assert (ok.status, ok.to_tag) == (200, "us")
    assert ("Expires", "600") in ok.headers
    assert changed == NotifierChanged(N.ACTIVE, "")
    assert telling.state_told() == "active;expires=600"
    assert telling.sent[0].body == NEWS.body
    assert telling.far_end.header(telling.sent[0], "Event") == "message-summary"
    assert telling.machine.next_deadline() == 600.0


def test_a_pending_one_is_told_nothing_until_it_is_accepted(telling) -> None:
    telling.carry(telling.machine.defer(0.0))
    telling.hears(200)
    telling.carry(telling.machine.accept(NEWS, 100.0))

    assert (telling.state_told(0), telling.sent[0].body) == ("pending;expires=600", b"")
    assert (telling.state_told(1), telling.sent[1].body) == ("active;expires=500", NEWS.body)


def test_one_notify_is_out_and_the_newest_waits(telling) -> None:
    telling.carry(telling.machine.accept(Publication(), 0.0))
    telling.machine.publish(NEWS, 0.0)
    telling.machine.publish(Publication(b"newest", KIND), 0.0)
    assert len(telling.sent) == 1
    telling.hears(200)
    telling.hears(200)

    assert [notify.body for notify in telling.sent] == [b"", b"newest"]


def test_a_fetch_is_told_once(identity, far_end) -> None:
    telling = Telling(identity, far_end, more=(("Expires", "0"),))
    telling.carry(telling.machine.accept(NEWS, 0.0))

    assert telling.state_told() == "terminated;reason=timeout"
    assert telling.sent[0].body == NEWS.body
    assert not telling.machine.is_done
    (forgotten,) = telling.hears(200)
    assert isinstance(forgotten, Forget)
    assert telling.machine.is_done


def test_refreshing_prolongs_and_expires_0_ends(telling) -> None:
    telling.carry(telling.machine.accept(NEWS, 0.0))
    telling.hears(200)
    (ok,) = telling.asked(now=100.0, more=(("Expires", "300"),))
    assert ("Expires", "300") in ok.headers
    assert telling.machine.next_deadline() == 400.0
    telling.hears(200)
    telling.asked(now=110.0, cseq=6, more=(("Expires", "0"),))

    assert telling.state_told() == "terminated;reason=timeout"
    (late,) = telling.asked(cseq=7)
    assert late.status == 481


def test_a_subscription_without_expires_lasts_an_hour(identity, far_end) -> None:
    telling = Telling(identity, far_end)
    telling.carry(telling.machine.accept(NEWS, 0.0))

    assert telling.machine.next_deadline() == 3600.0


def test_it_runs_out(telling) -> None:
    assert telling.machine.handle_timeout(1e9) == ()
    telling.carry(telling.machine.accept(NEWS, 0.0))
    telling.hears(200)
    assert telling.machine.handle_timeout(599.0) == ()
    (changed,) = telling.carry(telling.machine.handle_timeout(600.0))

    assert changed == NotifierChanged(N.OVER, "timeout")
    assert telling.state_told() == "terminated;reason=timeout"


@pytest.mark.parametrize("lost", ["refused", "silent"])
def test_a_notify_that_fails_ends_it(telling, lost) -> None:
    telling.carry(telling.machine.accept(NEWS, 0.0))
    telling.machine.publish(NEWS, 0.0)
    if lost == "refused":
        told = telling.hears(481)
    else:
        told = telling.carry(telling.machine.handle(telling.far_end.is_silent(1), 0.0))

    assert [type(one) for one in told] == [Forget, NotifierChanged]
    assert telling.machine.is_done


def test_the_last_notify_that_fails_is_the_end(telling) -> None:
    telling.carry(telling.machine.accept(NEWS, 0.0))
    telling.hears(200)
    telling.carry(telling.machine.terminate("giveup", 0.0, 30.0))
    assert telling.state_told() == "terminated;reason=giveup;retry-after=30"
    assert telling.hears(180) == []
    (forgotten,) = telling.hears(500)

    assert isinstance(forgotten, Forget)
    assert telling.machine.publish(NEWS, 0.0) == ()


def test_a_challenged_notify_is_sent_again(telling) -> None:
    telling.carry(telling.machine.accept(NEWS, 0.0))
    message = telling.far_end.challenge(telling.sent[0])
    telling.carry(telling.machine.handle(telling.far_end.answers(1, message), 0.0))

    assert "Authorization" in dict(telling.sent[1].headers)
    assert telling.sent[1].body == NEWS.body


@pytest.mark.parametrize(("status", "phrase"), [(403, "Forbidden"), (480, "Refused")])
def test_a_refusal_is_its_status(telling, status, phrase) -> None:
    refusal, _ = telling.machine.reject(status, 0.0)

    assert (refusal.status, refusal.reason) == (status, phrase)
    assert telling.machine.is_done


def test_a_pending_one_that_is_rejected_is_told_so(telling) -> None:
    telling.carry(telling.machine.defer(0.0))
    telling.hears(200)
    telling.carry(telling.machine.reject(603, 0.0))

    assert telling.state_told() == "terminated;reason=rejected"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"method": "INFO"}, 405),
        ({"cseq": 0}, 500),
        ({"event": "dialog"}, 489),
    ],
)
def test_what_is_no_refresh_is_refused(telling, words, status) -> None:
    telling.carry(telling.machine.accept(NEWS, 0.0))
    (answer,) = telling.asked(**words)

    assert answer.status == status


def test_a_stray_response_is_nothing(telling) -> None:
    telling.carry(telling.machine.accept(NEWS, 0.0))
    telling.hears(200)

    assert telling.machine.handle(telling.far_end.is_silent(1), 0.0) == ()
    assert telling.machine.state is N.ACTIVE


def test_a_notifier_behind_a_proxy_routes_its_notifies(identity, far_end) -> None:
    telling = Telling(identity, far_end, more=(("Record-Route", "<sip:192.0.2.7;lr>"),))
    telling.carry(telling.machine.accept(NEWS, 0.0))

    assert telling.sent[0].route == ("<sip:192.0.2.7;lr>",)
