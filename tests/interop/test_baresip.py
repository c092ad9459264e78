"""baresip calls and is called; each side's audio is judged by its tone."""

from __future__ import annotations

import pytest
import trio

import trivox

from .far_ends.baresip import open_baresip
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.far_end("baresip"), pytest.mark.slow]

LISTEN = ("sip:127.0.0.1:0;transport=udp",)
RTP = trivox.CallSettings(media="rtp")


async def ours_plays_880(call: trivox.Call, recording: str) -> None:
    async with call:
        await call.answer()
        await call.wait_connected()
        async with call.recording(recording):
            with trio.move_on_after(3):
                await call.play(trivox.ToneSource((880.0,)))


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "opus/48000/2"])
async def test_baresip_is_called_and_both_hear_the_other_tone(run_dir, tmp_path, codec):
    recording = tmp_path / "ours.wav"
    async with open_baresip(run_dir, tone_hz=600, codecs=codec) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            async with client.dial(baresip.uri, RTP) as call:
                async with call.recording(str(recording)):
                    with trio.move_on_after(3):
                        await call.play(trivox.ToneSource((880.0,)))
            await baresip.event("CALL_CLOSED")

        assert_tone(recording, 600, from_s=1.0)
        assert_tone(baresip.heard(), 880, from_s=1.0)


async def test_baresip_calls_and_both_hear_the_other_tone(run_dir, tmp_path, nursery):
    recording = tmp_path / "ours.wav"

    async def handler(call: trivox.Call) -> None:
        await ours_plays_880(call, str(recording))

    async with open_baresip(run_dir, tone_hz=600) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            await nursery.start(client.serve, handler)
            port = trivox.sip.Uri.parse(str(client.listening_on[0])).port
            await baresip.order("dial", f"sip:echo@127.0.0.1:{port}")
            await baresip.event("CALL_ESTABLISHED")
            await baresip.event("CALL_CLOSED")
            nursery.cancel_scope.cancel()

        assert_tone(recording, 600, from_s=1.0)
        assert_tone(baresip.heard(), 880, from_s=1.0)


async def test_our_digits_reach_baresip_once_each(run_dir):
    async with open_baresip(run_dir) as baresip, trivox.open_client(listen=LISTEN) as client:
        async with client.dial(baresip.uri, RTP) as call:
            await call.send_dtmf("15#").wait()
            await trio.sleep(0.3)
        await baresip.event("CALL_CLOSED")

        starts = [e["param"] for e in baresip.events if e.get("type") == "CALL_DTMF_START"]
        assert starts == ["1", "5", "#"]


async def test_baresip_hangs_up_and_our_call_ends(run_dir):
    async with open_baresip(run_dir) as baresip, trivox.open_client(listen=LISTEN) as client:
        async with client.dial(baresip.uri, RTP) as call:
            await baresip.order("hangup")
            with trio.fail_after(5):
                end = await call.wait_ended()
        assert end.reason is trivox.EndReason.REMOTE_ENDED
