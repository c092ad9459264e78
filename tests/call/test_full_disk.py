"""Recordings whose disk fills up or is slow, on the real engine in virtual time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import trio

import trivox
from trivox.call.recording_events import RecordingBehind, RecordingFailed
from trivox.errors import EngineError
from trivox.media.engine import EngineEventKind as Kind

CLONE = Path(__file__).parents[2]


@pytest.mark.native
@pytest.mark.parametrize(("name", "limit"), [("call.wav", 70_000), ("call.ogg", 7_000)])
async def test_a_full_disk_is_told_at_once_and_what_was_written_stands(tmp_path, name, limit):
    path = tmp_path / name
    command = [sys.executable, "-m", "tests.call.full_disk", str(path), str(limit)]

    done = await trio.run_process(command, capture_stdout=True, cwd=CLONE)

    said = json.loads(done.stdout)
    ((at, where, error),) = said["told"]
    assert 1.0 < at < 4.5, "the program waits for 6 s"
    assert where == str(path)
    assert error.startswith(f"{path}: ")
    assert (said["error"], said["state"]) == (error, "connected")
    assert error in said["raised"]
    assert said["seconds"] == said["on_disk"]
    assert at - 1.6 < said["on_disk"] <= at
    assert path.stat().st_size <= limit


async def test_a_failure_is_an_event_of_the_call_and_known_to_its_recording(
    autojump_clock, pair, tmp_path
) -> None:
    told = []

    async def body(call, far) -> None:
        call.on(RecordingFailed, told.append)
        async with call.recording(tmp_path / "call.wav") as recording:
            assert recording.error is None
            number = recording._number
            call.handle_engine_event(Kind.RECORDING_FAILED, number, "no room")
            call.handle_engine_event(Kind.RECORDING_FAILED, number + 99, "of nobody")
            await trio.lowlevel.checkpoint()
            assert recording.error == "no room"

    await pair.run(body)

    assert [(event.path, event.error) for event in told] == [
        (str(tmp_path / "call.wav"), "no room")
    ]


async def test_a_slow_disk_is_an_event_of_the_call_and_known_to_its_recording(
    autojump_clock, pair, tmp_path
) -> None:
    told = []

    async def body(call, far) -> None:
        call.on(RecordingBehind, told.append)
        async with call.recording(tmp_path / "call.wav") as recording:
            assert recording.lost_blocks == 0
            number = recording._number
            call.handle_engine_event(Kind.RECORDING_BEHIND, number, "1")
            call.handle_engine_event(Kind.RECORDING_BEHIND, number, "2")
            call.handle_engine_event(Kind.RECORDING_BEHIND, number + 99, "4")
            await trio.lowlevel.checkpoint()
            assert recording.lost_blocks == 2
            assert recording.error is None

    await pair.run(body)

    path = str(tmp_path / "call.wav")
    assert [(event.path, event.lost_blocks) for event in told] == [(path, 1), (path, 2)]


async def test_a_failure_is_an_event_of_the_conference_too(autojump_clock, world, tmp_path) -> None:

    told = []
    async with world().client() as client, client.create_conference() as conference:
        conference.on(trivox.ConferenceRecordingFailed, told.append)
        conference.on(trivox.ConferenceRecordingBehind, told.append)
        async with conference.recording(tmp_path / "all.wav") as recording:
            number = recording._number
            conference.handle_engine_event(Kind.RECORDING_BEHIND, number, "1")
            conference.handle_engine_event(Kind.RECORDING_BEHIND, number + 99, "4")
            conference.handle_engine_event(Kind.RECORDING_FAILED, number, "no room")
            assert (recording.error, recording.lost_blocks) == ("no room", 1)

    path = str(tmp_path / "all.wav")
    assert [(event.path, event.lost_blocks) for event in told[:1]] == [(path, 1)]
    assert [(event.path, event.error) for event in told[1:]] == [(path, "no room")]


async def test_leaving_a_recording_that_failed_still_raises(autojump_clock, pair, tmp_path) -> None:
    async def body(call, far) -> None:
        with pytest.raises(EngineError, match="failed: no room"):
            async with call.recording(tmp_path / "call.wav") as recording:
                call.handle_engine_event(Kind.RECORDING_ENDED, recording._number, "no room")

    await pair.run(body)
