"""Tones of networks and machines, and who has answered, on the real engine in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import Side, connect_with, read_wav, speech_like, write_wav

import trivox
from trivox.media.engine import EngineEventKind as Kind

if TYPE_CHECKING:
    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

pytestmark = pytest.mark.native

SPEECH = Path(trivox.__file__).parent / "cli" / "data" / "reply.wav"
CALLER = SPEECH.with_name("caller.wav")
CADENCES = {
    "US busy": ([480.0, 620.0], [(0.5, 0.5)], 3.0, "busy"),
    "UK ringback": ([400.0, 450.0], [(0.4, 0.2), (0.4, 2.0)], 3.0, "ringback"),
    "DE congestion": ([425.0], [(0.24, 0.24)], 2.0, "congestion"),
    "FR dial": ([440.0], [], 3.4, "dial"),
}


def tones(side: Side) -> list[str]:
    return [text.split()[0] for kind, _, text in side.events if kind is Kind.TONE_HEARD]


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
async def test_tones_are_told_once_each_through_every_codec(
    autojump_clock: MockClock, media: DrivenMedia, codec: str
) -> None:
    told = {}
    caller, callee = await connect_with(media, codec)
    sessions = media.sessions
    sessions.set_tones(callee.session, dtmf=True, tones=True)
    for name, (hz, cadence, seconds, _) in CADENCES.items():
        before = len(tones(callee))
        playback = sessions.play_tone(caller.session, hz, cadence, seconds, -20.0)
        await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
        await trio.sleep(1)
        told[name] = tones(callee)[before:]

    assert told == {name: [tone] for name, (_, _, _, tone) in CADENCES.items()}
    assert Kind.INBAND_DTMF_STARTED not in {kind for kind, _, _ in callee.events}


async def test_tones_are_told_through_two_percent_loss(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_with(media, "PCMU")
    sessions = media.sessions
    sessions.set_impairment(caller.session, 0.02)
    sessions.set_tones(callee.session, dtmf=False, tones=True)
    sessions.play_tone(caller.session, [425.0], [(0.48, 0.48)], 6.0, -20.0)
    await trio.sleep(7)

    assert tones(callee) == ["busy"]


async def test_a_beep_is_told_when_the_machine_begins_to_record(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_with(media, "PCMU")
    sessions = media.sessions
    sessions.set_tones(callee.session, dtmf=False, tones=True)
    sessions.play_file(caller.session, str(SPEECH), False, 0.0)
    sessions.play_silence(caller.session, 0.5)
    beep = sessions.play_tone(caller.session, [1000.0], [], 0.5, -15.0)
    await caller.wait_for(Kind.PLAYBACK_ENDED, beep)
    over = trio.current_time()
    await callee.wait_for(Kind.TONE_HEARD)

    assert trio.current_time() - over < 0.3
    assert [text for kind, _, text in callee.events if kind is Kind.TONE_HEARD] == [
        "beep 1000.0 0.0"
    ]


async def test_speech_and_its_like_are_no_tones(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    path = tmp_path / "speech.wav"
    write_wav(path, 16_000, speech_like(16_000, 4.0))
    caller, callee = await connect_with(media, "PCMU")
    media.sessions.set_tones(callee.session, dtmf=True, tones=True)
    media.sessions.play_file(caller.session, str(path), False, 0.0)
    media.sessions.play_file(caller.session, str(SPEECH), False, 0.0)
    await trio.sleep(8)

    assert not {Kind.TONE_HEARD, Kind.INBAND_DTMF_STARTED} & {kind for kind, _, _ in callee.events}


async def _who(media: DrivenMedia, codec: str, play: list[str | float]) -> str:
    caller, callee = await connect_with(media, codec)
    media.sessions.begin_answerer(
        callee.session, initial_silence=2.5, greeting=1.5, after_greeting=0.8, words=3, word=0.1,
        limit=5.0,
    )  # fmt: skip
    for each in play:
        if isinstance(each, str):
            media.sessions.play_file(caller.session, each, False, 0.0)
        else:
            media.sessions.play_silence(caller.session, each)
    _, _, text = await callee.wait_for(Kind.ANSWERER_TOLD)
    await trio.sleep(2)
    assert [kind for kind, _, _ in callee.events].count(Kind.ANSWERER_TOLD) == 1
    assert not tones(callee)
    return text.split()[0]


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
async def test_who_has_answered_is_told_from_the_greeting(
    autojump_clock: MockClock, media: DrivenMedia, codec: str, tmp_path: Path
) -> None:
    rate, _, samples = read_wav(SPEECH)
    hello = tmp_path / "hello.wav"
    write_wav(hello, rate, samples[: int(0.7 * rate)])

    assert await _who(media, codec, [0.5, str(hello), 3.0]) == "human"
    assert await _who(media, codec, [0.5, str(SPEECH), str(SPEECH)]) == "machine"
    assert await _who(media, codec, [6.0]) == "unknown"


VOICES = {"deep": 0.8, "as it is": 1.0, "high": 1.25}
"""How much faster the demo's sentences are spoken, and so how much higher."""


def _spoken(path: Path, source: Path, speed: float, part: tuple[float, float]) -> str:
    """Write a part of a file, from and to in seconds as they are heard, at another speed."""
    rate, _, samples = read_wav(source)
    begin, end = (round(at * speed * rate) for at in part)
    write_wav(path, round(rate * speed), samples[begin:end])
    return str(path)


@pytest.mark.parametrize("lead", [0.2, 1.0, 2.0])
@pytest.mark.parametrize("voice", VOICES)
async def test_people_of_several_voices_who_answer_sooner_or_later_are_people(
    autojump_clock: MockClock, media: DrivenMedia, voice: str, lead: float, tmp_path: Path
) -> None:
    for turn, length in enumerate((0.5, 0.8)):
        hello = _spoken(tmp_path / f"{turn}.wav", SPEECH, VOICES[voice], (0.0, length))
        assert await _who(media, "PCMU", [lead, hello, 3.0]) == "human", length


@pytest.mark.parametrize("lead", [0.2, 1.0, 2.0])
@pytest.mark.parametrize("voice", VOICES)
async def test_machines_of_several_voices_and_pauses_are_machines(
    autojump_clock: MockClock, media: DrivenMedia, voice: str, lead: float, tmp_path: Path
) -> None:
    greeting = _spoken(tmp_path / "whole.wav", SPEECH, VOICES[voice], (0.0, 2.1))
    other = _spoken(tmp_path / "other.wav", CALLER, VOICES[voice], (0.0, 3.0))
    for play in ([lead, greeting, 3.0], [lead, other, 3.0], [lead, greeting, 0.5, greeting]):
        assert await _who(media, "PCMU", play) == "machine", play
