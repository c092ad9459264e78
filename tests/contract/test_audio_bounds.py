"""How many received frames wait, and files without a header, in every engine, in virtual time."""

from __future__ import annotations

import math
import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import connect_pair

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.sources import FileSource, RawAudio, start_playback

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


@pytest.mark.parametrize("keeps_oldest", [False, True])
async def test_a_program_says_how_many_frames_wait_and_which_are_dropped(
    made: Made, autojump_clock: MockClock, keeps_oldest: bool
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    port = sessions.open_audio(caller.session, 8000, 20, 1)
    sessions.bound_audio(port, 5, keeps_oldest=keeps_oldest)

    await trio.sleep(1)
    waiting = sessions.take_frames(port, 100)
    await trio.sleep(0.1)
    (later, *_) = sessions.take_frames(port, 100)

    assert len(waiting) == 5
    assert all(b.pts - a.pts == pytest.approx(0.02) for a, b in pairwise(waiting))
    is_first = waiting[0].pts == 0.0
    assert is_first is keeps_oldest
    assert (later.pts - waiting[-1].pts > 0.5) is keeps_oldest


async def test_no_frames_or_more_than_a_minute_of_them_do_not_wait(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    port = sessions.open_audio(caller.session, 8000, 20, 5)

    for wrong in (0, 4, 3001):
        with pytest.raises(InvalidArgumentsError):
            sessions.bound_audio(port, wrong, keeps_oldest=False)
    sessions.bound_audio(port, 3000, keeps_oldest=False)
    sessions.close_audio(port)
    with pytest.raises(EngineError):
        sessions.bound_audio(port, 5, keeps_oldest=False)


@pytest.mark.parametrize(
    ("raw", "pack"),
    [
        (RawAudio("s16", 8000), "<h"),
        (RawAudio("f32", 16_000, 2), "<ff"),
        (RawAudio("s32", 48_000), "<i"),
    ],
)
async def test_samples_without_a_header_last_as_long_as_they_are_said_to(
    made: Made, autojump_clock: MockClock, tmp_path: Path, raw: RawAudio, pack: str
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    path = tmp_path / "bare.raw"
    path.write_bytes(struct.pack(pack, *[0] * raw.channels) * raw.rate)
    begin = trio.current_time()

    number = start_playback(
        made.media.sessions, caller.session, FileSource(path, start=0.25, raw=raw)
    )
    await caller.wait_for(Kind.PLAYBACK_ENDED, number)

    assert trio.current_time() - begin == pytest.approx(0.75, abs=0.05)
    with pytest.raises(EngineError):
        gone = FileSource(tmp_path / "gone.raw", raw=raw)
        start_playback(made.media.sessions, caller.session, gone)


@pytest.mark.parametrize(
    "wrong", [{"encoding": "opus"}, {"rate": 100}, {"channels": 0}, {"rate": math.nan}]
)
def test_raw_audio_of_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentsError):
        RawAudio(**wrong)
    with pytest.raises(InvalidArgumentsError):
        FileSource("bare.raw", raw="s16")
