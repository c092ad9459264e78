"""Audio in the hands of the program, on the fake engine."""

from __future__ import annotations

import array
import gc
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import connect_pair

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.frames import pcm_bytes
from trivox.media.marks import Marks
from trivox.media.port import AudioPort
from trivox.testing.fake_engine import fake_media

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.media.pairs import Side
    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

EVENTS = Path(__file__).parents[2] / "rust" / "media" / "src" / "event.rs"


class Wired:
    """A port and the events of its session, as a call would wire them."""

    def __init__(self, media: DrivenMedia, side: Side) -> None:
        self.port = AudioPort(media.sessions, side.session, rate=8000)
        media.attach(side.session, self)

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        if number == self.port.number:
            self.port.handle_engine_event(kind, text)


@pytest.fixture
async def port(autojump_clock: MockClock) -> AsyncIterator[AudioPort]:
    media, _ = fake_media(now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        caller, _ = await connect_pair(media, "plain")
        with Wired(media, caller).port as opened:
            yield opened
        nursery.cancel_scope.cancel()
    media.close()


async def test_sending_keeps_two_hundred_milliseconds_ahead(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    begin = trio.current_time()
    most = 0.0

    for _ in range(100):
        await port.send(bytes(2 * 160))
        most = max(most, port.queued)

    assert trio.current_time() - begin == pytest.approx(1.8, abs=0.01)
    assert most == pytest.approx(0.2)


async def test_a_long_block_is_queued_whole_before_the_last_one_has_run_dry(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    await port.send(bytes(2 * 8000))
    begin = trio.current_time()

    await port.send(bytes(2 * 8000))

    assert trio.current_time() - begin == pytest.approx(0.9, abs=0.01)
    assert port.queued == pytest.approx(1.1, abs=0.01)
    assert port.underruns == 0


async def test_a_cancelled_send_has_queued_nothing(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    await port.send(bytes(2 * 8000))

    with trio.move_on_after(0.5) as limit:
        await port.send(bytes(2 * 8000))

    assert limit.cancelled_caught
    assert port.queued == pytest.approx(0.5)


async def test_sending_without_waiting_says_when_it_would_block(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    port.send_nowait(bytes(2 * 8000 * 2))

    with pytest.raises(trio.WouldBlock):
        port.send_nowait(bytes(2))
    port.clear()
    port.send_nowait(bytes(2))


async def test_more_than_a_minute_at_once_is_refused(port: AudioPort) -> None:
    with pytest.raises(InvalidArgumentsError):
        await port.send(bytes(2 * 8000 * 61))


async def test_clearing_tells_what_was_heard_and_ends_the_playing(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    assert not port.is_playing
    await port.send(bytes(2 * 8000))
    await trio.sleep(0.5)
    assert port.is_playing

    cleared = port.clear()

    assert cleared.heard_ms == pytest.approx(500, abs=25)
    assert cleared.heard == pytest.approx(0.5, abs=0.025)
    assert not port.is_playing


async def test_clearing_lets_a_send_that_waits_go_on(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    await port.send(bytes(2 * 8000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(port.send, bytes(2 * 160))
        await trio.sleep(0.1)
        begin = trio.current_time()
        port.clear()

    assert trio.current_time() == begin
    assert port.queued == pytest.approx(0.02)


async def test_marks_are_played_when_what_lies_before_them_was_sent(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    begin = trio.current_time()
    marks = port.played_marks()
    await port.send(bytes(2 * 8000))
    word = port.mark("word")
    await port.send(bytes(2 * 1600))
    sentence = port.mark("sentence")

    assert await port.played(word)
    assert trio.current_time() - begin == pytest.approx(1.0, abs=0.01)
    assert await port.played(sentence)
    assert trio.current_time() - begin == pytest.approx(1.2, abs=0.01)
    assert [(await anext(marks)).name, (await anext(marks)).name] == ["word", "sentence"]
    assert await port.wait_played()


async def test_marks_that_are_cleared_or_cut_off_were_not_heard(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    await port.send(bytes(2 * 8000))
    first, marks = port.mark("first"), port.played_marks()
    port.clear()
    await port.send(bytes(2 * 8000))
    second = port.mark("second")

    assert not await port.played(first)
    port.close()
    assert not await port.played(second)
    assert [mark.name async for mark in marks] == ["first", "second"]
    assert repr(second) == "<Mark second unheard>"
    with pytest.raises(trio.ClosedResourceError):
        port.mark()


async def test_what_was_sent_is_playing_until_it_was_heard(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    await port.send(bytes(2 * 8000))
    await trio.sleep(0.95)
    assert port.is_playing
    await trio.sleep(0.15)
    assert not port.is_playing


async def test_frames_end_with_the_port_and_the_last_ones_are_kept(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    await trio.sleep(0.101)
    port.handle_end()

    frames = [frame async for frame in port]

    assert len(frames) == 5
    with pytest.raises(trio.ClosedResourceError):
        await port.send(b"\0\0")


async def test_a_waiting_reader_wakes_when_the_port_is_closed(
    port: AudioPort, autojump_clock: MockClock
) -> None:
    frames = []

    async def read() -> None:
        frames.extend([frame async for frame in port])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(0.05)
        port.close()

    assert len(frames) == 2


def test_floats_become_sixteen_bits_and_are_clipped() -> None:
    data = pcm_bytes(array.array("f", [0.0, 1.0, -1.0, 5.0]))

    assert array.array("h", data).tolist() == [0, 32767, -32767, 32767]


@pytest.mark.parametrize("wrong", [array.array("d", [0.0]), b"odd"])
def test_other_formats_are_refused(wrong: object) -> None:
    with pytest.raises(InvalidArgumentsError):
        pcm_bytes(wrong)


def test_kinds_of_events_are_those_of_the_engine() -> None:
    numbers = re.findall(r"^    (\w+) = (\d+),$", EVENTS.read_text(), re.MULTILINE)
    engine = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): int(value) for name, value in numbers}

    assert {kind.name: kind.value for kind in Kind} == engine


def test_readers_of_marks_that_are_left_are_forgotten() -> None:
    marks = Marks()
    for _ in range(10):
        marks.subscribe()
    gc.collect()

    assert not marks._readers
