"""Calls by way of coturn, between a handler and Chromium; neither tells the other an address."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from tests.net.certificates import Authority

import trivox

from .browser_house import PATIENCE, Handler, house, uri_of
from .far_ends.coturn import PASSWORD, USER, open_coturn
from .test_browser_video import Mirror
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.far_end("coturn")]


RELAYED = trivox.CallSettings(media="webrtc", relay_only=True)


def server(port: int, password: str = PASSWORD) -> tuple[trivox.IceServer, ...]:
    """Return the relay as a client is told of it."""
    return (trivox.IceServer(f"turn:127.0.0.1:{port}", USER, password),)


def addresses_in(sdp: str) -> list[str]:
    """Return the kinds of the candidates of a description."""
    lines = [line for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return [line.split(" typ ")[1].split()[0] for line in lines]


async def test_both_sides_by_relays_only_hear_each_other(page, run_dir, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    handler = Handler(tmp_path / "handler.wav", seconds=60, settings=RELAYED)
    async with open_coturn(run_dir) as coturn:
        relay = {"port": coturn.port, "username": USER, "credential": PASSWORD}
        async with house(
            page, handler, ice_servers=server(coturn.port), library="jssip", relay=relay
        ) as (browser, _, target):
            await browser.call("dial", target)
            await browser.hears(880, PATIENCE)
            with trio.fail_after(PATIENCE):
                while handler.call.statistics().packets_received < 200:
                    await trio.sleep(0.1)
            answer, offer = handler.call._leg.local_sdp, handler.call._leg.remote_sdp
            await browser.call("hangup")
            with trio.fail_after(PATIENCE):
                await handler.ended.wait()
        said = coturn.said

    assert addresses_in(answer) == ["relay"]
    assert set(addresses_in(offer)) == {"relay"}
    assert "raddr 0.0.0.0 rport 0" in answer
    assert "CHANNEL_BIND" in said
    assert PASSWORD not in caplog.text
    assert_tone(tmp_path / "handler.wav", 440, from_s=1, seconds=2)


async def test_an_offer_without_any_address_reaches_a_browser(page, run_dir, tmp_path):
    """RFC 8840: all the browser learns of us is in fragments that follow the offer."""
    settings = trivox.CallSettings(media="webrtc", relay_only=True, trickle="full")
    async with (
        open_coturn(run_dir) as coturn,
        house(page, None, ice_servers=server(coturn.port), library="jssip", trickle=True) as (
            browser,
            client,
            own,
        ),
    ):
        call = client.create_call(uri_of("alice", own), settings)
        await call.start()
        offer = call._leg.local_sdp
        with trio.fail_after(PATIENCE):
            async with call, call.recording(str(tmp_path / "caller.wav")):
                await call.wait_connected()
                while call.statistics().packets_received < 150:
                    await trio.sleep(0.1)
        info = await browser.noted("info", PATIENCE)

    assert addresses_in(offer) == []
    assert "c=IN IP4 0.0.0.0\r\n" in offer
    assert " typ relay " in info["body"]
    assert_tone(tmp_path / "caller.wav", 440, from_s=1, seconds=1)


async def test_lines_by_themselves_go_by_relays_of_their_own(page, run_dir):
    mirror = Mirror("VP8")
    mirror.settings = replace(mirror.settings, media="webrtc", relay_only=True)
    async with open_coturn(run_dir) as coturn:
        relay = {"port": coturn.port, "username": USER, "credential": PASSWORD}
        async with house(
            page, mirror, ice_servers=server(coturn.port), library="jssip", relay=relay
        ) as (browser, client, target):
            mirror.client = client
            await browser.call("dial", target, {"video": True, "bundle": False})
            await browser.until("pictures", lambda seen: seen["decoded"] >= 20, 60)
            answer, offer = mirror.call._leg.local_sdp, mirror.call._leg.remote_sdp
            await browser.call("hangup")

    assert answer.count("a=ice-ufrag") == len(("audio", "video"))
    assert addresses_in(answer) == ["relay", "relay"]
    assert set(addresses_in(offer)) == {"relay"}
    assert len(mirror.frames) >= 10


async def test_a_caller_by_relays_reaches_a_browser_that_is_not(page, run_dir, tmp_path):
    async with (
        open_coturn(run_dir, stale_nonce=60) as coturn,
        house(page, None, ice_servers=server(coturn.port), library="jssip") as (_, client, own),
        client.dial(uri_of("alice", own), RELAYED) as call,
    ):
        with trio.fail_after(PATIENCE):
            async with call.recording(str(tmp_path / "caller.wav")):
                while call.statistics().packets_received < 150:
                    await trio.sleep(0.1)
        offer = call._leg.local_sdp

    assert addresses_in(offer) == ["relay"]
    assert_tone(tmp_path / "caller.wav", 440, from_s=1, seconds=1)


async def test_a_relay_that_dies_is_replaced_by_another(page, run_dir, tmp_path):
    handler = Handler(tmp_path / "handler.wav", seconds=300, settings=RELAYED)
    (run_dir / "second").mkdir()
    async with open_coturn(run_dir) as first, open_coturn(run_dir / "second") as second:
        servers = (*server(first.port), *server(second.port))
        async with house(page, handler, ice_servers=servers, library="jssip") as (
            browser,
            _,
            target,
        ):
            await browser.call("dial", target)
            await browser.hears(880, PATIENCE)
            used = [coturn for coturn in (first, second) if "CHANNEL_BIND" in coturn.said]
            used[0].process.kill()
            with trio.fail_after(2 * PATIENCE):
                # Chromium may go over to the other relay before the path counts as lost.
                dead = handler.call.statistics().connection.local_address
                while handler.call.statistics().connection.local_address in ("", dead):
                    await trio.sleep(0.1)
                before = handler.call.statistics().packets_received
                while handler.call.statistics().packets_received < before + 100:
                    await trio.sleep(0.1)
            await browser.hears(880, PATIENCE)
            await browser.call("hangup")
            with trio.fail_after(PATIENCE):
                await handler.ended.wait()

    assert len(used) == 1
    assert handler.end is not None
    assert handler.end.reason is trivox.EndReason.REMOTE_ENDED


@asynccontextmanager
async def pair_by_relays(servers, tls=None):
    """Open a call between two clients that have nothing but relays. Yields it."""

    async def handler(call: trivox.Call) -> None:
        await call.answer(RELAYED)
        await call.play(trivox.ToneSource((440.0,), duration=120.0))

    listen = ["sip:127.0.0.1:0;transport=udp"]
    async with (
        trivox.open_client(listen=listen, ice_servers=servers, tls=tls) as callee,
        trivox.open_client(listen=listen, ice_servers=servers, tls=tls) as caller,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, handler)
        with trio.fail_after(PATIENCE):
            async with caller.dial(callee.listening_on[0], RELAYED) as call:
                yield call
        nursery.cancel_scope.cancel()


async def hear(call, path) -> None:
    """Record what comes until it has been three seconds."""
    async with call.recording(str(path)):
        while call.statistics().packets_received < 150:
            await trio.sleep(0.1)


@pytest.mark.parametrize("way", ["tcp", "tls"])
async def test_calls_go_by_relays_over_streams(run_dir, tmp_path, way, caplog):
    authority = Authority(tmp_path / "certificates")
    certificate = authority.issue("relay", "127.0.0.1")
    tls = trivox.TlsConfig(ca=authority.root)
    async with open_coturn(run_dir, certificate=certificate) as coturn:
        url = {
            "tcp": f"turn:127.0.0.1:{coturn.port}?transport=tcp",
            "tls": f"turns:127.0.0.1:{coturn.tls_port}",
        }[way]
        servers = (trivox.IceServer(url, USER, PASSWORD),)
        async with pair_by_relays(servers, tls) as call:
            await hear(call, tmp_path / "caller.wav")
            offer = call._leg.local_sdp
        said = coturn.said

    assert addresses_in(offer) == ["relay"]
    assert "CHANNEL_BIND" in said
    assert PASSWORD not in caplog.text
    assert_tone(tmp_path / "caller.wav", 440, from_s=1, seconds=1)


async def test_a_relay_that_cannot_prove_its_name_is_told_nothing(run_dir, tmp_path, caplog):
    other = Authority(tmp_path / "other")
    certificate = Authority(tmp_path / "certificates").issue("relay", "127.0.0.1")
    async with (
        open_coturn(run_dir, certificate=certificate) as coturn,
        trivox.open_client(
            listen=["sip:127.0.0.1:0;transport=udp"],
            ice_servers=(trivox.IceServer(f"turns:127.0.0.1:{coturn.tls_port}", USER, PASSWORD),),
            tls=trivox.TlsConfig(ca=other.root),
        ) as client,
    ):
        with trio.fail_after(PATIENCE), pytest.raises(trivox.CallFailedError, match="relays only"):
            await client.create_call("sip:nobody@127.0.0.1:9", RELAYED).start()
        said = coturn.said

    assert "certificate" in caplog.text
    assert USER not in said


async def test_a_relay_that_sends_us_to_another_is_followed(run_dir, tmp_path):
    (run_dir / "second").mkdir()
    async with (
        open_coturn(run_dir / "second") as second,
        open_coturn(run_dir, alternate=second.port) as first,
        pair_by_relays(server(first.port)) as call,
    ):
        await hear(call, tmp_path / "caller.wav")
        said = second.said

    assert "CHANNEL_BIND" in said
    assert_tone(tmp_path / "caller.wav", 440, from_s=1, seconds=1)


async def test_a_wrong_password_fails_the_call_with_a_sentence(run_dir):
    async with (
        open_coturn(run_dir) as coturn,
        trivox.open_client(
            listen=["sip:127.0.0.1:0;transport=udp"], ice_servers=server(coturn.port, "wrong")
        ) as client,
    ):
        with trio.fail_after(PATIENCE), pytest.raises(trivox.CallFailedError, match="relays only"):
            await client.create_call("sip:nobody@127.0.0.1:9", RELAYED).start()
