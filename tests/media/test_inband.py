"""Keys in the audio itself, between two sessions of the real engine in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import Side, connect_with, speech_like, write_wav

from trivox.media.engine import EngineEventKind as Kind

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

pytestmark = pytest.mark.native

KEYS = "123A456B789C*0#D"


async def connect_hearing(media: DrivenMedia, codec: str) -> tuple[Side, Side]:
    caller, callee = await connect_with(media, codec)
    media.sessions.set_tones(callee.session, dtmf=True, tones=False)
    return caller, callee


def heard(side: Side, kind: Kind = Kind.INBAND_DTMF) -> str:
    return "".join(text for each, _, text in side.events if each is kind)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "opus", "L16"])
async def test_all_keys_pass_every_codec_at_the_least_length(
    autojump_clock: MockClock, media: DrivenMedia, codec: str
) -> None:
    caller, callee = await connect_hearing(media, codec)
    sending = media.sessions.send_inband(caller.session, KEYS, 0.05, 0.05)
    await caller.wait_for(Kind.DTMF_SENT, sending)
    await trio.sleep(0.5)

    assert heard(callee) == KEYS
    assert heard(callee, Kind.INBAND_DTMF_STARTED) == KEYS
    lengths = [number for kind, number, _ in callee.events if kind is Kind.INBAND_DTMF]
    assert lengths == pytest.approx([0.05] * len(KEYS), abs=0.02)
    assert not heard(callee, Kind.DTMF)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "opus"])
async def test_keys_are_heard_through_two_percent_loss(
    autojump_clock: MockClock, media: DrivenMedia, codec: str
) -> None:
    caller, callee = await connect_hearing(media, codec)
    media.sessions.set_impairment(caller.session, 0.02)
    sending = media.sessions.send_inband(caller.session, KEYS * 4, 0.1, 0.07)
    await caller.wait_for(Kind.DTMF_SENT, sending)
    await trio.sleep(0.5)

    assert heard(callee) == KEYS * 4


async def test_keys_sound_while_muted_and_in_place_of_what_plays(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_hearing(media, "PCMU")
    sessions = media.sessions
    sessions.play_tone(caller.session, [440.0], [], 60.0, -12.0)
    sessions.send_inband(caller.session, "12,", 0.1, 0.07)
    await trio.sleep(3)
    sessions.set_muted(caller.session, True)
    sessions.send_inband(caller.session, "34", 0.1, 0.07)
    await trio.sleep(1)

    assert heard(callee) == "1234"


async def test_keys_wait_while_nothing_may_be_sent(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_hearing(media, "PCMU")
    sessions = media.sessions
    sessions.set_direction(caller.session, "inactive")
    sessions.set_remote(callee.session, sessions.create_offer(caller.session), "offer", "")
    sessions.set_remote(caller.session, sessions.create_answer(callee.session), "answer", "tag")
    sessions.send_inband(caller.session, "5", 0.1, 0.07)
    await trio.sleep(1)
    assert not heard(callee)
    sessions.set_direction(caller.session, "sendrecv")
    sessions.set_remote(callee.session, sessions.create_offer(caller.session), "offer", "")
    sessions.set_remote(caller.session, sessions.create_answer(callee.session), "answer", "tag")
    await trio.sleep(1)

    assert heard(callee) == "5"


async def test_cancelled_keys_are_not_sent(autojump_clock: MockClock, media: DrivenMedia) -> None:
    caller, callee = await connect_hearing(media, "PCMU")
    sending = media.sessions.send_inband(caller.session, "123", 0.2, 0.1)
    await trio.sleep(0.1)
    media.sessions.cancel_dtmf(caller.session, sending)
    await caller.wait_for(Kind.DTMF_SENT, sending)
    await trio.sleep(1)

    assert heard(callee) == "1"


async def test_nobody_is_told_who_did_not_ask(
    autojump_clock: MockClock, media: DrivenMedia
) -> None:
    caller, callee = await connect_hearing(media, "PCMU")
    media.sessions.set_tones(callee.session, dtmf=False, tones=False)
    media.sessions.send_inband(caller.session, "123", 0.1, 0.1)
    await trio.sleep(1)

    assert not heard(callee)


async def test_speech_like_sound_presses_no_key(
    autojump_clock: MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    path = tmp_path / "speech.wav"
    write_wav(path, 16_000, speech_like(16_000, 10.0))
    caller, callee = await connect_hearing(media, "PCMU")
    media.sessions.play_file(caller.session, str(path), False, 0.0)
    await trio.sleep(11)

    assert not heard(callee, Kind.INBAND_DTMF_STARTED)
