"""Tones and who has answered become events of the call."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind


async def test_tones_and_the_answerer_are_events(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        heard: list[trivox.Event] = []
        call.on(trivox.ToneDetected, heard.append)
        call.on(trivox.CallEvent.ANSWERER_DETECTED, heard.append)
        engine, session = pair.world.media.sessions, call._leg.session
        engine.hear(session, Kind.TONE_HEARD, 0.0, "busy 480.1 620.0")
        engine.hear(session, Kind.TONE_HEARD, 0.0, "beep 1000.0 0.0")
        engine.hear(session, Kind.ANSWERER_TOLD, 1.6, "machine greeting 3")
        await trio.sleep(0.1)

        busy, beep, who = heard
        assert (busy.tone, busy.frequencies) == (trivox.CallTone.BUSY, (480.1, 620.0))
        assert (beep.tone, beep.frequencies) == (trivox.CallTone.BEEP, (1000.0,))
        assert who.answerer is trivox.Answerer.MACHINE
        assert (who.cause, who.greeting, who.words) == ("greeting", 1.6, 3)

    await pair.run(body, detection=trivox.Detection(tones=True))


async def test_a_call_of_ours_listens_for_who_answers_from_connected_on(
    autojump_clock, pair
) -> None:
    async def body(call, far) -> None:
        caller = next(each for each in (call, far) if each.direction == "outgoing")
        told = await caller.wait_event(trivox.AnswererDetected)

        assert (told.answerer, told.cause) == (trivox.Answerer.UNKNOWN, "silence")
        assert caller.duration == pytest.approx(1.5, abs=0.1)

    wish = trivox.AnswererDetection(initial_silence=1.5)
    await pair.run(body, detection=trivox.Detection(answerer=wish))


@pytest.mark.parametrize(
    "wrong", [{"greeting": 0.0}, {"limit": 61.0}, {"words": 0}, {"word": float("nan")}]
)
def test_thresholds_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentsError):
        trivox.AnswererDetection(**wrong)
