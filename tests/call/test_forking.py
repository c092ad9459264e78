"""A call that forks: three branches answer provisionally, one wins (RFC 3261 §13.2.2.4, §19.3)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.media.pairs import open_side, read_wav, tone_power

from trivox.call.events import EndReason
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.client.opening import open_client
from trivox.media.native_engine import driven_media
from trivox.testing import Link
from trivox.testing.far_end import SDP, FarEnd

pytestmark = pytest.mark.native

NEAR, FAR = ("10.0.0.1", 5060), ("10.0.0.9", 5060)
TONES = {"a": 400.0, "b": 1000.0, "c": 1700.0}
KINDS = {"plain": "rtp", "ice": "webrtc"}


@asynccontextmanager
async def forked(transport: str):
    """A client on a driven engine, a scripted far end, and three sessions that answer its offer."""
    link = Link(1, delay=0.01)
    media = driven_media(seed=b"forks", now=trio.current_time())
    async with open_client(
        listen=["sip:10.0.0.1:5060;transport=udp"],
        engine=media,
        sockets=link.host(NEAR[0]),
        seed=bytes(32),
    ) as client:
        with FarEnd(link.host(FAR[0]), FAR, NEAR) as far:
            call = client.create_call(far.uri, CallSettings(media=KINDS[transport]))
            await call.start()
            invite = await far.expect("INVITE")
            yield media, far, call, invite
    media.close()


def answers_of(media, transport: str, offer: str) -> dict[str, str]:
    """Let each branch answer the offer with a session that plays a tone of its own."""
    answers = {}
    for number, (tag, tone) in enumerate(TONES.items()):
        side = open_side(media, transport, f"10.0.1.{number + 1}")
        media.sessions.set_remote(side.session, offer, "offer", "")
        answers[tag] = media.sessions.create_answer(side.session)
        media.sessions.play_tone(side.session, [tone], [], 30.0, -12.0)
    return answers


def loudest(samples: list[int], rate: int) -> str:
    return max(TONES, key=lambda tag: tone_power(samples, rate, TONES[tag]))


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_the_right_branch_is_heard(autojump_clock, tmp_path, transport) -> None:
    path = tmp_path / "heard.wav"
    async with forked(transport) as (media, far, call, invite):
        answers = answers_of(media, transport, invite.body.decode())
        for tag in ("a", "b", "c"):
            far.respond(invite, 183, to_tag=tag, body=answers[tag])
            await trio.sleep(0.5)

        async with call.recording(path, side="received"):
            await trio.sleep(3)
            far.respond(invite, 200, to_tag="b", body=answers["b"])
            await far.expect("ACK")
            await call.wait_connected()
            await trio.sleep(3)
        call.hangup()

    rate, _, samples = read_wav(path)
    early, late = samples[2 * rate : 3 * rate], samples[-rate:]
    # The newest provisional answer is heard until one branch wins.
    assert loudest(early, rate) == "c"
    assert tone_power(early, rate, TONES["c"]) > 0.9
    assert loudest(late, rate) == "b"
    assert tone_power(late, rate, TONES["b"]) > 0.9


@pytest.mark.parametrize("transport", ["plain", "ice"])
async def test_answer_sent_reliably_by_the_winner_needs_none_in_the_2xx(
    autojump_clock, tmp_path, transport
) -> None:
    """RFC 6337 §3.1.1, with RFC 3262: another branch was heard last."""
    path = tmp_path / "heard.wav"
    async with forked(transport) as (media, far, call, invite):
        answers = answers_of(media, transport, invite.body.decode())
        for serial, tag in enumerate(("a", "b", "c"), 5):
            headers = [("Require", "100rel"), ("RSeq", str(serial))]
            far.respond(invite, 183, to_tag=tag, body=answers[tag], headers=headers)
            prack = await far.expect("PRACK")
            far.respond(prack, 200)
            assert prack.key()[4] == tag

        far.respond(invite, 200, to_tag="b")
        await far.expect("ACK")
        await call.wait_connected()
        async with call.recording(path, side="received"):
            await trio.sleep(3)
        call.hangup()

    rate, _, samples = read_wav(path)
    assert tone_power(samples[-rate:], rate, TONES["b"]) > 0.9


async def test_losers_that_answer_too_are_acknowledged_and_hung_up(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 200, to_tag="a", body=SDP)
        first = await far.expect("ACK")
        await call.wait_connected()
        far.respond(invite, 200, to_tag="b", body=SDP)
        second = await far.expect("ACK")
        bye = await far.expect("BYE")
        far.respond(bye, 200)

        assert (first.key()[4], second.key()[4], bye.key()[4]) == ("a", "b", "b")
        assert call.state.value is CallState.CONNECTED
        call.hangup()
        assert (await far.expect("BYE")).key()[4] == "a"


async def test_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up(
    autojump_clock, world, recorder
) -> None:
    """State table: DISCONNECTING (out, cancelling), a 2xx crosses the CANCEL."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        names = recorder(call)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180, to_tag="a")
        await trio.sleep(0.1)
        call.hangup()
        far.respond(invite, 200, to_tag="a", body=SDP)
        await far.expect("CANCEL")
        await far.expect("ACK")
        bye = await far.expect("BYE")
        far.respond(bye, 200)
        end = await call.wait_ended()

        assert end.reason is EndReason.LOCAL_ENDED
        assert "Connected" not in names
