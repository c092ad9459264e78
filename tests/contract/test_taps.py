"""What every engine keeps about received packets, the native one and the fake, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import connect_pair

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind

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
