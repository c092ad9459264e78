"""First offers of ours that do not wait for their candidates (RFC 8838, RFC 8840)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.call.test_trickle import FRAGMENT, ICE_OFFER, RELAYS, SILENT, TAKES, native

import trivox
from trivox.call.states import Trigger
from trivox.media.native_engine import driven_media
from trivox.testing.fake_engine import fake_media
from trivox.testing.far_end import SDP

ICE_ANSWER = ICE_OFFER.replace("a=setup:actpass", "a=setup:active")
PLAIN_ICE_ANSWER = ICE_ANSWER.replace("a=ice-options:trickle\r\n", "")
KNOWS = ("Supported", "trickle-ice, 100rel")
RELIABLE = (("Require", "100rel"), ("RSeq", "1"))
UNSUPPORTED = [("Unsupported", "trickle-ice")]
FULL = trivox.CallSettings(media="webrtc", trickle="full")
AUTO = trivox.CallSettings(media="webrtc")


@asynccontextmanager
async def called(world, settings=FULL, **client_settings):
    """Let us call a scripted far end whose servers say nothing for five seconds."""
    async with native(world, ice_servers=SILENT, **client_settings) as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        yield client, far, call, await far.expect("INVITE")
        call.hangup()


def required(invite) -> bool:
    return "trickle-ice" in invite.values("Require")


def to_tag(message) -> str:
    return message.key()[4]


def ufrag(message) -> str:
    return next(line for line in message.body.decode().splitlines() if "a=ice-ufrag:" in line)


async def fragment(far, *, answer: int = 200):
    info = await far.expect("INFO")
    far.respond(info, answer)
    return info


async def test_a_full_offer_does_not_wait_for_servers(autojump_clock, world):
    """RFC 8840 §4.1.1, §5.2: it says that more is to come, and requires that it be taken."""
    before = trio.current_time()
    async with called(world) as (_, _far, _call, invite):
        took = trio.current_time() - before
        body = invite.body.decode()

    assert took < 0.1
    assert required(invite)
    assert "trickle-ice" in invite.values("Supported")
    assert invite.values("Recv-Info") == ["trickle-ice"]
    assert "a=ice-options:ice2 trickle\r\n" in body
    assert "a=mid:0\r\n" in body
    assert " typ host\r\n" in body
    assert "a=end-of-candidates" not in body


@pytest.mark.parametrize("trickle", ["half", "auto"])
async def test_who_is_not_known_to_take_more_gets_all_at_once(autojump_clock, world, trickle):
    """RFC 8840 §5.3."""
    before = trio.current_time()
    settings = trivox.CallSettings(media="webrtc", trickle=trickle)
    async with called(world, settings) as (_, _far, _call, invite):
        took = trio.current_time() - before

    assert took == pytest.approx(5.0, abs=0.1)
    assert not required(invite)
    assert b"a=end-of-candidates" in invite.body


def test_a_mode_that_is_none_is_refused():
    with pytest.raises(trivox.InvalidArgumentsError, match="trickle must be one of auto, full"):
        trivox.CallSettings(trickle="quarter")


async def test_fragments_wait_for_a_dialog(autojump_clock, world):
    """RFC 8840 §4.3: none before a response made one; then all, and the end when it is known."""
    async with called(world) as (_, far, _call, invite):
        before = trio.current_time()
        far.respond(invite, 100, to_tag="")
        assert await far.silence(1.0)
        far.respond(invite, 180, to_tag="a", headers=[TAKES])
        first = await fragment(far)
        at_once = trio.current_time() - before
        last = await fragment(far)
        at_last = trio.current_time() - before

    text = first.body.decode()
    assert at_once == pytest.approx(1.02, abs=0.01)
    assert (to_tag(first), first.header("Content-Type")) == ("a", FRAGMENT)
    assert "a=ice-ufrag:" in text
    assert "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n" in text
    assert " typ host\r\n" in text
    assert "a=end-of-candidates" not in text
    assert at_last == pytest.approx(5.0, abs=0.1)
    assert last.body.endswith(b"a=end-of-candidates\r\n")


async def test_a_response_that_says_nothing_of_fragments_gets_none(autojump_clock, world):
    async with called(world) as (_, far, _call, invite):
        far.respond(invite, 180, to_tag="a", headers=[KNOWS])

        assert await far.silence(8.0)


async def test_an_answer_sent_reliably_needs_no_fragment_by_itself(autojump_clock, world):
    """RFC 8840 §4.3.1: the PRACK shows that it is here; news alone go by INFO."""
    async with called(world) as (_, far, _call, invite):
        headers = [TAKES, *RELIABLE]
        far.respond(invite, 183, to_tag="a", headers=headers, body=ICE_ANSWER)
        far.respond(await far.expect("PRACK"), 200)
        assert await far.silence(2.0)

        assert (await fragment(far)).body.endswith(b"a=end-of-candidates\r\n")


@pytest.mark.parametrize("trickle", ["half", "full"])
async def test_an_answer_by_itself_is_acknowledged_by_a_fragment(autojump_clock, world, trickle):
    """RFC 8840 §4.3.2: at once, and with the candidates the offer had."""
    settings = trivox.CallSettings(media="webrtc", trickle=trickle)
    async with called(world, settings) as (_, far, _call, invite):
        far.respond(invite, 183, to_tag="a", headers=[TAKES], body=ICE_ANSWER)
        before = trio.current_time()
        first = await fragment(far)

        assert trio.current_time() - before < 0.1
        assert (b"a=end-of-candidates" in first.body) is (trickle == "half")
        assert b" typ host\r\n" in first.body


async def test_each_branch_gets_its_own_fragments(autojump_clock, world):
    """RFC 8840 §4.3, RFC 3261 §12.1.2: a fork has a dialog for each branch; the winner goes on."""
    async with called(world) as (_, far, call, invite):
        for tag in ("a", "b"):
            far.respond(invite, 183, to_tag=tag, headers=[TAKES], body=ICE_ANSWER)
        first = [await fragment(far), await fragment(far)]
        far.respond(invite, 183, to_tag="c", headers=[KNOWS], body=PLAIN_ICE_ANSWER)
        last = [await fragment(far), await fragment(far)]
        far.respond(invite, 200, to_tag="b", headers=[TAKES, KNOWS], body=ICE_ANSWER)
        await far.expect("ACK")
        call._leg.trickling._fragment += "\r\n"
        call._leg.trickling.go_on()
        after = await fragment(far)
        assert await far.silence(0.3)

    assert [to_tag(info) for info in first] == ["a", "b"]
    assert sorted(to_tag(info) for info in last) == ["a", "b"]
    assert all(info.body.endswith(b"a=end-of-candidates\r\n") for info in last)
    assert to_tag(after) == "b"


async def test_a_branch_that_refuses_a_fragment_is_not_the_call(autojump_clock, world):
    """RFC 5057 §5.1: 481 ends the dialog of that branch alone."""
    async with called(world) as (_, far, call, invite):
        far.respond(invite, 180, to_tag="a", headers=[TAKES])
        await fragment(far, answer=481)
        far.respond(invite, 180, to_tag="b", headers=[TAKES])
        await fragment(far)

        assert to_tag(await fragment(far)) == "b"
        assert call.end is None


async def test_a_branch_that_sends_us_on_is_told_no_more(autojump_clock, world):
    """RFC 3261 §8.1.3.4: its dialogs ended with the 3xx; those of the next target have their own."""
    settings = trivox.CallSettings(media="webrtc", trickle="full", redirects=1)
    async with called(world, settings) as (_, far, _call, invite):
        far.respond(invite, 180, to_tag="a", headers=[TAKES])
        await fragment(far)
        far.respond(invite, 302, to_tag="a", headers=[("Contact", "<sip:next@10.0.0.9:5060>")])
        again = await far.expect("INVITE")
        far.respond(again, 100, to_tag="")
        assert await far.silence(5.0)
        far.respond(again, 180, to_tag="b", headers=[TAKES])

        assert to_tag(await fragment(far)) == "b"
        assert required(again)


async def test_who_takes_none_later_is_offered_all(autojump_clock, world):
    """RFC 3261 §8.1.3.5, RFC 8840 §5.3: 420, and then half trickle as soon as all is known."""
    async with called(world) as (_, far, call, invite):
        before = trio.current_time()
        far.respond(invite, 420, headers=UNSUPPORTED)
        again = await far.expect("INVITE")
        took = trio.current_time() - before
        far.respond(again, 200, to_tag="a", body=PLAIN_ICE_ANSWER)
        await far.expect("ACK")
        assert await far.silence(8.0)

    assert took == pytest.approx(5.0, abs=0.1)
    assert again.header("Call-ID") == invite.header("Call-ID")
    assert again.header("CSeq") == "2 INVITE"
    assert not required(again)
    assert b"a=end-of-candidates" in again.body
    assert call.sip_call_id == again.header("Call-ID")


async def test_a_call_given_up_before_it_offers_all_ends_at_once(autojump_clock, world):
    async with called(world) as (_, far, call, invite):
        far.respond(invite, 420, headers=UNSUPPORTED)
        await far.expect("ACK")
        call.hangup()
        before = trio.current_time()
        await call.wait_ended()

        assert trio.current_time() - before < 0.1
        assert await far.silence(8.0)


async def test_another_extension_that_is_refused_ends_the_call(autojump_clock, world):
    async with called(world) as (_, far, call, invite):
        far.respond(invite, 420, headers=[("Unsupported", "100rel")])
        await far.expect("ACK")
        await call.wait_ended()

        assert call.end.sip_code == 420


async def test_another_kind_of_media_requires_no_candidates(autojump_clock, world):
    settings = trivox.CallSettings(offered_media=("webrtc", "rtp"), trickle="full")
    async with called(world, settings) as (_, far, _call, invite):
        far.respond(invite, 488)
        again = await far.expect("INVITE")

    assert required(invite)
    assert not required(again)
    assert b"m=audio" in again.body
    assert b"a=ice-ufrag" not in again.body


async def test_a_call_that_goes_on_without_ice_needs_no_relay(autojump_clock, world):
    """What was asked of relays for the offer before is of no interest any more."""
    kinds = ("webrtc", "rtp")
    settings = trivox.CallSettings(offered_media=kinds, trickle="full", relay_only=True)
    async with native(world, ice_servers=RELAYS) as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        far.respond(await far.expect("INVITE"), 488)
        far.respond(await far.expect("INVITE"), 200, to_tag="a", body=SDP)
        await far.expect("ACK")

        assert await far.silence(8.0)
        assert call.state.value is trivox.CallState.CONNECTED
        call.hangup()


async def test_who_answers_without_taking_more_is_offered_the_rest(autojump_clock, world):
    """RFC 8838 §3: none is told by INFO; what the first offer lacked comes by a re-INVITE."""
    async with called(world) as (_, far, call, invite):
        before = trio.current_time()
        far.respond(invite, 200, to_tag="a", body=PLAIN_ICE_ANSWER)
        await far.expect("ACK")
        again = await far.expect("INVITE")
        took = trio.current_time() - before
        answer = PLAIN_ICE_ANSWER.replace("a=ice-ufrag:abcd", "a=ice-ufrag:efgh")
        far.respond(again, 200, body=answer)
        await far.expect("ACK")
        assert await far.silence(1.0)
        assert call._leg.remote_sdp == answer

    assert took == pytest.approx(5.0, abs=0.1)
    assert ufrag(invite) != ufrag(again)
    assert b"a=end-of-candidates" in again.body


@pytest.mark.parametrize("answer", [200, 403])
async def test_the_rest_waits_for_an_update_that_is_out(autojump_clock, world, answer):
    """RFC 3311 §5.1: one at a time; begun in the early dialog, it ends when it likes."""
    knows = ("Supported", "100rel, from-change")
    early = [knows, ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE"), *RELIABLE]
    async with called(world) as (_, far, call, invite), trio.open_nursery() as nursery:
        far.respond(invite, 183, to_tag="a", headers=early, body=PLAIN_ICE_ANSWER)
        far.respond(await far.expect("PRACK"), 200)
        nursery.start_soon(_renamed, call, answer)
        update = await far.expect("UPDATE")
        far.respond(invite, 200, to_tag="a", headers=[knows])
        await far.expect("ACK")
        with trio.move_on_after(8.0):
            while (message := await far.receive()).method == "UPDATE":
                pass
            pytest.fail(f"there was a {message.method} beside it")
        far.respond(update, answer)
        before = trio.current_time()
        with trio.fail_after(20):
            again = await far.expect("INVITE")
        took = trio.current_time() - before
        far.respond(again, 200, body=PLAIN_ICE_ANSWER.replace("=abcd", "=efgh"))
        await far.expect("ACK")
        assert await far.silence(1.0)

    assert took < 0.1
    assert ufrag(invite) != ufrag(again)
    assert b"a=end-of-candidates" in again.body


async def _renamed(call, answer: int) -> None:
    """Say another name, and hear whether it is taken."""
    if answer == 200:
        await call.change_identity("Carol")
        return
    with pytest.raises(trivox.StreamUpdateFailedError):
        await call.change_identity("Carol")


async def test_a_restart_takes_what_is_still_to_come_with_it(autojump_clock, world):
    """RFC 8838 §13, RFC 8839 §4.4.1.1.1: candidates that come after a restart are of the new one."""
    async with called(world) as (_, far, call, invite):
        far.respond(invite, 200, to_tag="a", headers=[TAKES, KNOWS], body=ICE_ANSWER)
        await far.expect("ACK")
        call._step(Trigger.MEDIA_UP)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.restart_ice)
            again = await far.expect("INVITE")
            answer = ICE_ANSWER.replace("a=ice-ufrag:abcd", "a=ice-ufrag:efgh")
            far.respond(again, 200, headers=[TAKES], body=answer)
        await far.expect("ACK")
        last = await fragment(far)

    old, new = (ufrag(message) for message in (invite, again))
    assert b"a=end-of-candidates" not in again.body
    assert old != new
    assert ufrag(last) == new
    assert last.body.endswith(b"a=end-of-candidates\r\n")


async def test_a_call_without_an_offer_gathers_before_it(autojump_clock, world):
    """RFC 3264 §5: who is to answer knows what there is."""
    settings = trivox.CallSettings(media="webrtc", trickle="full", delayed_offer=True)
    before = trio.current_time()
    async with called(world, settings) as (_, far, _call, invite):
        took = trio.current_time() - before
        far.respond(invite, 200, to_tag="a", headers=[TAKES], body=ICE_OFFER)
        ack = await far.expect("ACK")
        assert await far.silence(1.0)

    assert took == pytest.approx(5.0, abs=0.1)
    assert not required(invite)
    assert b"a=end-of-candidates" in ack.body


async def test_without_an_address_to_begin_with_there_is_none_in_the_offer(autojump_clock, world):
    """RFC 8840 §4.1.1: port 9 of the unspecified address, and no rtcp; none at all ends the call."""
    settings = trivox.CallSettings(media="webrtc", trickle="full", relay_only=True)
    before = trio.current_time()
    async with native(world, ice_servers=RELAYS) as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        invite = await far.expect("INVITE")
        took = trio.current_time() - before
        far.respond(invite, 180, to_tag="a", headers=[TAKES])
        first = await fragment(far)
        far.respond(await far.expect("CANCEL"), 200)
        far.respond(invite, 487, to_tag="a")
        await call.wait_ended()

    body = invite.body.decode()
    assert took < 0.1
    assert "c=IN IP4 0.0.0.0\r\n" in body
    assert "m=audio 9 UDP/TLS/RTP/SAVPF " in body
    assert "a=candidate:" not in body
    assert "a=rtcp:" not in body
    assert b"a=candidate:" not in first.body
    assert "relays only" in call.end.sip_reason


async def connected_after(world, trickle: str) -> tuple[float, float]:
    """Return when a callee of ours rings and when the call is up, its caller's servers being slow."""
    made = world()
    made.media, made.engine = fake_media(now=trio.current_time(), gathering=1.0)
    rang: list[float] = []

    async def handler(call) -> None:
        rang.append(trio.current_time())
        await call.answer()
        await call.wait_ended()

    async with (
        made.client(ice_servers=SILENT) as caller,
        made.client("10.0.0.2") as callee,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, handler)
        begun = trio.current_time()
        settings = trivox.CallSettings(media="webrtc", trickle=trickle)
        async with caller.dial("sip:bob@10.0.0.2:5060", settings):
            up = trio.current_time()
        nursery.cancel_scope.cancel()
    return rang[0] - begun, up - begun


async def test_a_call_is_set_up_by_what_its_servers_take_earlier(autojump_clock, world):
    """A server that answers after a second: the callee rings, and the call is up, a second earlier."""
    half = await connected_after(world, "half")
    full = await connected_after(world, "full")

    assert half[0] - full[0] == pytest.approx(1.0, abs=0.001)
    assert half[1] - full[1] == pytest.approx(1.0, abs=0.001)
    assert full[1] < 0.1


async def test_the_second_call_of_two_programs_trickles(autojump_clock, world):
    """RFC 8840 §5: what the first call has learned; media run by addresses of this machine at once."""
    made, took = world(), []
    made.media = driven_media(seed=b"twice", now=trio.current_time())

    async def handler(call) -> None:
        await call.answer()
        await call.wait_ended()

    async with (
        made.client(ice_servers=SILENT) as caller,
        made.client("10.0.0.2") as callee,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, handler)
        for _ in range(2):
            begun = trio.current_time()
            async with caller.dial("sip:bob@10.0.0.2:5060", AUTO) as call:
                took.append(trio.current_time() - begun)
                assert call.media_state.value == "connected"
        nursery.cancel_scope.cancel()

    assert 5.0 < took[0] < 6.0
    assert took[1] < 1.0
