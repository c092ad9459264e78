"""What every engine tells of a session: how it travels, and each of its streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import Side, connect_pair, open_pair, open_side

from trivox.media.statistics import StatisticsReport

if TYPE_CHECKING:
    from trio.testing import MockClock

    from trivox.media.stream_statistics import StreamStatistics

KEYED = {"sdes", "dtls", "ice"}


def report_of(side: Side) -> StatisticsReport:
    return StatisticsReport.from_report(side.media.sessions.statistics(side.session))


def streams_of(side: Side) -> tuple[StreamStatistics, StreamStatistics]:
    sent, received = report_of(side).streams
    assert (sent.kind, sent.direction, sent.line) == ("audio", "sent", 0)
    assert (received.kind, received.direction, received.line) == ("audio", "received", 0)
    return sent, received


async def test_a_session_tells_how_it_travels(made: Made, autojump_clock: MockClock) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    await trio.sleep(1)

    ours, theirs = report_of(caller).connection, report_of(callee).connection

    assert {ours.transport, theirs.transport} == {made.transport}
    assert ours.local_address == theirs.remote_address != ""
    assert ours.remote_address == theirs.local_address != ""
    assert ours.srtp_profile == theirs.srtp_profile
    assert bool(ours.srtp_profile) is (made.transport in KEYED)
    assert ours.dtls_state == ("connected" if made.transport in {"dtls", "ice"} else "")
    assert ours.ice_state == ("connected" if made.transport == "ice" else "")


async def test_before_the_far_end_is_known_there_are_no_streams(
    made: Made, autojump_clock: MockClock
) -> None:
    side = open_side(made.media, made.transport, HOSTS[0])
    made.media.sessions.create_offer(side.session)

    report = report_of(side)

    assert report.streams == ()
    assert report.connection.transport == made.transport
    assert report.connection.remote_address == ""
    assert report.connection.dtls_state == ("new" if made.transport in {"dtls", "ice"} else "")


async def test_both_ways_of_the_audio_are_streams_of_their_own(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    await trio.sleep(4)

    (our_sent, our_received), (their_sent, their_received) = map(streams_of, (caller, callee))

    assert our_sent.ssrc == their_received.ssrc is not None
    assert their_sent.ssrc == our_received.ssrc is not None
    assert {our_sent.codec, their_received.codec} == {report_of(caller).codec}
    for sent, received in ((our_sent, their_received), (their_sent, our_received)):
        assert sent.packets == pytest.approx(200, abs=3)
        assert received.packets == pytest.approx(sent.packets, abs=3)
        assert (received.packets_lost, received.loss) == (0, 0.0)
        assert received.concealed == 0.0
        assert received.key_frames is None
    assert sum(s.packets for s in (our_sent, our_received)) == (
        report_of(caller).packets_sent + report_of(caller).packets_received
    )


async def test_a_stream_on_hold_stands_still(made: Made, autojump_clock: MockClock) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    await trio.sleep(1)
    sessions.set_direction(caller.session, "sendonly")
    offer = sessions.create_offer(caller.session)
    sessions.set_remote(callee.session, offer, "offer", "")
    sessions.set_remote(caller.session, sessions.create_answer(callee.session), "answer", "tag")
    await trio.sleep(1)
    held = streams_of(callee)

    await trio.sleep(2)

    sent, received = streams_of(callee)
    assert sent.packets == held[0].packets
    assert received.packets == pytest.approx(held[1].packets + 100, abs=2)


async def test_open_pairs_are_told_apart_by_their_addresses(
    made: Made, autojump_clock: MockClock
) -> None:
    pairs = [open_pair(made.media, made.transport, HOSTS) for _ in range(2)]
    await trio.sleep(1)

    addresses = {report_of(side).connection.local_address for pair in pairs for side in pair}

    assert len(addresses) == 4
