"""What detectors of the engine tell becomes events of the call."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox.call.audio_events import LevelReport, VoiceActivity
from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind


async def test_voice_and_levels_are_events(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        heard: list[trivox.Event] = []
        call.on(VoiceActivity, heard.append)
        call.on(LevelReport, heard.append)
        engine, session = pair.world.media.sessions, call._leg.session
        engine.hear(session, EngineEventKind.VOICE_ACTIVITY, 0.0, "start")
        engine.hear(session, EngineEventKind.VOICE_ACTIVITY, 1.5, "end")
        engine.hear(session, EngineEventKind.LEVEL, -30.5, "-20.1")
        await trio.sleep(0.1)

        start, end, level = heard
        assert (start.is_speaking, end.is_speaking, end.duration) == (True, False, 1.5)
        assert (level.received_dbov, level.sent_dbov) == (-30.5, -20.1)

    await pair.run(body, detection=trivox.Detection(voice=True, level_interval=1.0))


@pytest.mark.parametrize(
    "wrong", [{"hang_over": 0.0}, {"hang_over": 11.0}, {"level_interval": 0.01}]
)
def test_detection_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentsError):
        trivox.Detection(**wrong)


async def test_marks_reach_the_port_of_a_call(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with call.audio(rate=8000, ahead=1.0) as audio:
            await audio.send(bytes(2 * 4000))
            began = trio.current_time()

            assert await audio.wait_played()
            assert trio.current_time() - began == pytest.approx(0.5, abs=0.01)

    await pair.run(body)


async def test_a_mark_that_waits_when_the_call_ends_was_not_heard(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        audio = call.audio(rate=8000)
        await audio.send(bytes(2 * 8000))
        mark = audio.mark()
        far.hangup()

        assert not await audio.played(mark)
        assert not audio.is_playing

    await pair.run(body)
