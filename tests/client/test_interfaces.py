"""A browser's call to a machine with several addresses: each of them is offered, and each works."""

from __future__ import annotations

import re

import pytest
import trio

import trivox
from trivox.net.interfaces import local_hosts

pytestmark = [pytest.mark.native, pytest.mark.slow]

OUTSIDE = [host for host in local_hosts() if host not in ("127.0.0.1", "::1")]
CANDIDATE = re.compile(r"a=candidate:\S+ 1 \S+ \d+ (\S+) \d+ typ host")


async def answering(call):
    await call.answer()
    await call.wait_ended()


async def connected_call(listen, host, nursery):
    """Return the candidates of both ends of a call with sound to `host`."""
    heard = trio.Event()
    async with (
        trivox.open_client(listen=listen) as server,
        trivox.open_client(listen=listen) as caller,
    ):
        nursery.start_soon(server.serve, answering)
        await trio.testing.wait_all_tasks_blocked()
        place = 1 if ":" in host and len(listen) > 1 else 0
        port = trivox.sip.Uri.parse(server.listening_on[place]).port
        bracketed = f"[{host}]" if ":" in host else host
        settings = trivox.CallSettings(media="webrtc")
        async with caller.dial(f"sip:any@{bracketed}:{port}", settings) as call:
            call.on(trivox.FirstRtpReceived, lambda _: heard.set())
            if call.statistics().packets_received == 0:
                with trio.fail_after(10):
                    await heard.wait()
            leg = call._leg
            found = [CANDIDATE.findall(sdp) for sdp in (leg.local_sdp, leg.remote_sdp)]
        nursery.cancel_scope.cancel()
    return found


@pytest.mark.skipif(not OUTSIDE, reason="this machine has no address but loopback")
@pytest.mark.parametrize("host", OUTSIDE)
async def test_with_a_wildcard_every_address_is_a_candidate(host, nursery):
    listen = ["sip:0.0.0.0:0;transport=udp", "sip:[::]:0;transport=udp"]

    for own in await connected_call(listen, host, nursery):
        assert own[0] == host
        assert set(own) == set(OUTSIDE)


async def test_loopback_is_a_candidate_for_loopback_only(nursery):
    listen = ["sip:0.0.0.0:0;transport=udp"]

    assert await connected_call(listen, "127.0.0.1", nursery) == [["127.0.0.1"], ["127.0.0.1"]]


@pytest.mark.skipif(not OUTSIDE, reason="this machine has no address but loopback")
async def test_an_address_that_was_named_is_the_only_candidate(nursery):
    host = OUTSIDE[0]
    bracketed = f"[{host}]" if ":" in host else host

    found = await connected_call([f"sip:{bracketed}:0;transport=udp"], host, nursery)

    assert found == [[host], [host]]
