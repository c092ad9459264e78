"""What every engine keeps about received packets, the native one and the fake, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import connect_pair

from trivox.errors import InvalidArgumentsError
from trivox.media.encoded_audio import EncodedAudioFrames
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.rtp_tap import RtpTap

if TYPE_CHECKING:
    from trio.testing import MockClock


async def test_packets_are_told_of_in_batches_and_taken_in_order(
    made: Made, autojump_clock: MockClock
) -> None:
    _, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    tap = sessions.open_rtp_tap(callee.session, batch=10)

    await callee.wait_for(Kind.RTP_READY, tap)
    first, _ = sessions.take_rtp(tap, 5)
    await trio.sleep(1)
    later, lost = sessions.take_rtp(tap, 1000)

    packets = first + later
    assert (len(first), lost) == (5, 0)
    assert len(packets) >= 50
    steps = {(b[3] - a[3] & 0xFFFF, b[4] - a[4] & 0xFFFFFFFF) for a, b in pairwise(packets)}
    assert len(steps) == 1
    assert steps.pop()[0] == 1
    assert [packet[0] for packet in packets] == sorted(packet[0] for packet in packets)
    assert len({(packet[1], packet[5]) for packet in packets}) == 1
    assert all(packet[6] for packet in packets)
    assert {packet[7] for packet in packets} == {"opus" if made.transport == "ice" else "PCMU"}


async def test_a_closed_tap_is_told_of_nothing(made: Made, autojump_clock: MockClock) -> None:
    _, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    with pytest.raises(InvalidArgumentsError):
        sessions.open_rtp_tap(callee.session, batch=0)
    tap = sessions.open_rtp_tap(callee.session, batch=1)

    sessions.close_rtp_tap(tap)
    sessions.close_rtp_tap(tap)
    await trio.sleep(0.5)

    assert sessions.take_rtp(tap, 10) == ([], 0)
    assert Kind.RTP_READY not in {kind for kind, _, _ in callee.events}


async def test_encoded_frames_of_sound_have_the_time_of_their_packets(
    made: Made, autojump_clock: MockClock
) -> None:
    _, callee = await connect_pair(made.media, made.transport, HOSTS)
    tap = RtpTap(made.media.sessions, callee.session, batch=10)
    frames = EncodedAudioFrames(tap)

    await callee.wait_for(Kind.RTP_READY, tap.number)
    taken = [await anext(frames) for _ in range(10)]
    tap.handle_end()

    assert {frame.codec for frame in taken} == {"opus" if made.transport == "ice" else "PCMU"}
    assert [frame.pts for frame in taken] == pytest.approx([0.02 * at for at in range(10)])
    assert all(frame.data and frame.is_key for frame in taken)
    assert [frame async for frame in frames] == []
