"""Calls of one identity: so many a second, so many at once (threat 9)."""

from __future__ import annotations

import pytest

from trivox import DoorLimits, InvalidArgumentsError
from trivox.sip.quota import Quota


def _quota(*, per_second=None, at_once=None, capacity=100, retry_after=9):
    return Quota(per_second=per_second, at_once=at_once, capacity=capacity, retry_after=retry_after)


def test_calls_a_second_come_back_at_that_rate():
    quota = _quota(per_second=2)

    first = [quota.refusal("alice", 0.0) for _ in range(4)]
    later = [quota.refusal("alice", 0.5) for _ in range(2)]

    assert first == [None, None, 1, 1]
    assert later == [None, 1]
    assert quota.refused == 3


def test_less_than_one_a_second_is_told_when_it_may_come_again():
    quota = _quota(per_second=0.1)

    assert [quota.refusal("alice", at) for at in (0.0, 1.0, 9.9, 10.0)] == [None, 9, 1, None]


def test_no_more_is_saved_up_than_a_second_brings():
    quota = _quota(per_second=2)

    assert [quota.refusal("alice", 1000.0) for _ in range(3)] == [None, None, 1]


def test_one_identity_does_not_spend_what_another_has():
    quota = _quota(per_second=1, at_once=1)
    quota.refusal("alice", 0.0)
    quota.enter(1, "alice")

    assert quota.refusal("alice", 5.0) == 9
    assert quota.refusal("bob", 0.0) is None


def test_calls_at_once_make_room_when_they_end():
    quota = _quota(at_once=2)
    quota.enter(1, "alice")
    quota.enter(2, "alice")

    before = quota.refusal("alice", 0.0)
    quota.leave(1)
    quota.leave(1)
    after = quota.refusal("alice", 0.0)
    quota.enter(3, "alice")

    assert (before, after) == (9, None)
    assert quota.refusal("alice", 0.0) == 9


def test_nobody_in_particular_has_no_limit_here():
    quota = _quota(per_second=1, at_once=0)

    assert [quota.refusal("", 0.0) for _ in range(5)] == [None] * 5
    assert len(quota) == 0


def test_the_table_is_bounded_and_forgets_who_was_quiet_longest():
    quota = _quota(per_second=1, at_once=10, capacity=2)
    for name in ("alice", "bob", "alice", "carol"):
        quota.refusal(name, 0.0)

    assert len(quota) == 2
    assert quota.refusal("alice", 0.0) == 1
    assert quota.refusal("bob", 0.0) is None


def test_nothing_is_left_of_calls_that_are_over():
    quota = _quota(at_once=5)
    for number in range(100):
        quota.enter(number, f"user {number}")
    for number in range(100):
        quota.leave(number)

    assert len(quota) == 0


def test_calls_are_not_kept_where_only_their_rate_has_a_limit():
    quota = _quota(per_second=1)
    quota.enter(1, "alice")
    quota.leave(1)

    assert len(quota) == 0
    assert [quota.is_on, _quota(at_once=0).is_on, _quota().is_on] == [True, True, False]


@pytest.mark.parametrize("rate", [1e-300, 5e-324])
def test_a_wait_is_told_as_an_hour_at_most(rate):
    quota = DoorLimits(identity_calls_per_second=rate).quota()

    assert [quota.refusal("alice", 0.0), quota.refusal("alice", 1.0)] == [None, 3600]


def test_a_name_of_any_length_is_kept_short():
    quota = _quota(at_once=1)
    quota.enter(1, "a" * 100_000)

    assert quota.refusal("a" * 90_000, 0.0) == 9


@pytest.mark.parametrize(
    "limits",
    [
        {"identity_calls_per_second": 0},
        {"identity_calls_per_second": -1},
        {"identity_calls": -1},
        {"identity_calls": "2"},
        {"identity_calls": 1.5},
        {"identities": None},
        {"silent": "yes"},
        {"silent": 1},
        {"overload_control": None},
    ],
    ids=str,
)
def test_a_limit_that_is_none_is_refused_at_once(limits):
    with pytest.raises(InvalidArgumentsError):
        DoorLimits(**limits)
