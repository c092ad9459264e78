"""Sessions that hear each other, on every engine there is, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import Side, connect_pair, read_wav

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind

if TYPE_CHECKING:
    from pathlib import Path

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


SETTINGS = {"gain_db": 0.0, "muted": False, "deaf": False, "whispers_to": None}


async def test_members_of_a_room_are_counted_and_leave_in_any_way(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    one, _ = await connect_pair(made.media, made.transport, HOSTS)
    other, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    room = sessions.open_room()
    for side in (one, other):
        sessions.add_member(room, side.session, **SETTINGS)
    sessions.set_member(room, one.session, **{**SETTINGS, "gain_db": -6.0})

    with pytest.raises(EngineError):
        sessions.add_member(room, one.session, **SETTINGS)
    with pytest.raises(EngineError):
        sessions.bridge(one.session, other.session)
    with pytest.raises(EngineError):
        sessions.set_member(room, 999_999, **SETTINGS)
    with pytest.raises(InvalidArgumentsError):
        sessions.set_member(room, one.session, **{**SETTINGS, "gain_db": 99.0})
    assert (sessions.counts()["rooms"], sessions.counts()["members"]) == (1, 2)

    sessions.remove_member(room, one.session)
    sessions.remove_member(room, one.session)
    sessions.close_session(other.session)
    assert sessions.counts()["members"] == 0
    bridge = sessions.bridge(one.session, one.session)
    sessions.end_bridge(bridge)
    sessions.close_room(room)
    sessions.close_room(room)
    with pytest.raises(EngineError):
        sessions.add_member(room, one.session, **SETTINGS)
    assert sessions.counts()["rooms"] == 0


async def test_a_recording_of_a_room_lasts_as_long_as_it_ran(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    one, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    room = sessions.open_room()
    listener = Side(made.media, room)
    made.media.attach(room, listener)
    sessions.add_member(room, one.session, **SETTINGS)
    path = tmp_path / "room.wav"
    with pytest.raises(EngineError):
        sessions.record_room(room, str(tmp_path / "no" / "room.wav"))
    with pytest.raises(InvalidArgumentsError):
        sessions.record_room(room, str(tmp_path / "room.mp3"), "mp3")

    recording = sessions.record_room(room, str(path))
    await trio.sleep(2)
    seconds = sessions.stop_room_recording(room, recording)
    await listener.wait_for(Kind.RECORDING_ENDED, recording)

    rate, channels, samples = read_wav(path)
    assert (rate, channels) == (16_000, 1)
    assert seconds == pytest.approx(2, abs=0.05) == len(samples) / rate
    sessions.close_room(room)
