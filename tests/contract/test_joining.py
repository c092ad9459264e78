"""Sessions that hear each other, on every engine there is, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import connect_pair

from trivox.errors import EngineError

if TYPE_CHECKING:
    from trio.testing import MockClock


async def test_a_session_is_in_one_bridge_at_a_time(made: Made, autojump_clock: MockClock) -> None:
    one, _ = await connect_pair(made.media, made.transport, HOSTS)
    other, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    bridge = sessions.bridge(one.session, other.session)
    third, _ = await connect_pair(made.media, made.transport, HOSTS)

    with pytest.raises(EngineError):
        sessions.bridge(third.session, other.session)
    with pytest.raises(EngineError):
        sessions.bridge(one.session, 999_999)

    assert sessions.counts()["bridges"] == 1
    sessions.end_bridge(bridge)
    sessions.end_bridge(bridge)
    assert sessions.counts()["bridges"] == 0
    sessions.bridge(third.session, other.session)


async def test_the_end_of_one_session_frees_the_other(
    made: Made, autojump_clock: MockClock
) -> None:
    one, _ = await connect_pair(made.media, made.transport, HOSTS)
    other, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    bridge = sessions.bridge(one.session, other.session)

    sessions.close_session(one.session)

    again = sessions.bridge(other.session, other.session)
    sessions.end_bridge(bridge)
    with pytest.raises(EngineError):
        sessions.bridge(other.session, other.session)
    sessions.end_bridge(again)
    assert sessions.counts()["bridges"] == 0


async def test_figures_of_a_bridge_are_there_as_long_as_it_is(
    made: Made, autojump_clock: MockClock
) -> None:
    one, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    bridge = sessions.bridge(one.session, one.session)

    there, back = sessions.bridge_figures(bridge)

    assert len(there) == len(back) == 3
    sessions.end_bridge(bridge)
    with pytest.raises(EngineError):
        sessions.bridge_figures(bridge)
