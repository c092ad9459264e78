"""baresip with SRTP by keys of descriptions and with DTLS-SRTP without ICE, both ways."""

from __future__ import annotations

import pytest
import trio

import trivox

from .far_ends.baresip import open_baresip
from .test_baresip import LISTEN, ours_plays_880
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.far_end("baresip"), pytest.mark.slow]

CALLED = [
    ("srtp", "srtp"),
    ("srtp-mand", "srtp"),
    ("srtp", "optional-srtp"),
    ("", "optional-srtp"),
    ("dtls_srtp", "dtls"),
]


def is_encrypted(call: trivox.Call) -> bool:
    return all("a=crypto" in sdp or "a=fingerprint" in sdp for sdp in _descriptions(call))


def _descriptions(call: trivox.Call) -> list[str]:
    bodies = [record.data.decode(errors="replace") for record in call.trace]
    return [body for body in bodies if "m=audio" in body]


@pytest.mark.parametrize(("security", "kind"), CALLED)
async def test_baresip_is_called_over_srtp(run_dir, tmp_path, security, kind):
    recording = tmp_path / "ours.wav"
    async with open_baresip(run_dir, tone_hz=600, security=security) as baresip:
        async with trivox.open_client(listen=LISTEN, keep_trace=True) as client:
            async with client.dial(baresip.uri, trivox.CallSettings(media=kind)) as call:
                async with call.recording(str(recording)):
                    with trio.move_on_after(3):
                        await call.play(trivox.ToneSource((880.0,)))
                assert is_encrypted(call) is bool(security)
            await baresip.event("CALL_CLOSED")

        assert_tone(recording, 600, from_s=1.0)
        assert_tone(baresip.heard(), 880, from_s=1.0)


@pytest.mark.parametrize("security", ["srtp", "srtp-mand", "dtls_srtp"])
async def test_baresip_calls_over_srtp(run_dir, tmp_path, nursery, security):
    recording = tmp_path / "ours.wav"
    found, seen = trio.open_memory_channel[bool](1)

    async def handler(call: trivox.Call) -> None:
        await ours_plays_880(call, str(recording))
        found.send_nowait(is_encrypted(call))

    async with open_baresip(run_dir, tone_hz=600, security=security) as baresip:
        async with trivox.open_client(listen=LISTEN, keep_trace=True) as client:
            await nursery.start(client.serve, handler)
            port = trivox.sip.Uri.parse(str(client.listening_on[0])).port
            await baresip.order("dial", f"sip:echo@127.0.0.1:{port}")
            await baresip.event("CALL_ESTABLISHED")
            await baresip.event("CALL_CLOSED")
            with trio.fail_after(30):
                assert await seen.receive()
            nursery.cancel_scope.cancel()

        assert_tone(recording, 600, from_s=1.0)
        assert_tone(baresip.heard(), 880, from_s=1.0)


@pytest.mark.parametrize(("security", "kind"), [("srtp-mand", "srtp"), ("dtls_srtp", "dtls")])
async def test_hold_and_resume_over_srtp(run_dir, tmp_path, security, kind):
    async with open_baresip(run_dir, tone_hz=600, security=security) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            async with client.dial(baresip.uri, trivox.CallSettings(media=kind)) as call:
                for cycle in range(2):
                    await call.hold()
                    await call.hold(False)
                    await baresip.order("hold")
                    with trio.fail_after(30):
                        await call.is_remotely_held.wait_value(True)
                    await baresip.order("resume")
                    with trio.fail_after(30):
                        await call.is_remotely_held.wait_value(False)
                    recording = tmp_path / f"after{cycle}.wav"
                    async with call.recording(str(recording)):
                        await trio.sleep(2)
                    assert_tone(recording, 600, from_s=0.7)
