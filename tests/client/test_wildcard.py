"""A client that listens everywhere names, to each peer, the address that peer can reach."""

from __future__ import annotations

import re

import pytest
import trio

import trivox

pytestmark = [pytest.mark.native, pytest.mark.slow]

WILDCARD = re.compile(r"0\.0\.0\.0|\[::\]|IN IP6 ::\r|IN IP4 0\.0")


@pytest.mark.parametrize("media", ["rtp", "webrtc"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "[::1]"])
async def test_a_wildcard_address_never_leaves_the_process(media, host, nursery):
    sent: list[str] = []
    heard = trio.Event()

    def trace(*record) -> None:
        sent.append(record[-1].decode("utf-8", "surrogateescape"))

    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await call.wait_ended()

    listen = ["sip:0.0.0.0:0;transport=udp", "sip:[::]:0;transport=udp"]
    async with (
        trivox.open_client(listen=listen, trace=trace) as server,
        trivox.open_client(
            listen=["sip:[::1]:0;transport=udp" if ":" in host else "sip:127.0.0.1:0;transport=udp"]
        ) as caller,
    ):
        nursery.start_soon(server.serve, handler)
        family = "[::]" if ":" in host else "0.0.0.0"
        port = next(
            trivox.sip.Uri.parse(str(uri)).port for uri in server.listening_on if family in str(uri)
        )
        settings = trivox.CallSettings(media=media)
        async with caller.dial(f"sip:any@{host}:{port}", settings) as call:
            call.add_event_listener(trivox.FirstRtpReceived, lambda _: heard.set())
            if call.statistics().packets_received == 0:
                with trio.fail_after(5):
                    await heard.wait()
        nursery.cancel_scope.cancel()

    assert sent
    assert [message for message in sent if WILDCARD.search(message)] == []
