"""sipp with RTP: it plays a file to us, and sends back what we say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trio

import trivox

from .far_ends.ports import free_port
from .far_ends.sipp import run_sipp
from .test_sipp import LISTEN
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.far_end("sipp"), pytest.mark.slow]

SCENARIO = Path(__file__).parent / "far_ends" / "scenarios" / "uac_stream.xml"
RATE_HZ = 8000


def mu_law(samples: np.ndarray) -> bytes:
    """Encode samples of -1 to 1 (ITU-T G.711)."""
    pcm = np.clip(np.abs(samples) * 32635, 0, 32635).astype(int) + 132
    exponent = np.floor(np.log2(pcm)).astype(int) - 7
    mantissa = (pcm >> (exponent + 3)) & 15
    sign = np.where(samples < 0, 128, 0)
    return bytes((~(sign | (exponent << 4) | mantissa) & 255).astype(np.uint8))


async def test_files_that_sipp_plays_are_heard(run_dir, tmp_path, nursery):
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    (run_dir / "tone.ulaw").write_bytes(mu_law(0.3 * np.sin(2 * np.pi * 440 * seconds)))
    recordings: list[Path] = []

    async def record(call: trivox.Call) -> None:
        path = tmp_path / f"call{len(recordings)}.wav"
        recordings.append(path)
        async with call:
            await call.answer()
            async with call.recording(str(path), side="received"):
                await call.wait_ended()

    async with trivox.open_client(listen=LISTEN) as client:
        nursery.start_soon(client.serve, record)
        port = trivox.sip.Uri.parse(str(client.listening_on[0])).port

        result = await run_sipp(
            run_dir, "-sf", str(SCENARIO), "-m", "5", "-r", "5", f"127.0.0.1:{port}"
        )
        with trio.fail_after(30):
            while client.calls:
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()

    assert (result.successful, result.failed) == (5, 0), result.errors
    assert len(recordings) == 5
    for recording in recordings:
        assert_tone(recording, 440, from_s=1.0)


async def test_what_we_say_comes_back_from_sipp(run_dir, tmp_path):
    port, media_port = free_port(), free_port()
    recording = tmp_path / "echo.wav"
    finished: list[object] = []

    async def far_end(task_status=trio.TASK_STATUS_IGNORED):
        result = await run_sipp(
            run_dir, "-sn", "uas", "-p", str(port), "-rtp_echo", "-mp", str(media_port), "-m", "1",
            task_status=task_status,
        )  # fmt: skip
        finished.append(result)

    async with trio.open_nursery() as own:
        await own.start(far_end)
        async with trivox.open_client(listen=LISTEN) as client:
            settings = trivox.CallSettings(media="rtp", audio_codecs=("PCMU",))
            async with client.dial(f"sip:service@127.0.0.1:{port}", settings) as call:
                async with call.recording(str(recording), side="received"):
                    with trio.move_on_after(3):
                        await call.play(trivox.ToneSource((880.0,)))
                received, lost = call.statistics().packets_received, call.statistics().packets_lost

    assert finished[0].successful == 1, finished[0].errors
    assert received >= 100
    assert lost == 0
    assert_tone(recording, 880, from_s=1.0)
