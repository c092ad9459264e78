"""baresip with ICE: it knows no BUNDLE, so each line has a path and a handshake of its own."""

from __future__ import annotations

import pytest
import trio
from tests.media.clips import make_clip

import trivox

from .far_ends.baresip import open_baresip
from .test_baresip import LISTEN
from .test_baresip_video import PATIENCE, mirrored_call, received_video, table_of_video

pytestmark = [pytest.mark.interop, pytest.mark.far_end("baresip"), pytest.mark.slow]

WAYS = 2
"""Paths of a call with audio and video."""


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
