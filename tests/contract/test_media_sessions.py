"""What every engine keeps, the native one and the fake, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import connect_pair, open_pair, open_side, write_wav

from trivox.errors import EngineError, InvalidArgumentsError, MediaNegotiationError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.native_engine import AudioFeed

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


async def test_offer_and_answer_connect_both_sides(made: Made, autojump_clock: MockClock) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)

    await caller.wait_for(Kind.FIRST_RTP)
    await callee.wait_for(Kind.FIRST_RTP)
    assert [kind for kind, _, _ in caller.events].count(Kind.CONNECTED) == 1


async def test_a_playback_ends_after_its_time_and_the_next_one_follows(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    begin = trio.current_time()

    first = sessions.play_silence(caller.session, 1.0)
    second = sessions.play_tone(caller.session, [440.0], [], 0.5, -12.0)

    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, first)
    assert trio.current_time() - begin == pytest.approx(1.0, abs=0.041)
    assert float(ended[2]) == pytest.approx(1.0, abs=0.001)
    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, second)
    assert trio.current_time() - begin == pytest.approx(1.5, abs=0.041)
    assert float(ended[2]) == pytest.approx(0.5, abs=0.021)


async def test_a_stopped_playback_tells_what_was_sent_of_it(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    playback = made.media.sessions.play_tone(caller.session, [440.0], [], 60.0, -12.0)
    await trio.sleep(2)

    sent = made.media.sessions.stop_playback(caller.session, playback)

    assert sent == pytest.approx(2.0, abs=0.041)
    await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
    assert made.media.sessions.stop_playback(caller.session, playback) == 0


async def test_digits_arrive_once_in_order_with_their_duration(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)

    sending = made.media.sessions.send_dtmf(caller.session, "4,2#", 0.1, 0.05)
    await caller.wait_for(Kind.DTMF_SENT, sending)
    await trio.sleep(1)

    tones = [(text, number) for kind, number, text in callee.events if kind is Kind.DTMF]
    assert [text for text, _ in tones] == ["4", "2", "#"]
    assert [number for _, number in tones] == pytest.approx([0.1] * 3, abs=0.021)
    assert [text for kind, _, text in callee.events if kind is Kind.DTMF_STARTED] == ["4", "2", "#"]


async def test_a_recording_lasts_as_long_as_it_ran(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    path = str(tmp_path / "r.wav")

    recording = made.media.sessions.start_recording(caller.session, path, "both")
    await trio.sleep(3)
    seconds = made.media.sessions.stop_recording(caller.session, recording)

    ended = await caller.wait_for(Kind.RECORDING_ENDED, recording)
    assert seconds == pytest.approx(3.0, abs=0.001)
    assert ended[2] == ""


async def test_a_file_plays_for_its_length(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    write_wav(tmp_path / "f.wav", 8000, [100, -100] * 4000)
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)

    playback = made.media.sessions.play_file(caller.session, str(tmp_path / "f.wav"), False, 0.25)

    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
    assert float(ended[2]) == pytest.approx(0.75, abs=0.021)


async def test_a_feed_that_fails_ends_what_plays_it_with_the_reason(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    feed = AudioFeed(8000, 0.2)
    feed.write(bytes(2 * 800))
    feed.fail("ValueError: mine")
    assert (feed.is_closed, feed.error) == (True, "ValueError: mine")

    alone = sessions.play_part(caller.session, feed)
    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, alone)
    seconds, _, error = ended[2].partition(" ")
    assert (float(seconds), error) == (pytest.approx(0.1, abs=0.021), "ValueError: mine")
    mixed = sessions.play_part(caller.session, [feed, 0.5])
    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, mixed)
    seconds, _, error = ended[2].partition(" ")
    assert (float(seconds), error) == (pytest.approx(0.5, abs=0.021), "ValueError: mine")
    shared = sessions.play_part(caller.session, sessions.share(feed))
    ended = await caller.wait_for(Kind.PLAYBACK_ENDED, shared)
    assert ended[2].partition(" ")[2] == "ValueError: mine"


async def test_parts_play_together_and_feeds_until_they_are_closed(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    begin = trio.current_time()
    mixed = sessions.play_part(caller.session, [0.5, ([440.0], [], 1.0, -12.0)])
    feed = AudioFeed(8000, 0.2)
    fed = sessions.play_part(caller.session, feed, place="beside")
    relay = AudioFeed(48_000, 0.1, relay=True)
    sessions.tap(callee.session, relay)

    await caller.wait_for(Kind.PLAYBACK_ENDED, mixed)
    assert trio.current_time() - begin == pytest.approx(1.0, abs=0.05)
    feed.write(bytes(2 * 800))
    feed.close()
    await caller.wait_for(Kind.PLAYBACK_ENDED, fed)
    assert trio.current_time() - begin == pytest.approx(1.1, abs=0.1)
    sessions.close_session(callee.session)
    assert relay.is_closed
    with pytest.raises(EngineError):
        sessions.play_part(caller.session, (str(tmp_path / "none.ogg"), False, 0.0))
    with pytest.raises(InvalidArgumentsError):
        sessions.start_recording(caller.session, str(tmp_path / "r"), "sent", "mp3")


async def test_frames_come_in_batches_as_asked_for(made: Made, autojump_clock: MockClock) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    port = made.media.sessions.open_audio(caller.session, 16_000, 20, 5)

    await caller.wait_for(Kind.FRAMES_READY, port)
    frames = made.media.sessions.take_frames(port, 50)

    assert len(frames) == 5
    assert all(len(bytes(frame)) == 640 for frame in frames)
    assert [frame.pts for frame in frames] == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])
    made.media.sessions.close_audio(port)
    assert made.media.sessions.take_frames(port, 50) == []


async def test_what_is_pushed_queues_and_clear_tells_what_was_sent(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    port = sessions.open_audio(caller.session, 8000, 20, 1)

    queued = sessions.send_audio(port, bytes(16_000 * 2))
    await trio.sleep(0.5)
    left, underruns = sessions.audio_state(port)
    sent = sessions.clear_audio(port, 0.0)

    assert queued == pytest.approx(2.0)
    assert left == pytest.approx(1.5, abs=0.041)
    assert underruns == 0
    assert sent == pytest.approx(2.0 - left, abs=0.005)
    assert sessions.audio_state(port)[0] == 0.0


async def test_what_does_not_fit_is_refused_and_room_for_it_told_once(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    port = made.media.sessions.open_audio(caller.session, 8000, 20, 50, 0.4)
    begin = trio.current_time()
    made.media.sessions.send_audio(port, bytes(8000 * 2))

    refused = made.media.sessions.send_audio(port, bytes(800 * 2))
    await caller.wait_for(Kind.AUDIO_LOW, port)

    assert refused is None
    assert trio.current_time() - begin == pytest.approx(0.7, abs=0.041)
    assert made.media.sessions.send_audio(port, bytes(800 * 2)) == pytest.approx(0.4, abs=0.021)
    await trio.sleep(2)
    assert [kind for kind, _, _ in caller.events].count(Kind.AUDIO_LOW) == 1


async def test_a_mark_is_past_when_what_lies_before_it_has_left(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    port = sessions.open_audio(caller.session, 8000, 20, 50, 2.0)
    begin = trio.current_time()
    sessions.send_audio(port, bytes(4000 * 2))
    heard = sessions.mark_audio(port)
    sessions.send_audio(port, bytes(4000 * 2))
    cut = sessions.mark_audio(port)

    first = await caller.wait_for(Kind.MARK_PASSED, port)
    assert first[2] == f"{heard} heard"
    assert trio.current_time() - begin == pytest.approx(0.5, abs=0.041)
    sessions.clear_audio(port, 0.02)
    await trio.sleep(0.1)
    texts = [text for kind, _, text in caller.events if kind == Kind.MARK_PASSED]
    assert texts == [f"{heard} heard", str(cut)]


async def test_a_closed_session_takes_everything_with_it(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    sessions.play_silence(caller.session, 60)
    sessions.start_recording(caller.session, str(tmp_path / "r.wav"), "sent")
    port = sessions.open_audio(caller.session, 8000, 20, 1)

    sessions.close_session(caller.session)
    sessions.close_session(callee.session)
    sessions.close_session(callee.session)
    await trio.sleep(1)

    assert set(sessions.counts().values()) == {0}
    assert sessions.take_frames(port, 1) == []
    with pytest.raises(EngineError):
        sessions.set_muted(caller.session, True)


async def test_misuse_is_told_by_type(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    sessions = made.media.sessions
    side = open_side(made.media, made.transport, HOSTS[0])

    with pytest.raises(MediaNegotiationError):
        sessions.set_remote(side.session, "v=0\r\n", "offer", "")
    with pytest.raises(EngineError):
        sessions.create_answer(side.session)
    with pytest.raises(EngineError):
        sessions.play_file(side.session, str(tmp_path / "none.wav"), False, 0.0)
    with pytest.raises(InvalidArgumentsError):
        sessions.set_impairment(side.session, 2.0)
    with pytest.raises(InvalidArgumentsError):
        sessions.open_audio(side.session, 1, 20, 1)
    with pytest.raises(InvalidArgumentsError):
        sessions.open_audio(side.session, 8000, 20, 1, 100.0)
    with pytest.raises(InvalidArgumentsError):
        sessions.set_listening(side.session, voice=True, hang_over=0.0, level_interval=0.0)


async def test_statistics_count_fifty_packets_a_second(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = open_pair(made.media, made.transport, HOSTS)
    await caller.wait_for(Kind.CONNECTED)

    await trio.sleep(10)
    statistics = made.media.sessions.statistics(caller.session)

    assert statistics["packets_sent"] == pytest.approx(500, abs=3)
    assert statistics["packets_received"] == pytest.approx(500, abs=10)
    assert statistics["codec"] == ("opus" if made.transport == "ice" else "PCMU")
    assert float(statistics["mos"]) > 4


@pytest.mark.parametrize("instead", ["plain", "sdes", "dtls", "ice"])
async def test_a_refused_offer_is_made_anew_over_another_transport(
    made: Made, autojump_clock: MockClock, instead: str
) -> None:
    sessions = made.media.sessions
    caller = open_side(made.media, made.transport, HOSTS[0])
    callee = open_side(made.media, instead, HOSTS[1])
    playback = sessions.play_silence(caller.session, 0.5)
    sessions.create_offer(caller.session)

    sessions.change_transport(caller.session, transport=instead)
    sessions.set_remote(callee.session, sessions.create_offer(caller.session), "offer", "")
    sessions.set_remote(caller.session, sessions.create_answer(callee.session), "answer", "tag")

    await caller.wait_for(Kind.CONNECTED)
    await callee.wait_for(Kind.FIRST_RTP)
    await caller.wait_for(Kind.PLAYBACK_ENDED, playback)
    with pytest.raises(EngineError):
        sessions.change_transport(caller.session, transport="plain")
    with pytest.raises(InvalidArgumentsError):
        sessions.change_transport(caller.session, transport="pigeon")


async def test_a_shared_source_is_heard_where_it_is_and_ends_for_all(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    share = sessions.share(([440.0], [], 2.0, -12.0))
    begin = trio.current_time()
    first = sessions.play_part(caller.session, share, place="beside")
    await trio.sleep(1)
    late = sessions.play_part(callee.session, share)
    assert not sessions.is_share_over(share)

    whole = await caller.wait_for(Kind.PLAYBACK_ENDED, first)
    rest = await callee.wait_for(Kind.PLAYBACK_ENDED, late)

    assert trio.current_time() - begin == pytest.approx(2.0, abs=0.061)
    assert float(whole[2]) == pytest.approx(2.0, abs=0.021)
    assert float(rest[2]) == pytest.approx(1.0, abs=0.061)
    assert sessions.is_share_over(share)


async def test_a_shared_source_is_over_when_the_last_has_left(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    share = sessions.share(([440.0], [], 60.0, -12.0))
    first = sessions.play_part(caller.session, share)
    second = sessions.play_part(callee.session, share)
    await trio.sleep(0.5)
    sessions.stop_playback(caller.session, first)
    assert not sessions.is_share_over(share)

    sessions.stop_playback(callee.session, second)

    assert sessions.is_share_over(share)


async def test_what_is_agreed_is_told_with_clock_and_channels(
    made: Made, autojump_clock: MockClock
) -> None:
    sessions = made.media.sessions
    waiting = open_side(made.media, made.transport, HOSTS[0])
    assert sessions.agreed_codecs(waiting.session) == []

    caller, callee = await connect_pair(made.media, made.transport, HOSTS)

    audio = ("audio", "opus", 48_000, 2) if made.transport == "ice" else ("audio", "PCMU", 8_000, 1)
    assert sessions.agreed_codecs(caller.session) == [audio]
    assert sessions.agreed_codecs(callee.session) == [audio]
    sessions.close_session(caller.session)
    with pytest.raises(EngineError):
        sessions.agreed_codecs(caller.session)


async def test_what_comes_too_late_or_makes_no_sense_of_relays_is_refused(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    fresh = open_side(made.media, "ice", HOSTS[0])
    relay = ("relay", "10.0.0.9", 3478, "ann", "secret")

    for late in (
        sessions.use_relays_only,
        sessions.answer_as_lite,
        sessions.negotiate_rtcp_mux,
    ):
        with pytest.raises(EngineError, match="has sockets"):
            late(caller.session)
    for way, name in (("carrier pigeon", ""), ("tls", "relay.test")):
        with pytest.raises(InvalidArgumentsError):
            sessions.gather(
                fresh.session, relays=[(*relay, way, name)], stun=[], is_offer=True, limit=1.0
            )
    sessions.answer_as_lite(fresh.session)
    sessions.close_session(fresh.session)


async def test_a_file_that_is_none_is_refused_when_it_is_to_play(
    made: Made, autojump_clock: MockClock, tmp_path: Path
) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    for magic in (b"", b"RIFF", b"OggS", b"fLaC"):
        path = tmp_path / f"bad{magic.decode()}"
        path.write_bytes(magic + bytes(20 if magic else 0))

        with pytest.raises(EngineError, match="bad"):
            made.media.sessions.play_part(caller.session, (str(path), False, 0.0))
