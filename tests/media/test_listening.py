"""What is heard in received audio and told: voice and levels, on the real engine in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import connect_pair

import trivox
from trivox.media.engine import EngineEventKind as Kind

if TYPE_CHECKING:
    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

pytestmark = pytest.mark.native

SPEECH = Path(trivox.__file__).parent / "cli" / "data" / "reply.wav"
HOSTS = ("10.0.0.1", "10.0.0.2")


async def test_speech_is_told_when_it_begins_and_when_it_ends(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    sessions = media.sessions
    sessions.set_listening(callee.session, voice=True, hang_over=0.5, level_interval=0.0)
    sessions.play_silence(caller.session, 1.0)
    sessions.play_file(caller.session, str(SPEECH), False, 0.0)

    begin = trio.current_time()
    await callee.wait_for(Kind.VOICE_ACTIVITY)
    started = trio.current_time() - begin
    await trio.sleep(5)

    told = [(text, number) for kind, number, text in callee.events if kind is Kind.VOICE_ACTIVITY]
    assert [text for text, _ in told] == ["start", "end"]
    assert started == pytest.approx(1.2, abs=0.12)
    assert told[1][1] == pytest.approx(2.6, abs=0.3)


async def test_levels_are_told_at_the_interval(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    sessions = media.sessions
    sessions.set_listening(callee.session, voice=False, hang_over=0.3, level_interval=0.5)
    sessions.play_tone(caller.session, [1000.0], [], 10.0, -20.0)

    await trio.sleep(5.01)

    reports = [(number, float(text)) for kind, number, text in callee.events if kind is Kind.LEVEL]
    assert len(reports) == 10
    assert reports[-1][0] == pytest.approx(-20.0, abs=0.3)
    assert {sent for _, sent in reports} == {-127.0}


async def test_nothing_is_told_that_nobody_asked_for(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    media.sessions.play_file(caller.session, str(SPEECH), False, 0.0)

    await trio.sleep(4)

    assert not {Kind.VOICE_ACTIVITY, Kind.LEVEL} & {kind for kind, _, _ in callee.events}


async def test_frames_say_where_somebody_speaks_and_what_they_interrupt(
    autojump_clock: MockClock,
    media: DrivenMedia,
) -> None:
    caller, callee = await connect_pair(media, "plain", HOSTS)
    sessions = media.sessions
    port = sessions.open_audio(callee.session, 24_000, 20, 5, 0.2)
    speaking = sessions.open_audio(callee.session, 8000, 20, 50, 5.0)
    sessions.send_audio(speaking, bytes(2 * 8000 * 5))
    sessions.play_silence(caller.session, 0.5)
    sessions.play_file(caller.session, str(SPEECH), False, 0.0)

    frames = []
    while not any(frame.speech_started for frame in frames):
        await trio.sleep(0.1)
        frames += sessions.take_frames(port, 50)
    heard = sessions.clear_audio(speaking, 0.02)

    first = next(frame for frame in frames if frame.speech_started)
    assert len(bytes(first)) == 2 * 480
    assert 0.55 < first.pts < 0.85
    assert not any(frame.speech for frame in frames if frame.pts < 0.55)
    assert heard == pytest.approx(frames[-1].pts + 0.02, abs=0.08)
