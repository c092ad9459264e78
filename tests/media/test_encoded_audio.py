"""Which packets are frames of sound, and when each was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trivox.media.encoded_audio import EncodedAudioFrames
from trivox.media.rtp_tap import RtpTap

if TYPE_CHECKING:
    from trivox.media.video import EncodedFrame

Packet = tuple[float, int, bool, int, int, int, bytes, str]


class Packets:
    """An engine that has had some packets."""

    def __init__(self, packets: list[Packet]) -> None:
        self._packets = packets

    def open_rtp_tap(self, session: int, *, batch: int) -> int:
        return session + batch

    def close_rtp_tap(self, tap: int) -> None:
        """Have nothing to close."""

    def take_rtp(self, tap: int, limit: int) -> tuple[list[Packet], int]:
        taken, self._packets = self._packets, []
        return taken, 3


def packet(sequence: int, timestamp: int, codec: str = "PCMU", ssrc: int = 1, at: float = 0.0):
    return (at, 0, False, sequence & 0xFFFF, timestamp % 2**32, ssrc, b"%d" % sequence, codec)


async def read(packets: list[Packet]) -> tuple[list[EncodedFrame], int]:
    tap = RtpTap(Packets(packets), 1)  # type: ignore[arg-type]  # what it needs of an engine
    frames = EncodedAudioFrames(tap)
    tap.handle_end()
    return [frame async for frame in frames], frames.lost


async def test_copies_and_late_packets_are_left_out_and_counted() -> None:
    order = [1, 2, 2, 5, 4, 3, 6]

    frames, lost = await read([packet(number, 160 * number) for number in order])

    assert [frame.data for frame in frames] == [b"1", b"2", b"5", b"6"]
    assert [frame.pts for frame in frames] == pytest.approx([0, 0.02, 0.08, 0.1])
    assert lost == 3 + 3


async def test_numbers_and_timestamps_wrap() -> None:
    packets = [packet(65_534 + n, 2**32 - 960 + 960 * n, "opus") for n in range(4)]

    frames, _ = await read(packets)

    assert [frame.pts for frame in frames] == pytest.approx([0, 0.02, 0.04, 0.06])


async def test_digits_and_comfort_noise_are_no_frames_and_take_no_time() -> None:
    others = [packet(2, 160, "telephone-event"), packet(3, 160, "CN"), packet(4, 160, "")]

    frames, lost = await read([packet(1, 0), *others, packet(5, 800)])

    assert [(frame.codec, frame.pts) for frame in frames] == [("PCMU", 0.0), ("PCMU", 0.1)]
    assert lost == 3


async def test_another_source_or_codec_goes_on_by_the_clock_of_arrival() -> None:
    packets = [
        packet(1, 0, at=1.0),
        packet(900, 5_000_000, ssrc=2, at=1.25),
        packet(901, 5_000_320, "L16", ssrc=2, at=1.5),
        packet(902, 5_000_640, "L16", ssrc=2, at=9.0),
    ]

    frames, _ = await read(packets)

    assert [frame.pts for frame in frames] == pytest.approx([0, 0.25, 0.5, 0.52])


async def test_one_stray_packet_far_ahead_is_left_out_and_the_others_go_on() -> None:
    """RFC 3550 §A.1: a step of MAX_DROPOUT is not believed of one packet."""
    order = [1, 2, 9_000, 3, 9_001, 4, 3_003, 3_004]

    frames, lost = await read([packet(number, 160 * number) for number in order])

    assert [frame.data for frame in frames] == [b"1", b"2", b"3", b"4", b"3003", b"3004"]
    assert [frame.pts for frame in frames] == pytest.approx([0, 0.02, 0.04, 0.06, 60.04, 60.06])
    assert lost == 3 + 2


@pytest.mark.parametrize("begins", [1, 399, 4_000, 40_000, 65_535])
async def test_a_sender_that_counts_anew_is_believed_with_its_second_packet(begins: int) -> None:
    """RFC 3550 §A.1: also of the same source; its time goes on by the clock of arrival."""
    before = [packet(number, 160 * number, at=0.02 * (number - 500)) for number in (500, 501, 502)]
    after = [packet(begins + n, 7 + 160 * n, at=1.0 + 0.02 * n) for n in range(4)]

    frames, lost = await read([*before, *after])

    numbers = [500, 501, 502, *(begins + n for n in range(1, 4))]
    assert [frame.data for frame in frames] == [b"%d" % number for number in numbers]
    times = [0, 0.02, 0.04, 1.02, 1.04, 1.06]
    assert [frame.pts for frame in frames] == pytest.approx(times)
    assert lost == 3 + 1


async def test_a_sender_that_begins_again_a_little_lower_never_goes_back_in_time() -> None:
    """RFC 3550 §A.1: up to MAX_MISORDER back it cannot be told from late packets."""
    before = [packet(50, 80_000, at=0.0), packet(51, 80_160, at=0.02)]
    after = [packet(49 + n, 160 * n, at=0.5 + 0.02 * n) for n in range(5)]

    frames, lost = await read([*before, *after])

    assert [frame.data for frame in frames] == [b"50", b"51", b"52", b"53"]
    assert [frame.pts for frame in frames] == pytest.approx([0, 0.02, 0.56, 0.58])
    assert lost == 3 + 3
