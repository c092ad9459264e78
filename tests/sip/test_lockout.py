"""Guessing passwords: a bounded number of tries by source and user (RFC 3261 §26.1.1)."""

from __future__ import annotations

from trivox.sip.lockout import LOCK_TIME, Lockout


def fail(own: Lockout, times: int, *, user: str = "alice", source: str = "a", now: float = 0.0):
    for _ in range(times):
        own.note_failure(source, user, now)


def test_ten_wrong_passwords_lock_that_user_from_that_source() -> None:
    own = Lockout()
    fail(own, 9)
    assert not own.is_locked("a", "alice", 1.0)

    fail(own, 1)

    assert own.is_locked("a", "alice", 1.0)
    assert not own.is_locked("a", "bob", 1.0)
    assert not own.is_locked("b", "alice", 1.0)
    assert own.refused == 1


def test_a_source_that_tries_many_users_is_locked_for_all() -> None:
    own = Lockout()
    for number in range(50):
        fail(own, 1, user=f"user{number}")

    assert own.is_locked("a", "anybody", 1.0)
    assert not own.is_locked("b", "anybody", 1.0)


def test_a_lock_ends_some_time_after_the_last_failure() -> None:
    own = Lockout()
    fail(own, 10)
    fail(own, 1, now=100.0)

    assert own.is_locked("a", "alice", 100.0 + LOCK_TIME - 0.1)
    assert not own.is_locked("a", "alice", 100.0 + LOCK_TIME)

    fail(own, 1, now=100.0 + LOCK_TIME)
    assert not own.is_locked("a", "alice", 101.0 + LOCK_TIME)


def test_a_right_password_forgives_the_wrong_ones_before() -> None:
    own = Lockout()
    own.note_success("a", "alice")
    fail(own, 9)
    own.note_success("a", "alice")
    fail(own, 9)

    assert not own.is_locked("a", "alice", 1.0)


def test_what_is_held_is_bounded() -> None:
    own = Lockout(capacity=100)
    for number in range(1000):
        fail(own, 1, source=str(number))

    assert len(own) == 100
