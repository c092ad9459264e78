"""Who knows a state is not told it again: SIP-ETag and Suppress-If-Match (RFC 5839)."""

from __future__ import annotations

import pytest
from tests.sip.subscribing import KIND, Telling, Watching

from trivox.sip.notifier import Publication
from trivox.sip.subscription_table import NotifierState

NEWS = Publication(b"Messages-Waiting: yes\r\n", KIND)
OLD = Publication(b"Messages-Waiting: no\r\n", KIND)


def knows(publication: Publication) -> tuple[tuple[str, str], ...]:
    return (("Expires", "600"), ("Suppress-If-Match", publication.etag))


@pytest.fixture
def active(identity, far_end) -> Telling:
    telling = Telling(identity, far_end, more=(("Expires", "600"),))
    telling.carry(telling.machine.accept(NEWS, 0.0))
    telling.hears(200)
    return telling


def test_each_notify_names_the_state_it_tells(active) -> None:
    """RFC 5839 §6.2: another entity-tag for each other state, the same for the same."""
    active.carry(active.machine.publish(OLD, 1.0))
    active.hears(200)
    active.carry(active.machine.publish(NEWS, 2.0))

    tags = [active.far_end.header(one, "SIP-ETag") for one in active.sent]
    assert tags == [NEWS.etag, OLD.etag, NEWS.etag]
    assert NEWS.etag != OLD.etag


def test_a_refresh_by_who_knows_the_state_is_204_and_no_notify(active) -> None:
    """RFC 5839 §5.4, §6.4: prolonged all the same."""
    (answer,) = active.asked(more=knows(NEWS))

    assert (answer.status, answer.reason) == (204, "No Notification")
    assert ("Expires", "600") in answer.headers
    assert len(active.sent) == 1
    assert active.machine.next_deadline() == 601.0


def test_a_refresh_by_who_knows_another_state_is_told(active) -> None:
    (answer,) = active.asked(more=knows(OLD))

    assert answer.status == 200
    assert active.sent[1].body == NEWS.body


def test_a_star_knows_every_state(active) -> None:
    """RFC 5839 §5.5: all NOTIFYs are without a body, and refreshes without NOTIFY."""
    (answer,) = active.asked(more=(("Expires", "600"), ("Suppress-If-Match", "*")))
    active.carry(active.machine.publish(OLD, 2.0))
    active.hears(200)
    active.carry(active.machine.publish(NEWS, 3.0))

    assert answer.status == 204
    assert [one.body for one in active.sent] == [NEWS.body, b"", b""]


def test_what_was_known_is_told_again_once_another_state_came_between(active) -> None:
    active.asked(more=knows(NEWS))
    active.carry(active.machine.publish(OLD, 2.0))
    active.hears(200)
    active.carry(active.machine.publish(NEWS, 3.0))

    assert [one.body for one in active.sent] == [NEWS.body, OLD.body, NEWS.body]


def test_who_subscribes_knowing_the_state_gets_a_notify_without_body(identity, far_end) -> None:
    """RFC 5839 §5.3: the NOTIFY that a new subscription needs, and no more."""
    telling = Telling(identity, far_end, more=knows(NEWS))
    telling.carry(telling.machine.accept(NEWS, 0.0))

    assert telling.sent[0].body == b""
    assert telling.far_end.header(telling.sent[0], "Content-Type") is None
    assert telling.far_end.header(telling.sent[0], "SIP-ETag") == NEWS.etag


def test_the_end_is_told_without_what_is_known(active) -> None:
    (answer, *_) = active.asked(more=(("Expires", "0"), ("Suppress-If-Match", NEWS.etag)))

    assert answer.status == 200
    assert active.sent[1].body == b""
    assert active.state_told() == "terminated;reason=timeout"


def test_a_refresh_of_what_is_over_is_481(active) -> None:
    active.carry(active.machine.terminate("noresource", 1.0))
    (answer,) = active.asked(more=knows(NEWS))

    assert active.machine.state is NotifierState.OVER
    assert answer.status == 481


def test_a_refresh_names_the_state_it_has_and_takes_204(identity, far_end) -> None:
    """RFC 5839 §5.4: the subscriber's side."""
    watching = Watching(identity, far_end)
    watching.begin()
    watching.hears(200, more=(("Expires", "600"),))
    watching.told("active;expires=600", more=(("SIP-ETag", "e7"),))
    watching.later(500.0)
    watching.hears(204, 500.0, more=(("Expires", "600"),))
    watching.carry(watching.machine.unsubscribe(600.0))

    known = [far_end.header(one, "Suppress-If-Match") for one in watching.sent]
    assert known == [None, "e7", None]


def test_a_notifier_that_names_no_state_is_asked_as_ever(identity, far_end) -> None:
    watching = Watching(identity, far_end)
    watching.begin()
    watching.hears(200, more=(("Expires", "600"),))
    watching.told("active;expires=600")
    watching.later(500.0)

    assert far_end.header(watching.sent[1], "Suppress-If-Match") is None
