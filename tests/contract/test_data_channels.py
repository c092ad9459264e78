"""Data channels of two sessions: opened, used and closed by either; on every engine there is."""

from __future__ import annotations

import pytest
import trio
from tests.media.pairs import connect_pair

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind

from .conftest import HOSTS, KINDS

over_ice = pytest.mark.parametrize(
    "made", [kind for kind in KINDS if kind.endswith("ice")], indirect=True
)
over_others = pytest.mark.parametrize(
    "made", [kind for kind in KINDS if not kind.endswith("ice")], indirect=True
)
USUAL = {"protocol": "", "ordered": True, "max_retransmits": -1, "max_lifetime_ms": -1, "id": -1}


def agree(sessions, one, other) -> None:
    offer = sessions.create_offer(one.session)
    sessions.set_remote(other.session, offer, "offer", "")
    sessions.set_remote(one.session, sessions.create_answer(other.session), "answer", "")


def told(side, kind: Kind) -> list[int]:
    return [int(number) for found, number, _ in side.events if found == kind]


async def channel_between(made, **options):
    """Two sessions and the channel that the first has opened: (side, channel) of both."""
    sessions = made.media.sessions
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions.accept_channels(callee.session, True)
    assert not sessions.has_data_line(caller.session)
    ours = sessions.open_channel(caller.session, "chat", **(USUAL | options))
    agree(sessions, caller, callee)
    assert sessions.has_data_line(caller.session)
    await trio.sleep(1.0)
    assert told(caller, Kind.CHANNEL_OPENED) == [ours]
    (theirs,) = told(callee, Kind.CHANNEL_OPENED)
    return (caller, ours), (callee, theirs)


@over_ice
async def test_messages_go_both_ways(made) -> None:
    sessions = made.media.sessions
    (caller, ours), (callee, theirs) = await channel_between(made)

    assert sessions.send_on_channel(caller.session, ours, True, "héllo".encode())
    assert sessions.send_on_channel(callee.session, theirs, False, b"\x00\xff")
    assert sessions.send_on_channel(callee.session, theirs, True, b"")
    await trio.sleep(1.0)

    assert told(callee, Kind.DATA_READY) == [theirs]
    assert sessions.take_from_channel(callee.session, theirs, 10) == [(True, "héllo".encode())]
    assert sessions.take_from_channel(caller.session, ours, 1) == [(False, b"\x00\xff")]
    assert sessions.take_from_channel(caller.session, ours, 1) == [(True, b"")]
    assert sessions.take_from_channel(caller.session, ours, 1) == []


@over_ice
async def test_the_far_end_knows_how_a_channel_is(made) -> None:
    sessions = made.media.sessions
    options = {"protocol": "json", "ordered": False, "max_retransmits": 2}

    _, (callee, theirs) = await channel_between(made, **options)

    facts = sessions.channel_facts(callee.session, theirs)
    assert facts[:5] == ("chat", "json", False, 2, -1)
    assert facts[6:] == ("open", 0)


@over_ice
@pytest.mark.parametrize("closer", [0, 1])
async def test_either_side_closes_a_channel(made, closer: int) -> None:
    sessions = made.media.sessions
    ends = await channel_between(made)
    side, channel = ends[closer]
    far, its = ends[1 - closer]

    assert sessions.send_on_channel(side.session, channel, True, b"the last word")
    sessions.close_channel(side.session, channel)
    await trio.sleep(5.0)

    assert told(side, Kind.CHANNEL_CLOSED) == [channel]
    assert told(far, Kind.CHANNEL_CLOSED) == [its]
    assert sessions.take_from_channel(far.session, its, 10) == [(True, b"the last word")]
    with pytest.raises(EngineError):
        sessions.send_on_channel(far.session, its, True, b"more")
    sessions.close_channel(side.session, channel)


@over_ice
async def test_too_much_is_refused_until_it_is_read(made) -> None:
    sessions = made.media.sessions
    (caller, ours), (callee, theirs) = await channel_between(made)
    count = 0
    while sessions.send_on_channel(caller.session, ours, False, bytes(100_000)):
        count += 1
        assert count < 30
    assert sessions.channel_facts(caller.session, ours)[7] > 0

    read = 0
    while read < count:
        await trio.sleep(0.5)
        read += len(sessions.take_from_channel(callee.session, theirs, 10))
    await trio.sleep(0.5)

    assert len(told(caller, Kind.DATA_LOW)) == 1


@over_ice
async def test_who_takes_no_channels_ends_them(made) -> None:
    sessions = made.media.sessions
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    ours = sessions.open_channel(caller.session, "chat", **USUAL)

    agree(sessions, caller, callee)
    await trio.sleep(0.1)

    assert told(caller, Kind.CHANNEL_CLOSED) == [ours]
    assert not sessions.has_data_line(caller.session)


@over_ice
async def test_what_is_no_channel_or_message_is_refused(made) -> None:
    sessions = made.media.sessions
    (caller, ours), _ = await channel_between(made)

    with pytest.raises(InvalidArgumentsError):
        sessions.open_channel(caller.session, "x" * 1025, **USUAL)
    with pytest.raises(InvalidArgumentsError):
        sessions.send_on_channel(caller.session, ours, False, bytes(256 * 1024 + 1))
    with pytest.raises(EngineError):
        sessions.send_on_channel(caller.session, 999, True, b"")
    with pytest.raises(EngineError):
        sessions.channel_facts(caller.session, 999)
    assert sessions.take_from_channel(caller.session, 999, 1) == []


@over_others
async def test_without_ice_there_is_no_way_for_data(made) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)

    with pytest.raises(EngineError, match="ICE"):
        made.media.sessions.open_channel(caller.session, "chat", **USUAL)
