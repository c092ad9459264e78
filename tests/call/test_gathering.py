"""A call asks servers for addresses before it describes itself."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox.client.config import ClientConfig
from trivox.client.opening import open_client
from trivox.media.native_engine import driven_media
from trivox.testing import Link
from trivox.testing.far_end import SDP, FarEnd


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("stun:stun.example.org", ""),
        ("stun:[2001:db8::1]:3479", ""),
        ("turn:relay.example.org", "ann"),
        ("turn:192.0.2.1:3478?transport=udp", "ann"),
        ("turn:relay.example.org?transport=tcp", "ann"),
        ("turns:relay.example.org", "ann"),
        ("turns:[2001:db8::1]:443?transport=tcp", "ann"),
    ],
)
def test_a_server_is_named_by_its_url(url, user):
    server = trivox.IceServer(url, user, "secret" if user else "")

    assert server.is_relay is bool(user)
    assert "secret" not in repr(server)


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("turns:relay.example.org?transport=udp", "ann"),
        ("turns:relay.example.org", ""),
        ("turn:relay.example.org?transport=sctp", "ann"),
        ("turn:relay.example.org", ""),
        ("stun:stun.example.org", "ann"),
        ("stun:stun.example.org?transport=udp", ""),
        ("stun:stun.example.org:0", ""),
        ("stun:stun.example.org:70000", ""),
        ("stun:a b", ""),
        ("relay.example.org", ""),
        (None, ""),
    ],
)
def test_what_is_no_server_for_ice_is_refused(url, user):
    with pytest.raises(trivox.InvalidArgumentsError):
        trivox.IceServer(url, user)


@pytest.mark.parametrize(
    ("url", "way", "place"),
    [
        ("turn:r.example.org", "udp", "sip:r.example.org:3478;transport=udp"),
        ("turn:r.example.org?transport=tcp", "tcp", "sip:r.example.org:3478;transport=udp"),
        ("turns:r.example.org", "tls", "sip:r.example.org:5349;transport=udp"),
        ("turns:r.example.org:443?transport=tcp", "tls", "sip:r.example.org:443;transport=udp"),
    ],
)
def test_the_url_says_how_a_relay_is_reached(url, way, place):
    server = trivox.IceServer(url, "ann", "secret")

    assert (server.way, server.sip_uri, server.host) == (way, place, "r.example.org")


def test_a_lite_agent_goes_by_no_relay():
    with pytest.raises(trivox.InvalidArgumentsError, match="exclude each other"):
        trivox.CallSettings(relay_only=True, ice_lite=True)


def test_servers_come_from_plain_data_too():
    servers = [{"url": "turn:192.0.2.1", "username": "ann", "password": "secret"}]

    config = ClientConfig.from_mapping({"ice_servers": servers})

    assert config.ice_servers == (trivox.IceServer("turn:192.0.2.1", "ann", "secret"),)


def test_a_client_has_four_relays_at_most():
    relays = [trivox.IceServer(f"turn:192.0.2.{n}", "ann") for n in range(5)]

    with pytest.raises(trivox.InvalidArgumentsError, match="more than 4 relays"):
        ClientConfig(ice_servers=tuple(relays))


async def begin(**settings) -> tuple[float, str]:
    """Begin a call whose servers are silent; return how long that took, and the offer."""
    link = Link(1, delay=0.01)
    silent = (
        trivox.IceServer("stun:10.0.0.66"),
        trivox.IceServer("turn:10.0.0.66:3479", "ann", "secret"),
    )
    async with open_client(
        listen=["sip:10.0.0.1:5060;transport=udp"],
        engine=driven_media(seed=b"gathering", now=trio.current_time()),
        sockets=link.host("10.0.0.1"),
        seed=b"gathering" * 4,
        ice_servers=silent,
    ) as client:
        call = client.create_call("sip:bob@10.0.0.9:5060", trivox.CallSettings(**settings))
        before = trio.current_time()
        await call.start()
        took, offer = trio.current_time() - before, call._leg.local_sdp
        call.hangup()
    return took, offer


async def test_silent_servers_hold_a_call_up_for_five_seconds(autojump_clock, caplog):
    took, offer = await begin(media="webrtc")

    assert took == pytest.approx(5.0)
    assert "typ host" in offer
    assert "turn:10.0.0.66:3479: it does not answer in time" in caplog.text
    assert "secret" not in caplog.text


async def test_a_call_by_relays_only_fails_when_there_is_none(autojump_clock):
    with pytest.raises(trivox.CallFailedError, match="relays only"):
        await begin(media="webrtc", relay_only=True)


async def test_media_without_ice_ask_no_server(autojump_clock):
    took, offer = await begin(media="rtp")

    assert took == 0.0
    assert "candidate" not in offer


async def test_a_call_that_is_given_up_while_it_asks_sends_nothing(autojump_clock):
    with trio.move_on_after(1.0) as scope:
        await begin(media="webrtc")

    assert scope.cancelled_caught


SILENT = (trivox.IceServer("stun:10.0.0.66"),)
ICE_OFFER = (
    SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF")
    + "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=setup:actpass\r\n"
    + "a=fingerprint:sha-256 "
    + ":".join(["AA"] * 32)
    + "\r\n"
)


def far_end(world):
    """Open a client whose servers are silent, on an engine that asks them, and a far end."""
    made = world()
    made.media = driven_media(seed=b"gathering", now=trio.current_time())
    return made.with_far_end(ice_servers=SILENT)


async def test_an_offer_that_follows_a_refusal_asks_servers_too(autojump_clock, world):
    settings = trivox.CallSettings(offered_media=("rtp", "webrtc"))
    async with far_end(world) as (client, far):
        call = client.create_call(far.uri, settings)
        before = trio.current_time()
        await call.start()
        far.respond(await far.expect("INVITE"), 488)
        await far.expect("ACK")
        assert trio.current_time() - before < 1.0
        again = await far.expect("INVITE")

        assert 5.0 <= trio.current_time() - before < 6.0
        assert "typ host" in again.body.decode()
        assert again.header("CSeq") == "2 INVITE"
        call.hangup()
        far.respond(again, 487)


async def test_a_call_that_is_given_up_between_two_offers_asks_nobody(autojump_clock, world):
    settings = trivox.CallSettings(offered_media=("rtp", "webrtc"))
    async with far_end(world) as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        far.respond(await far.expect("INVITE"), 488)
        await far.expect("ACK")
        await trio.sleep(1.0)
        call.hangup()

        assert await far.silence(10)
        assert (await call.wait_ended()).reason is trivox.EndReason.LOCAL_ENDED


@pytest.mark.parametrize("media", ["webrtc", "auto"])
async def test_a_call_by_ice_without_an_offer_asks_before_its_invite(autojump_clock, world, media):
    settings = trivox.CallSettings(media=media, delayed_offer=True)
    async with far_end(world) as (client, far):
        call = client.create_call(far.uri, settings)
        before = trio.current_time()
        await call.start()
        invite = await far.expect("INVITE")
        assert 5.0 <= trio.current_time() - before < 6.0
        assert invite.body == b""
        far.respond(invite, 200, body=ICE_OFFER)
        answer = (await far.expect("ACK")).body.decode()

        assert "typ host" in answer
        assert "a=setup:active" in answer
        call.hangup()
        far.respond(await far.expect("BYE"), 200)


async def test_an_offer_without_ice_is_answered_by_a_call_that_was_ready_for_ice(
    autojump_clock, world
):
    settings = trivox.CallSettings(media="auto", delayed_offer=True)
    async with far_end(world) as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        answer = (await far.expect("ACK")).body.decode()

        assert "RTP/AVP " in answer
        assert "a=ice-ufrag" not in answer
        assert call.statistics().connection.transport == "plain"
        call.hangup()
        far.respond(await far.expect("BYE"), 200)


def two_lines() -> str:
    """An offer by ICE of a far end that does not bundle."""
    own = (
        "a=rtcp-mux\r\na=setup:actpass\r\na=ice-ufrag:{0}abcd\r\n"
        "a=ice-pwd:{0}123456789abcdef0123456\r\na=fingerprint:sha-256 " + ":".join(["AB"] * 32)
    )
    return (
        "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n"
        "m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" + own.format("1") + "\r\n"
        "m=video 4002 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n"
        + own.format("2")
        + "\r\n"
    )


@pytest.mark.native
async def test_an_answer_waits_for_the_servers_of_each_line(autojump_clock, caplog):
    link = Link(1, delay=0.01)
    async with open_client(
        listen=["sip:10.0.0.1:5060;transport=udp"],
        engine=driven_media(seed=b"gathering", now=trio.current_time()),
        sockets=link.host("10.0.0.1"),
        seed=b"gathering" * 4,
        ice_servers=(trivox.IceServer("turn:10.0.0.66:3479", "ann", "secret"),),
    ) as client:
        with FarEnd(link.host("10.0.0.9"), ("10.0.0.9", 5060), ("10.0.0.1", 5060)) as far:
            calls = client.incoming_calls()
            far.invite("sip:bob@10.0.0.1:5060", body=two_lines())
            call = await calls.__anext__()
            before = trio.current_time()
            await call.answer(trivox.CallSettings(media="webrtc", receive_video=True))

            assert trio.current_time() - before == pytest.approx(5.0)
            answer = call._leg.local_sdp
            calls.close()
            call.hangup()

    assert answer.count("a=ice-ufrag") == answer.count("typ host") == len(("audio", "video"))
    silent = "turn:10.0.0.66:3479: it does not answer in time"
    assert caplog.text.count(silent) == len(("audio", "video"))
