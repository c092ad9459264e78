"""Holding, resuming and what is heard meanwhile: the same for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import connect_pair

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind

if TYPE_CHECKING:
    from tests.media.pairs import Side
    from trio.testing import MockClock

VIDEO = "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"


def _line(sdp: str, start: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith(start)]


def _direction(sdp: str) -> str:
    names = {"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"}
    (line,) = [line for line in sdp.splitlines() if line in names]
    return line.removeprefix("a=")


def _exchange(made: Made, offerer: Side, answerer: Side) -> tuple[str, str]:
    """Offer and answer once more; returns both directions."""
    sessions = made.media.sessions
    offer = sessions.create_offer(offerer.session)
    sessions.set_remote(answerer.session, offer, "offer", "")
    answer = sessions.create_answer(answerer.session)
    sessions.set_remote(offerer.session, answer, "answer", "tag")
    return _direction(offer), _direction(answer)


async def _packets(made: Made, side: Side) -> tuple[int, int]:
    """Packets (sent, received) within the next second."""
    before = made.media.sessions.statistics(side.session)
    await trio.sleep(1.0)
    after = made.media.sessions.statistics(side.session)
    return tuple(int(after[n]) - int(before[n]) for n in ("packets_sent", "packets_received"))


@pytest.mark.parametrize(
    ("wish", "answered", "sent", "received"),
    [
        ("sendonly", "recvonly", 50, 0),
        ("recvonly", "sendonly", 0, 50),
        ("inactive", "inactive", 0, 0),
    ],
)
async def test_a_direction_is_agreed_on_and_taken_back(
    made: Made,
    autojump_clock: MockClock,
    wish: str,
    answered: str,
    sent: int,
    received: int,
) -> None:
    near, far = await connect_pair(made.media, made.transport, HOSTS)
    for _ in range(3):
        made.media.sessions.set_direction(near.session, wish)
        assert _exchange(made, near, far) == (wish, answered)
        await trio.sleep(0.2)
        assert await _packets(made, near) == (
            pytest.approx(sent, abs=2),
            pytest.approx(received, abs=2),
        )

        made.media.sessions.set_direction(near.session, "sendrecv")
        assert _exchange(made, near, far) == ("sendrecv", "sendrecv")
        await trio.sleep(0.2)
        assert await _packets(made, near) == (pytest.approx(50, abs=2), pytest.approx(50, abs=2))


async def test_who_holds_stays_on_hold_when_the_other_end_offers(
    made: Made, autojump_clock: MockClock
) -> None:
    near, far = await connect_pair(made.media, made.transport, HOSTS)
    made.media.sessions.set_direction(near.session, "sendonly")
    _exchange(made, near, far)

    assert _exchange(made, far, near) == ("sendrecv", "sendonly")
    made.media.sessions.set_direction(far.session, "sendonly")
    assert _exchange(made, far, near) == ("sendonly", "inactive")
    made.media.sessions.set_direction(near.session, "sendrecv")
    assert _exchange(made, near, far) == ("sendrecv", "sendonly")


async def test_an_offer_that_was_refused_leaves_all_as_it_was(
    made: Made, autojump_clock: MockClock
) -> None:
    near, far = await connect_pair(made.media, made.transport, HOSTS)
    made.media.sessions.set_direction(near.session, "sendonly")
    made.media.sessions.create_offer(near.session)
    made.media.sessions.rollback(near.session)

    with pytest.raises(EngineError):
        made.media.sessions.set_remote(near.session, "v=0\r\nm=audio 1 RTP/AVP 0\r\n", "answer", "")
    assert _exchange(made, far, near) == ("sendrecv", "sendrecv")
    await trio.sleep(0.2)
    assert await _packets(made, near) == (pytest.approx(50, abs=2), pytest.approx(50, abs=2))


async def test_sources_beside_the_queue_run_at_once_and_all_end(
    made: Made, autojump_clock: MockClock
) -> None:
    near, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    queued = sessions.play_silence(near.session, 1.0)
    beside = sessions.play_tone(near.session, (440.0,), (), 0.5, -12.0, place="beside")
    waiting = sessions.play_silence(near.session, 0.5)

    await near.wait_for(Kind.PLAYBACK_ENDED, waiting)

    ended = [number for kind, number, _ in near.events if kind is Kind.PLAYBACK_ENDED]
    assert ended == [beside, queued, waiting]


async def test_music_on_hold_runs_only_while_holding(made: Made, autojump_clock: MockClock) -> None:
    near, _ = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    music = sessions.play_tone(near.session, (440.0,), (), 1.0, -12.0, place="hold")
    await trio.sleep(2.0)
    assert not [event for event in near.events if event[0] is Kind.PLAYBACK_ENDED]
    sessions.set_mix(near.session, own=True, holding=True)
    await trio.sleep(0.5)
    sessions.set_mix(near.session, own=True, holding=False)
    await trio.sleep(2.0)
    sessions.set_mix(near.session, own=True, holding=True)
    began = trio.current_time()
    await near.wait_for(Kind.PLAYBACK_ENDED, music)

    assert trio.current_time() - began == pytest.approx(0.5, abs=0.05)


async def test_names_that_mean_nothing_are_refused(made: Made, autojump_clock: MockClock) -> None:
    near, _ = await connect_pair(made.media, made.transport, HOSTS)
    with pytest.raises(InvalidArgumentsError):
        made.media.sessions.set_direction(near.session, "both")
    with pytest.raises(InvalidArgumentsError):
        made.media.sessions.play_silence(near.session, 1.0, place="nowhere")
    assert made.media.sessions.counts()["playbacks"] == 0


async def test_media_we_do_not_take_are_refused_in_their_places(
    made: Made, autojump_clock: MockClock
) -> None:
    near, far = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    offer = sessions.create_offer(near.session) + VIDEO + VIDEO.replace("video", "text")
    sessions.set_remote(far.session, offer, "offer", "")
    answer = sessions.create_answer(far.session)

    media = [line.split()[:2] for line in _line(answer, "m=")]
    assert [kind for kind, _ in media] == ["m=audio", "m=video", "m=text"]
    assert media[0][1] != "0"
    assert [port for _, port in media[1:]] == ["0", "0"]
