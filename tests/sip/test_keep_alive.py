"""Keep-alive of a registration's flow: RFC 5626 §3.5 and §4.4."""

from __future__ import annotations

import pytest

from trivox.sip.keep_alive import CONNECTION_INTERVAL, PONG_TIMEOUT, KeepAlive, KeepAliveAction


@pytest.mark.parametrize(("jitter", "first"), [(0.0, 120.0), (0.5, 108.0), (1.0, 96.0)])
def test_pings_come_after_80_to_100_percent_of_the_interval(jitter: float, first: float) -> None:
    alive = KeepAlive(CONNECTION_INTERVAL, has_pong=True)
    alive.start(0.0, jitter)

    assert alive.next_deadline() == first
    assert alive.handle_timeout(first - 0.1, jitter) is None
    assert alive.handle_timeout(first, jitter) is KeepAliveAction.PING


def test_a_connection_without_pong_is_dead_after_ten_seconds_section_4_4_1() -> None:
    alive = KeepAlive(100.0, has_pong=True)
    alive.start(0.0, 0.0)
    alive.handle_timeout(100.0, 0.0)

    assert alive.next_deadline() == 100.0 + PONG_TIMEOUT
    assert alive.handle_timeout(110.0, 0.0) is KeepAliveAction.DEAD
    assert alive.next_deadline() is None
    assert alive.handle_timeout(999.0, 0.0) is None


def test_a_pong_or_any_other_sign_of_life_starts_the_interval_anew() -> None:
    alive = KeepAlive(100.0, has_pong=True)
    alive.start(0.0, 0.0)
    alive.handle_received(50.0, 0.0)
    assert alive.next_deadline() == 100.0

    alive.handle_timeout(100.0, 0.0)
    alive.handle_received(103.0, 0.0)

    assert alive.next_deadline() == 203.0


def test_a_datagram_flow_is_pinged_and_nothing_expected_section_4_4_2() -> None:
    alive = KeepAlive(20.0, has_pong=False)
    alive.start(0.0, 0.0)

    assert alive.handle_timeout(20.0, 0.0) is KeepAliveAction.PING
    assert alive.next_deadline() == 40.0


def test_a_stopped_one_is_silent() -> None:
    alive = KeepAlive(20.0, has_pong=True)
    alive.start(0.0, 0.0)
    alive.stop()
    alive.handle_received(1.0, 0.0)

    assert alive.next_deadline() is None


def test_a_datagram_flow_that_answered_once_has_to_answer_section_4_4_2() -> None:
    """RFC 5626 §4.4.2: repeated as RFC 8489 §6.2.1 has it, given up after ten seconds."""
    alive = KeepAlive(20.0, has_pong=False)
    alive.start(0.0, 0.0)
    alive.handle_timeout(20.0, 0.0)
    alive.handle_pong(20.1, 0.0)
    assert alive.next_deadline() == 40.0

    told = []
    while (at := alive.next_deadline()) is not None:
        told.append((at, alive.handle_timeout(at, 0.0)))

    ping, repeat, dead = KeepAliveAction.PING, KeepAliveAction.REPEAT, KeepAliveAction.DEAD
    assert told == [
        (40.0, ping),
        (40.5, repeat),
        (41.5, repeat),
        (43.5, repeat),
        (47.5, repeat),
        (50.0, dead),
    ]


def test_a_pong_to_a_repeated_ping_is_as_good() -> None:
    alive = KeepAlive(20.0, has_pong=False)
    alive.start(0.0, 0.0)
    alive.handle_timeout(20.0, 0.0)
    alive.handle_pong(20.1, 0.0)
    alive.handle_timeout(40.0, 0.0)
    alive.handle_timeout(40.5, 0.0)
    alive.handle_pong(40.6, 0.0)

    assert alive.next_deadline() == 60.6
