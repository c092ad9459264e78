"""baresip calls and is called; each side's audio is judged by its tone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

import trivox

from .far_ends.baresip import open_baresip
from .tones import assert_tone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "g722/16000/1", "opus/48000/2"])
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


@pytest.mark.parametrize("codec", ["pcmu", "g722/16000/1", "opus/48000/2"])
async def test_baresip_calls_and_both_hear_the_other_tone(run_dir, tmp_path, nursery, codec):
    recording = tmp_path / "ours.wav"

    async def handler(call: trivox.Call) -> None:
        await ours_plays_880(call, str(recording))

    async with open_baresip(run_dir, tone_hz=600, codecs=codec) as baresip:
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
            with trio.fail_after(30):
                end = await call.wait_ended()
        assert end.reason is trivox.EndReason.REMOTE_ENDED


async def test_hold_and_resume_by_either_end_stop_and_start_the_sound(run_dir, tmp_path):
    async with open_baresip(run_dir, tone_hz=600) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            async with client.dial(baresip.uri, RTP) as call, trio.open_nursery() as nursery:
                nursery.start_soon(_play_on, call)
                for cycle in range(2):
                    await _record(call, tmp_path / f"before{cycle}.wav")
                    await call.hold(music=trivox.ToneSource((1300.0,)))
                    await _is_still(lambda: call.statistics().packets_received)
                    await call.hold(False)
                    await _record(call, tmp_path / f"after{cycle}.wav")

                    await baresip.order("hold")
                    with trio.fail_after(30):
                        await call.is_remotely_held.wait_value(True)
                    await _is_still(lambda: call.statistics().packets_sent)
                    await baresip.order("resume")
                    with trio.fail_after(30):
                        await call.is_remotely_held.wait_value(False)
                nursery.cancel_scope.cancel()
            await baresip.event("CALL_CLOSED")

        for cycle in range(2):
            assert_tone(tmp_path / f"before{cycle}.wav", 600, from_s=0.5, seconds=1.0)
            assert_tone(tmp_path / f"after{cycle}.wav", 600, from_s=0.5, seconds=1.0)


async def _is_still(counted: Callable[[], int]) -> None:
    """Wait until no more than a packet now and then is counted."""
    with trio.fail_after(30):
        while True:
            before = counted()
            await trio.sleep(0.7)
            if counted() - before <= 10:
                return


async def _play_on(call: trivox.Call) -> None:
    await call.play(trivox.ToneSource((880.0,)))


async def _record(call: trivox.Call, path: Path) -> None:
    async with call.recording(path, side="received"):
        await trio.sleep(2.0)
