"""Video lines of two sessions: agreed on, used again, refused; on every engine there is."""

from __future__ import annotations

import pytest
import trio
from tests.media.pairs import connect_pair

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind

from .conftest import HOSTS, KINDS

# Only audio is carried under keys without ICE.
pytestmark = pytest.mark.parametrize(
    "made", [kind for kind in KINDS if kind.split()[1] in {"plain", "ice"}], indirect=True
)


def agree(sessions, one: int, other: int) -> None:
    offer = sessions.create_offer(one)
    sessions.set_remote(other, offer, "offer", "")
    sessions.set_remote(one, sessions.create_answer(other), "answer", "")


def told(side, kind: Kind) -> list[int]:
    return [int(number) for found, number, _ in side.events if found == kind]


async def test_a_line_is_added_removed_and_used_again(made) -> None:
    sessions = made.media.sessions
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    for side in (caller, callee):
        sessions.prepare_video(side.session, ["VP8"], receive=True)
    line = sessions.open_line(caller.session, "video")
    assert sessions.video_lines(caller.session) == [(line, "video", "")]
    agree(sessions, caller.session, callee.session)
    assert sessions.video_lines(caller.session) == [(line, "video", "sendonly")]
    ((far, kind, direction),) = sessions.video_lines(callee.session)
    assert (kind, direction) == ("video", "recvonly")
    for side in (caller, callee):
        assert sessions.agreed_codecs(side.session)[1:] == [("video", "VP8", 90_000, 0)]

    sessions.close_line(caller.session, line)
    agree(sessions, caller.session, callee.session)
    assert sessions.video_lines(callee.session) == [(far, "video", "inactive")]
    assert sessions.open_line(caller.session, "video") == line
    agree(sessions, caller.session, callee.session)
    assert sessions.open_line(callee.session, "video") == far
    agree(sessions, callee.session, caller.session)
    assert sessions.video_lines(caller.session) == [(line, "video", "sendrecv")]
    await trio.sleep(0.1)
    assert told(callee, Kind.VIDEO_ADDED) == [far, far]
    assert told(callee, Kind.VIDEO_REMOVED) == [far]
    assert told(caller, Kind.VIDEO_ADDED) == [line]


async def test_who_takes_no_video_has_no_line(made) -> None:
    sessions = made.media.sessions
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    with pytest.raises(EngineError):
        sessions.open_line(caller.session, "video")
    sessions.prepare_video(caller.session, ["VP8"], receive=True)
    with pytest.raises(InvalidArgumentsError):
        sessions.open_line(caller.session, "hologram")
    line = sessions.open_line(caller.session, "screen")
    agree(sessions, caller.session, callee.session)
    assert sessions.video_lines(caller.session) == [(line, "screen", "")]
    assert sessions.video_lines(callee.session) == []


async def test_frames_and_lines_that_are_none_are_refused(made) -> None:
    sessions = made.media.sessions
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    with pytest.raises(EngineError):
        sessions.open_video_push(caller.session, 9)
    with pytest.raises(EngineError):
        sessions.open_video_tap(caller.session, 9)
    assert sessions.take_encoded(9, 10) == ([], 0)
    sessions.close_video_tap(9)


async def test_video_is_recorded_as_matroska_and_ivf_only(made, tmp_path) -> None:
    sessions = made.media.sessions
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    for side in (caller, callee):
        sessions.prepare_video(side.session, ["VP8"], receive=True)
    line = sessions.open_line(caller.session, "video")
    agree(sessions, caller.session, callee.session)
    path = str(tmp_path / "call.mkv")
    recording = sessions.start_video_recording(caller.session, line, path, "none", "mkv")
    other = sessions.start_video_recording(caller.session, 0, path + "2", "both", "mkv")
    await trio.sleep(1)
    seconds = sessions.stop_recording(caller.session, other)
    assert sessions.stop_recording(caller.session, recording) >= 0.0
    await caller.wait_for(Kind.RECORDING_ENDED, recording)
    assert seconds == pytest.approx(1.0, abs=0.05)

    for arguments in (("none", "wav"), ("all", "mkv")):
        with pytest.raises(InvalidArgumentsError):
            sessions.start_video_recording(caller.session, line, path, *arguments)
    with pytest.raises(EngineError):
        sessions.start_video_recording(caller.session, 99, path, "none", "mkv")
    with pytest.raises(EngineError):
        sessions.start_video_recording(caller.session, line, "/nowhere/r.mkv", "none", "mkv")
