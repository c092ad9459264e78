"""How pictures are turned: urn:3gpp:video-orientation, from a program, over a relay, to a program."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import av
import pytest
import trio
from tests.media.pairs import open_side
from tests.media.test_pictures import made

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.video import EncodedVideoSource

if TYPE_CHECKING:
    from pathlib import Path

    from tests.media.pairs import Side
    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

OURS = "a=extmap:3 urn:3gpp:video-orientation\r\n"
SAID = [90, 90, 180, 270, 0, 90]
KEY = b"\x10\x00\x00\x9d\x01\x2a\x10\x00\x10\x00" + bytes(40)
DELTA = b"\x11" + bytes(40)


async def pair(media: DrivenMedia, hosts: tuple[str, str], *, offered: str) -> tuple[Side, Side]:
    """Connect two sessions with a line of VP8; how it is turned is offered as said."""
    sessions = media.sessions
    caller, callee = (open_side(media, "ice", host) for host in hosts)
    for side in (caller, callee):
        sessions.prepare_video(side.session, ["VP8"], receive=True)
    sessions.open_line(caller.session, "video")
    offer = sessions.create_offer(caller.session)
    assert OURS in offer
    sessions.set_remote(callee.session, offer.replace(OURS, offered), "offer", "")
    answer = sessions.create_answer(callee.session)
    assert offered in answer
    assert ("video-orientation" in answer) is bool(offered)
    sessions.set_remote(caller.session, answer, "answer", "")
    for side in (caller, callee):
        await side.wait_for(Kind.CONNECTED)
    return caller, callee


def line_of(media: DrivenMedia, side: Side) -> int:
    ((line, _, _),) = media.sessions.video_lines(side.session)
    return line


async def turned(media: DrivenMedia, source: EncodedVideoSource, tap: int) -> list[int]:
    """Send pictures turned in every way, and return how they arrive."""
    frames = zip((KEY, DELTA, DELTA, KEY, DELTA, DELTA), SAID, strict=True)
    for number, (frame, rotation) in enumerate(frames):
        assert source.send(frame, pts=number / 25, rotation=rotation) == 1
        await trio.sleep(0.04)
    await trio.sleep(0.2)
    taken, lost = media.sessions.take_encoded(tap, 64)
    assert lost == 0
    return [frame[4] for frame in taken]


@pytest.mark.native
@pytest.mark.parametrize(
    ("offered", "heard"), [(OURS, SAID), (OURS.replace("3", "9", 1), SAID), ("", [0] * 6)]
)
async def test_a_relay_turns_pictures_as_each_far_end_has_agreed(
    autojump_clock: MockClock, media: DrivenMedia, offered: str, heard: list[int]
) -> None:
    """3GPP TS 26.114 §7.4.5; RFC 8285 §4.2: the number is each session's own."""
    sessions = media.sessions
    sender, relayer = await pair(media, ("10.0.0.1", "10.0.0.2"), offered=OURS)
    passed, viewer = await pair(media, ("10.0.0.3", "10.0.0.4"), offered=offered)
    near = sessions.open_video_tap(relayer.session, line_of(media, relayer))
    far = sessions.open_video_tap(viewer.session, line_of(media, viewer))
    home = relayer.session, line_of(media, relayer)
    sessions.relay_video(passed.session, line_of(media, passed), *home)
    source = EncodedVideoSource("VP8")
    source._attach(sessions, sender.session, line_of(media, sender))

    assert await turned(media, source, near) == SAID
    taken, _ = sessions.take_encoded(far, 64)
    assert [frame[4] for frame in taken] == heard
    assert all(one[1] < other[1] for one, other in pairwise(taken))


@pytest.mark.native
@pytest.mark.parametrize(("rotation", "roll"), [(0, 0), (90, -90), (180, -180), (270, 90)])
async def test_a_matroska_recording_is_shown_upright(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path, rotation: int, roll: int
) -> None:
    """RFC 9559 §5.1.4.1.28.41: another reader turns what is decoded against the clock by `roll`."""
    sessions = media.sessions
    sender, viewer = await pair(media, ("10.0.0.1", "10.0.0.2"), offered=OURS)
    path = tmp_path / "turned.mkv"
    arguments = (viewer.session, line_of(media, viewer), str(path), "none", "mkv")
    recording = sessions.start_video_recording(*arguments)
    source = EncodedVideoSource("VP8")
    source._attach(sessions, sender.session, line_of(media, sender))
    for number, frame in enumerate(made(tmp_path, "VP8", count=10)):
        source.send(frame.data, pts=number / 25, rotation=rotation)
        await trio.sleep(0.04)
    sessions.stop_recording(viewer.session, recording)
    await viewer.wait_for(Kind.RECORDING_ENDED, recording)

    with av.open(str(path)) as file:
        first = next(file.decode(video=0))

    assert first.rotation == roll
    assert (first.width, first.height) == (160, 96)


@pytest.mark.parametrize("rotation", [45, 360, -90, "90", None])
def test_other_angles_are_refused(rotation: object) -> None:
    with pytest.raises(InvalidArgumentsError, match="0, 90, 180 or 270"):
        EncodedVideoSource("VP8").send(KEY, pts=0.0, rotation=rotation)
