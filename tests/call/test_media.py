"""Sound and keys of a call: what waits for media, what stops when, what is left to the next."""

from __future__ import annotations

import wave

import pytest
import trio

from trivox.call.events import DtmfReceived
from trivox.call.quality import (
    QualityIssue,
    QualityIssueCleared,
    QualityIssueRaised,
    QualityLevel,
)
from trivox.call.settings import DtmfMethod
from trivox.errors import (
    CallEndedError,
    CallWrongStateError,
    EngineError,
    InvalidDtmfError,
    InvalidHeaderError,
    InvalidMimeTypeError,
)
from trivox.media.engine import EngineEventKind
from trivox.media.sources import SilenceSource, ToneSource


def _press(pair, call, tone: str) -> None:
    pair.world.media.sessions.press(call._leg.session, tone)


async def test_play_returns_what_was_heard_after_it_was_played_out(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        began = trio.current_time()
        played = await call.play(ToneSource(duration=1.5))

        assert played.seconds == pytest.approx(1.5)
        assert trio.current_time() - began == pytest.approx(1.5)

    await pair.run(body)


async def test_two_plays_take_turns(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.play, SilenceSource(1.0))
            nursery.start_soon(call.play, SilenceSource(2.0))

        assert trio.current_time() - began == pytest.approx(3.0)

    await pair.run(body)


async def test_a_cancelled_play_stops_at_once_and_leaves_nothing(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with trio.move_on_after(1):
            await call.play(ToneSource())
        await trio.sleep(0.1)

        assert pair.world.engine.counts()["playbacks"] == 0

    await pair.run(body)


async def test_play_raises_when_the_call_ends_under_it(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_hang_up_after, far, 1.0)
            with pytest.raises(CallEndedError):
                await call.play(ToneSource())

    await pair.run(body)


async def _hang_up_after(call, seconds: float) -> None:
    await trio.sleep(seconds)
    call.hangup()


async def test_a_file_that_cannot_be_read_is_an_engine_error(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with pytest.raises(EngineError):
            await call.play("/nowhere.wav")

    await pair.run(body)


async def test_play_before_start_is_refused(autojump_clock, world) -> None:
    async with world().client() as client:
        call = client.create_call("sip:x@10.0.0.2")
        with pytest.raises(CallWrongStateError):
            await call.play(SilenceSource(1))
        with pytest.raises(CallWrongStateError):
            call.audio()
        call.hangup()


async def test_a_recording_is_finalised_by_leaving_its_block(
    autojump_clock, pair, tmp_path
) -> None:
    path = tmp_path / "call.wav"

    async def body(call, far) -> None:
        async with call.recording(path) as recording:
            await trio.sleep(2)

        assert recording.seconds == pytest.approx(2)
        with wave.open(str(path), "rb") as file:
            assert file.getnframes() == 2 * file.getframerate()

    await pair.run(body)


async def test_a_recording_survives_the_end_of_its_call(autojump_clock, pair, tmp_path) -> None:
    path = tmp_path / "call.wav"

    async def body(call, far) -> None:
        async with call.recording(path):
            far.hangup()
            await call.wait_ended()

        assert path.exists()

    await pair.run(body)


async def test_audio_ends_with_the_call(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        port = call.audio()
        frames = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_hang_up_after, far, 1.0)
            async for frame in port:
                frames += 1
                assert len(bytes(frame)) == 640
        with pytest.raises(trio.ClosedResourceError):
            await port.send(bytes(640))

        assert frames == pytest.approx(50, abs=3)

    await pair.run(body)


async def test_mute_toggles_and_tells_the_new_state(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        assert call.toggle_microphone() is True
        assert call.is_microphone_muted.value is True
        call.mute_microphone()
        call.unmute_microphone()
        assert call.is_microphone_muted.value is False

    await pair.run(body)


@pytest.mark.parametrize("method", [DtmfMethod.RFC4733, DtmfMethod.INFO])
async def test_keys_reach_the_far_end_in_order_and_once(autojump_clock, pair, method) -> None:
    async def body(call, far) -> None:
        heard = []
        far.on(DtmfReceived, lambda event: heard.append((event.tone, event.method)))
        first = call.send_dtmf("42", method=method)
        second = call.send_dtmf("#", method=method)
        await first.wait()
        await second.wait()
        await trio.sleep(0.5)

        assert heard == [("4", method), ("2", method), ("#", method)]

    await pair.run(body)


async def test_one_key_told_by_two_methods_is_one_key(autojump_clock, pair) -> None:
    """RFC 2976 §2."""

    async def body(call, far) -> None:
        heard = []
        far.on(DtmfReceived, lambda event: heard.append(event.tone))
        call.send_dtmf("5", method=DtmfMethod.RFC4733)
        call.send_dtmf("5", method=DtmfMethod.INFO)
        await trio.sleep(1)

        assert heard == ["5"]

    await pair.run(body)


async def test_cancelled_tones_are_not_sent(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        heard = []
        far.on(DtmfReceived, lambda event: heard.append(event.tone))
        receipt = call.send_dtmf("123", method=DtmfMethod.INFO)
        await trio.sleep(0.01)
        receipt.cancel()
        await trio.sleep(2)

        assert heard == ["1"]

    await pair.run(body)


@pytest.mark.parametrize("tones", ["", ",", "12x", "1 2"])
async def test_a_string_that_is_no_tones_is_refused(autojump_clock, pair, tones) -> None:
    async def body(call, far) -> None:
        with pytest.raises(InvalidDtmfError):
            call.send_dtmf(tones)

    await pair.run(body)


async def test_collect_starts_with_type_ahead_and_drops_the_terminator(
    autojump_clock, pair
) -> None:
    async def body(call, far) -> None:
        for tone in "12#9":
            _press(pair, call, tone)
        await trio.sleep(0.1)

        assert await call.collect_dtmf() == "12"
        assert await call.collect_dtmf(max_digits=1) == "9"

    await pair.run(body)


async def test_collect_flush_forgets_what_was_typed(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        _press(pair, call, "1")
        await trio.sleep(0.1)

        assert await call.collect_dtmf(flush=True, first_timeout=2) == ""

    await pair.run(body)


async def test_collect_time_limits_count_from_the_prompt_and_each_key(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        began = trio.current_time()
        entry = await call.collect_dtmf(prompt=SilenceSource(4.0), first_timeout=5.0)
        assert entry == ""
        assert trio.current_time() - began == pytest.approx(9.0)

        began = trio.current_time()
        _press(pair, call, "7")
        assert await call.collect_dtmf(inter_digit_timeout=3.0) == "7"
        assert trio.current_time() - began == pytest.approx(3.0)

    await pair.run(body)


async def test_a_key_stops_the_prompt(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_press_after, pair, call, "1", 1.0)
            entry = await call.collect_dtmf(prompt=ToneSource(), max_digits=1)

        assert entry == "1"
        assert trio.current_time() - began == pytest.approx(1.0)
        assert pair.world.engine.counts()["playbacks"] == 0

    await pair.run(body)


async def _press_after(pair, call, tone: str, seconds: float) -> None:
    await trio.sleep(seconds)
    _press(pair, call, tone)


async def test_a_cancelled_collect_leaves_the_keys_and_stops_the_prompt(
    autojump_clock, pair
) -> None:
    async def body(call, far) -> None:
        with trio.move_on_after(1):
            await call.collect_dtmf(prompt=ToneSource())
        assert pair.world.engine.counts()["playbacks"] == 0
        _press(pair, call, "3")
        with trio.move_on_after(1):
            await call.collect_dtmf()

        assert await call.collect_dtmf(max_digits=1) == "3"

    await pair.run(body)


async def test_collect_raises_when_the_call_ends(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_hang_up_after, far, 1.0)
            with pytest.raises(CallEndedError):
                await call.collect_dtmf(first_timeout=100)

    await pair.run(body)


async def test_info_and_message_are_answered_and_bad_ones_refused(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        assert (await call.send_info("text/plain", "x", {"X-A": "b"}).check()).status == 200
        assert (await call.send_message("grüß dich").wait()).is_success
        assert (await call.send_request("OPTIONS")).headers["allow"]
        with pytest.raises(InvalidMimeTypeError):
            call.send_info("plain", "x")
        with pytest.raises(InvalidHeaderError):
            call.send_info("text/plain", "x", {"X-A": "b\r\nX-Forged: 1"})
        with pytest.raises(InvalidHeaderError):
            call.hangup({"Via": "x"})

    await pair.run(body)


async def test_statistics_are_reported_at_the_interval_and_kept_after_the_end(
    autojump_clock, pair
) -> None:
    async def body(call, far) -> None:
        from trivox.call.events import StatsReport

        seen = call.events(StatsReport)
        first = await seen.__anext__()
        second = await seen.__anext__()

        assert second.at - first.at == pytest.approx(1.0)
        assert second.report.packets_sent > first.report.packets_sent
        assert call.statistics().codec == "PCMU"

    await pair.run(body, report_stats=True, stats_interval=1.2)


async def test_an_issue_is_told_when_it_is_raised_and_when_it_is_over(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        engine, session = pair.world.media.sessions, call._leg.session
        events = call.events(QualityIssueRaised, QualityIssueCleared)
        engine._emit(session, EngineEventKind.QUALITY_RAISED, 0.2, "packet_loss critical 0.1")
        raised = await anext(events)
        held = dict(call.quality_issues)
        engine._emit(session, EngineEventKind.QUALITY_CLEARED, 0.0, "packet_loss fine 0.01")
        cleared = await anext(events)

        assert (raised.kind, raised.level) == (QualityIssue.PACKET_LOSS, QualityLevel.CRITICAL)
        assert (raised.value, raised.threshold) == (0.2, 0.1)
        assert held == {QualityIssue.PACKET_LOSS: QualityLevel.CRITICAL}
        assert (cleared.kind, cleared.threshold) == (QualityIssue.PACKET_LOSS, 0.01)
        assert call.quality_issues == {}

    await pair.run(body)
