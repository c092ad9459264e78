"""What the media of a call with Chromium travel by: ciphers, addresses, candidates."""

from __future__ import annotations

import pytest
import trio

import trivox

from .browser_house import house, uri_of

pytestmark = [
    pytest.mark.interop,
    pytest.mark.far_end("chromium-jssip"),
    pytest.mark.slow,
]


async def test_media_of_our_calls_are_under_aes_gcm(page):
    async with house(page, None) as (browser, client, own):
        settings = trivox.CallSettings(media="webrtc")
        async with client.dial(uri_of("alice", own), settings) as call:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call.play, trivox.ToneSource((880.0,)))
                await browser.hears(880)
                # The page answers as DTLS client and names AES in counter mode first.
                path = await browser.call("path")
                nursery.cancel_scope.cancel()
            refused = call.statistics().connection.refused_srtp

    assert path["cipher"] == "SRTP_AEAD_AES_128_GCM"
    assert refused == 0
