"""Files that play, written by libraries nobody here wrote: each kind, whole, from within and bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.media.clips import make_sound
from tests.media.pairs import connect_pair
from tests.media.test_feeds import record, strength

from trivox.errors import EngineError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import file_seconds
from trivox.media.sources import FileSource, start_playback

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

pytestmark = pytest.mark.native

HOSTS = ("10.0.0.1", "10.0.0.2")


async def test_flac_is_heard_for_its_length(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    path = make_sound(tmp_path / "tone.flac", "flac", 900.0, 1.5, 44_100)

    playback = start_playback(media.sessions, caller.session, FileSource(path, start=0.5))
    await record(media, callee.session, tmp_path / "heard.wav", 2.0)

    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
    assert file_seconds(path) == pytest.approx(1.5)
    assert float(ended[2]) == pytest.approx(1.0, abs=0.021)
    assert strength(tmp_path / "heard.wav", 900, 0.3, 0.5) > 7000
    assert strength(tmp_path / "heard.wav", 900, 1.4, 0.4) < 100


@pytest.mark.parametrize("keep", [0, 3, 4, 30, 60])
async def test_flac_that_is_cut_in_its_header_is_refused_when_it_is_to_play(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path, keep: int
) -> None:
    caller, _ = await connect_pair(media, "plain", HOSTS)
    path = make_sound(tmp_path / "tone.flac", "flac", 900.0, 0.5)
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(EngineError, match=r"cannot play .*tone\.flac"):
        start_playback(media.sessions, caller.session, FileSource(path))


async def test_flac_that_proves_damaged_ends_its_playback_there_and_says_why(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    caller, _ = await connect_pair(media, "plain", HOSTS)
    path = make_sound(tmp_path / "tone.flac", "flac", 900.0, 5.0)
    data = bytearray(path.read_bytes())
    data[-2000] ^= 0x5A
    path.write_bytes(data)

    playback = start_playback(media.sessions, caller.session, FileSource(path))
    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, playback)

    seconds, _, error = ended[2].partition(" ")
    assert 4.0 < float(seconds) < 4.9
    assert error.startswith("the FLAC file is damaged: ")
