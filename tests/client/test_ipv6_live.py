"""Calls over IPv6 on real sockets, by each transport."""

from __future__ import annotations

import pytest
import trio

from trivox import Call, CallSettings, open_client
from trivox.sip import Uri

pytestmark = [pytest.mark.native, pytest.mark.slow]

LISTEN = ("sip:[::1]:0;transport=udp",)


async def _answer(call: Call) -> None:
    async with call:
        await call.answer()
        await call.wait_ended()


@pytest.mark.parametrize("media", ["rtp", "srtp", "dtls", "webrtc"])
async def test_media_travel_between_addresses_of_ipv6(media: str) -> None:
    async with (
        open_client(listen=LISTEN) as caller,
        open_client(listen=LISTEN) as callee,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, _answer)
        port = Uri.parse(str(callee.listening_on[0])).port
        async with caller.dial(f"sip:bob@[::1]:{port}", CallSettings(media=media)) as call:
            with trio.fail_after(30):
                while call.statistics().packets_received < 20:
                    await trio.sleep(0.05)
            assert "c=IN IP6 ::1\r\n" in call._leg.local_sdp
        nursery.cancel_scope.cancel()
