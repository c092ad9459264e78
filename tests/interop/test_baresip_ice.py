"""baresip with ICE: it knows no BUNDLE, so each line has a path and a handshake of its own."""

from __future__ import annotations

import re

import pytest
import trio
from tests.media.clips import make_clip

import trivox

from .far_ends.baresip import Baresip, open_baresip
from .test_baresip import LISTEN
from .test_baresip_video import PATIENCE, mirrored_call, received_video, table_of_video

pytestmark = [pytest.mark.interop, pytest.mark.far_end("baresip"), pytest.mark.slow]

WAYS = 2
"""Paths of a call with audio and video."""
APART = re.compile(r"^a=candidate:\S+ 2 ", re.MULTILINE)
"""Candidates of RTCP's own component."""


async def timed(call: trivox.Call) -> trivox.StatisticsReport:
    """Wait until it has reported on a report of ours; return our statistics."""
    with trio.fail_after(PATIENCE):
        while not call.statistics().round_trip:
            await trio.sleep(0.1)
    return call.statistics()


async def packets_we_reported(baresip: Baresip) -> int:
    """Return how many packets our last sender report told it of, by the table it prints last."""
    with trio.fail_after(PATIENCE):
        while "pkt.report" not in baresip.log():
            await trio.sleep(0.05)
    table = re.search(r"^pkt\.report: +\d+ +(\d+)", baresip.log(), re.MULTILINE)
    assert table is not None, baresip.log()[-2000:]
    return int(table[1])


async def test_baresip_calls_by_ice_with_video_and_gets_it_back(run_dir, nursery):
    async with open_baresip(run_dir, security="dtls_srtp", video="vp8", ice=True) as baresip:
        _, statistics, answer = await mirrored_call(baresip, nursery, "VP8")

        assert statistics.connection.transport == "ice"
        assert statistics.packets_received > 50
        assert "BUNDLE" not in answer
        assert answer.count("a=ice-ufrag") == WAYS
        assert received_video(baresip.log()) >= 30


async def test_baresip_is_called_by_ice_with_video(run_dir, tmp_path):
    clip = make_clip(tmp_path / "clip.ivf", "VP8", count=150)
    async with open_baresip(run_dir, security="dtls_srtp", video="vp8", ice=True) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            source = trivox.VideoFileSource(clip)
            settings = trivox.CallSettings(
                media="webrtc",
                streams=(client.streams.create_video_stream(source),),
                receive_video=True,
                preferred_video_codec="VP8",
            )
            async with client.dial(baresip.uri, settings) as call:
                with trio.fail_after(PATIENCE):
                    while not any(
                        one.kind == "video" and one.direction == "received" and one.packets > 50
                        for one in call.statistics().streams
                    ):
                        await trio.sleep(0.05)
                statistics = call.statistics()
                offer, answer = call._leg.local_sdp, call._leg.remote_sdp
            await baresip.event("CALL_CLOSED")
        await table_of_video(baresip)

        assert "BUNDLE" in offer
        assert "BUNDLE" not in answer
        assert offer.count("a=ice-ufrag") == answer.count("a=candidate") == WAYS
        assert statistics.packets_received > 50
        assert received_video(baresip.log()) >= 30


async def test_baresip_calls_by_ice_with_rtcp_on_a_component_of_its_own(run_dir, nursery):
    async def handler(call: trivox.Call) -> None:
        async with call, call.cancel_on_end():
            await call.answer()
            await call.play(trivox.ToneSource((880.0,)))

    async with open_baresip(run_dir, security="dtls_srtp", ice=True, rtcp_mux=False) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            await nursery.start(client.serve, handler)
            port = trivox.sip.Uri.parse(str(client.listening_on[0])).port
            await baresip.order("dial", f"sip:echo@127.0.0.1:{port}")
            await baresip.event("CALL_ESTABLISHED")
            call = next(iter(client.calls.values()))
            statistics = await timed(call)
            offer, answer = call._leg.remote_sdp, call._leg.local_sdp
            await baresip.order("hangup")
            await baresip.event("CALL_CLOSED")
            nursery.cancel_scope.cancel()

        assert "rtcp-mux" not in offer + answer
        assert APART.search(offer)
        assert APART.search(answer)
        assert "DTLS-SRTP complete (audio/RTCP)" in baresip.log()
        assert statistics.round_trip
        assert statistics.packets_received > 50
        assert await packets_we_reported(baresip) > 50


@pytest.mark.parametrize("rtcp_mux", [False, True])
async def test_baresip_is_called_by_ice_and_chooses_where_rtcp_goes(run_dir, rtcp_mux):
    settings = trivox.CallSettings(media="webrtc", rtcp_mux="negotiate")
    security = "dtls_srtp"
    async with open_baresip(run_dir, security=security, ice=True, rtcp_mux=rtcp_mux) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            async with client.dial(baresip.uri, settings) as call, trio.open_nursery() as nursery:
                nursery.start_soon(call.play, trivox.ToneSource((880.0,)))
                statistics = await timed(call)
                offer, answer = call._leg.local_sdp, call._leg.remote_sdp
                nursery.cancel_scope.cancel()
            await baresip.event("CALL_CLOSED")

        assert APART.search(offer)
        assert ("a=rtcp-mux" in answer) is rtcp_mux
        assert ("DTLS-SRTP complete (audio/RTCP)" in baresip.log()) is not rtcp_mux
        assert statistics.round_trip
        assert statistics.packets_received > 50
        assert await packets_we_reported(baresip) > 50
