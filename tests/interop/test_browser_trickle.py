"""Candidates that travel apart from descriptions, between Chromium and a handler."""

from __future__ import annotations

import socket

import pytest
import trio

import trivox

from .browser_house import PATIENCE, Handler, house
from .test_browser_video import Mirror

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.far_end("chromium-jssip"),
]

FRAGMENT = "application/trickle-ice-sdpfrag"


async def test_the_pages_candidates_come_by_info(page, tmp_path):
    handler = Handler(tmp_path / "handler.wav")
    async with house(page, handler, library="jssip") as (browser, _, target):
        await browser.call("dial", target, {"trickle": True})
        await browser.status("connected")
        assert handler.call.media_state.value == "connecting"
        assert await browser.call("tellCandidates") > 0
        await browser.hears(880, PATIENCE)
        connection = handler.call.statistics().connection
        await browser.call("hangup")
        with trio.fail_after(PATIENCE):
            await handler.ended.wait()

    assert connection.ice_state == "connected"
    assert connection.refused_candidates == 0


async def test_the_page_takes_ours_from_an_info(page, tmp_path):
    handler = Handler(tmp_path / "handler.wav")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        servers = (trivox.IceServer(f"stun:127.0.0.1:{silent.getsockname()[1]}"),)
        async with house(page, handler, library="jssip", ice_servers=servers) as (
            browser,
            _,
            target,
        ):
            await browser.call("dial", target, {"trickle": True})
            await browser.status("connected")
            info = await browser.noted("info", PATIENCE)
            await browser.hears(880, PATIENCE)
            await browser.call("hangup")
            with trio.fail_after(PATIENCE):
                await handler.ended.wait()

    assert info["type"] == FRAGMENT
    assert " typ host" in info["body"]
    assert info["body"].endswith("a=end-of-candidates\r\n")


async def test_candidates_of_lines_by_themselves_come_and_go_by_info(page):
    mirror = Mirror("VP8")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        servers = (trivox.IceServer(f"stun:127.0.0.1:{silent.getsockname()[1]}"),)
        async with house(page, mirror, library="jssip", ice_servers=servers) as (
            browser,
            client,
            target,
        ):
            mirror.client = client
            await browser.call("dial", target, {"trickle": True, "video": True, "bundle": False})
            await browser.status("connected")
            assert await browser.call("tellCandidates") >= len(("audio", "video"))
            info = await browser.noted("info", PATIENCE)
            seen = await browser.until("pictures", lambda seen: seen["decoded"] >= 20, 60)
            refused = mirror.call.statistics().connection.refused_candidates
            await browser.call("hangup")

    parts = info["body"].split("m=")[1:]
    assert [part.split(" ")[0] for part in parts] == ["audio", "video"]
    assert all(" typ host" in part and "a=mid:" in part for part in parts)
    assert all(part.endswith("a=end-of-candidates\r\n") for part in parts[:1])
    assert seen["width"] >= 320
    assert refused == 0
