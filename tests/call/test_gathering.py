"""A call asks servers for addresses before it describes itself."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox.client.config import ClientConfig
from trivox.client.opening import open_client
from trivox.media.native_engine import driven_media
from trivox.testing import Link


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("stun:stun.example.org", ""),
        ("stun:[2001:db8::1]:3479", ""),
        ("turn:relay.example.org", "ann"),
        ("turn:192.0.2.1:3478?transport=udp", "ann"),
    ],
)
def test_a_server_is_named_by_its_url(url, user):
    server = trivox.IceServer(url, user, "secret" if user else "")

    assert server.is_relay is bool(user)
    assert "secret" not in repr(server)


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("turn:relay.example.org?transport=tcp", "ann"),
        ("turns:relay.example.org", "ann"),
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
