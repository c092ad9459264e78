"""Descriptions that mean harm or make no sense are refused by type, and their session goes on."""

from __future__ import annotations

import pytest
import trio
from tests.media.pairs import open_side

from trivox.errors import MediaNegotiationError
from trivox.media.native_engine import driven_media

pytestmark = pytest.mark.native

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
AUDIO = "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
SECURE = "m=audio 40000 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
ICE = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\na=rtcp-mux\r\na=setup:actpass\r\n"
    "a=candidate:1 1 udp 1 192.0.2.2 40000 typ host\r\n"
)
DIGEST = ":".join(["AB"] * 32)
CANDIDATES = "".join(
    f"a=candidate:{n} 1 udp 1 192.0.2.{n % 250} {1024 + n} typ host\r\n" for n in range(129)
)
REFUSED = {
    "a browser without a fingerprint": ("ice", HEAD + SECURE + ICE),
    "a fingerprint of MD5": (
        "ice",
        HEAD + SECURE + ICE + f"a=fingerprint:md5 {':'.join(['AB'] * 16)}\r\n",
    ),
    "a fingerprint of an unknown hash": (
        "ice",
        HEAD + SECURE + ICE + f"a=fingerprint:sha-999 {DIGEST}\r\n",
    ),
    "over 32 lines": ("plain", HEAD + AUDIO * 33),
    "over 128 candidates": ("plain", HEAD + AUDIO + CANDIDATES),
    "over 64 KiB": ("plain", HEAD + AUDIO + "a=x:" + "y" * 65_536 + "\r\n"),
    "no description": ("plain", "hello"),
    "nothing we speak": ("plain", HEAD + "m=audio 40000 RTP/AVP 96\r\na=rtpmap:96 X/8000\r\n"),
    "no audio": ("plain", HEAD + "m=audio 0 RTP/AVP 0\r\n"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_hostile_description_is_refused_and_a_good_one_then_taken(autojump_clock, name):
    transport, description = REFUSED[name]
    media = driven_media(seed=b"tests", now=trio.current_time())
    side = open_side(media, transport)

    with pytest.raises(MediaNegotiationError):
        media.sessions.set_remote(side.session, description, "offer", "")

    good = HEAD + (AUDIO if transport == "plain" else SECURE + ICE)
    good += "" if transport == "plain" else f"a=fingerprint:sha-256 {DIGEST}\r\n"
    media.sessions.set_remote(side.session, good, "offer", "")
    answer = media.sessions.create_answer(side.session)
    assert "m=audio 0 " not in answer
    media.sessions.close_session(side.session)


@pytest.mark.parametrize("ptime", ["0", "-20", "121", "65535", "99999999999", "x", ""])
async def test_a_packet_length_out_of_range_is_passed_over(autojump_clock, ptime):
    media = driven_media(seed=b"tests", now=trio.current_time())
    side = open_side(media, "plain")

    offer = HEAD + AUDIO + f"a=ptime:{ptime}\r\na=maxptime:{ptime}\r\n"
    media.sessions.set_remote(side.session, offer, "offer", "")

    assert "m=audio 0 " not in media.sessions.create_answer(side.session)
    media.sessions.close_session(side.session)
