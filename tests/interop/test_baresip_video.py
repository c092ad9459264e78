"""baresip sends us a test picture, and we send it back; over bare RTP and under keys."""

from __future__ import annotations

import re

import pytest
import trio

import trivox

from .far_ends.baresip import Baresip, open_baresip
from .test_baresip import LISTEN

pytestmark = [pytest.mark.interop, pytest.mark.far_end("baresip"), pytest.mark.slow]

PATIENCE = 30
WAYS = [
    ("vp8", "", "plain"),
    ("vp9", "", "plain"),
    ("vp8", "srtp-mand", "sdes"),
    ("vp8", "dtls_srtp", "dtls"),
]


class Mirror:
    """Takes video, and sends the far end's own pictures back to it once they come."""

    def __init__(self, client: trivox.Client, codec: str) -> None:
        self.client = client
        self.settings = trivox.CallSettings(receive_video=True, preferred_video_codec=codec)
        self.codec = ""
        self.frames: list[trivox.EncodedFrame] = []

    async def __call__(self, call: trivox.Call) -> None:
        async with call, call.cancel_on_end():
            added = call.events(trivox.RemoteMediaAdded)
            await call.answer(self.settings)
            async for event in added:
                if event.stream.type is trivox.StreamType.VIDEO:
                    break
            self.codec = event.stream.codec.value.name
            with event.stream.encoded_frames() as frames:
                async for frame in frames:
                    if not self.frames:
                        source = event.stream.as_source()
                        await call.add_stream(self.client.streams.create_video_stream(source))
                    self.frames.append(frame)


def received_video(log: str) -> int:
    """Return the packets of video that it has received, by the table it prints at the end."""
    table = re.search(r"^video .*\npackets: +(\d+) +(\d+)", log, re.MULTILINE)
    assert table is not None, log[-2000:]
    return int(table[2])


async def table_of_video(baresip: Baresip) -> None:
    """Wait until it has printed what it received."""
    with trio.fail_after(PATIENCE):
        while "pkt.report" not in baresip.log().partition("\nvideo ")[2]:
            await trio.sleep(0.05)


async def mirrored_call(
    baresip: Baresip, nursery: trio.Nursery, codec: str
) -> tuple[Mirror, trivox.StatisticsReport, str]:
    """Have it call and see its own pictures; return the call's statistics and our answer too."""
    async with trivox.open_client(listen=LISTEN) as client:
        mirror = Mirror(client, codec)
        await nursery.start(client.serve, mirror)
        port = trivox.sip.Uri.parse(str(client.listening_on[0])).port
        await baresip.order("dial", f"sip:echo@127.0.0.1:{port}")
        await baresip.event("CALL_ESTABLISHED")
        with trio.fail_after(PATIENCE):
            while len(mirror.frames) < 60:
                await trio.sleep(0.05)
            call = next(iter(client.calls.values()))
        statistics, answer = call.statistics(), call._leg.local_sdp
        await baresip.order("hangup")
        await baresip.event("CALL_CLOSED")
        nursery.cancel_scope.cancel()
    await table_of_video(baresip)
    return mirror, statistics, answer


@pytest.mark.parametrize(("codec", "security", "transport"), WAYS)
async def test_baresip_calls_with_video_and_gets_it_back(
    run_dir, nursery, codec, security, transport
):
    async with open_baresip(run_dir, security=security, video=codec) as baresip:
        mirror, statistics, _ = await mirrored_call(baresip, nursery, codec.upper())

        connection = statistics.connection
        assert connection.transport == transport
        if transport == "dtls":
            assert "DTLS-SRTP complete (audio/RTP)" in baresip.log()
            assert "DTLS-SRTP complete (video/RTP)" in baresip.log()
            assert connection.dtls_state == "connected"
        assert mirror.codec == codec.upper()
        assert mirror.frames[0].is_key
        assert received_video(baresip.log()) >= 30
