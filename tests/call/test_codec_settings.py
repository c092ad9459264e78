"""Which codecs a program may choose, and how they are encoded."""

from __future__ import annotations

import pytest
import trio

from trivox import CallSettings, InvalidArgumentsError, OpusSettings
from trivox.media.native_engine import driven_media

from .conftest import World


def test_codecs_are_named_in_any_case() -> None:
    settings = CallSettings(audio_codecs=("OPUS", "g722", "pcmu", "l16"))

    assert settings.audio_codecs == ("OPUS", "g722", "pcmu", "l16")


def test_full_band_is_preferred_to_wide_band_and_that_to_narrow_band() -> None:
    assert CallSettings().audio_codecs == ("opus", "G722", "PCMU", "PCMA")


def test_an_unknown_codec_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidArgumentsError, match="speex; there are opus, G722"):
        CallSettings(audio_codecs=("opus", "speex"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bitrate_bps", 5_999),
        ("bitrate_bps", 510_001),
        ("complexity", -1),
        ("complexity", 11),
        ("complexity", True),
        ("max_playback_rate_hz", 7_999),
        ("max_playback_rate_hz", 96_000),
        ("bitrate_bps", 32_000.0),
    ],
)
def test_a_figure_opus_does_not_know_is_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidArgumentsError, match=name):
        OpusSettings(**{name: value})  # type: ignore[arg-type]


def test_opus_settings_are_of_their_class() -> None:
    with pytest.raises(InvalidArgumentsError, match="opus must be of the class OpusSettings"):
        CallSettings(opus={"dtx": True})  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, 0.005, 0.025, 0.07, 20, True, "0.02", None, float("nan")])
def test_packets_hold_tens_of_milliseconds(seconds: float) -> None:
    with pytest.raises(InvalidArgumentsError, match="packet_time"):
        CallSettings(packet_time=seconds)


@pytest.mark.native
async def test_both_descriptions_ask_for_the_packet_time_of_the_settings(autojump_clock) -> None:
    world = World()
    world.media = driven_media(seed=b"packets", now=trio.current_time())

    async def handler(call) -> None:
        await call.answer(CallSettings(packet_time=0.04))
        await call.wait_ended()

    async with world.with_server(handler) as (caller, uri):
        settings = CallSettings(packet_time=0.03, audio_codecs=("PCMU",))
        async with caller.dial(uri, settings) as call:
            await trio.sleep(3)
            sent, received = call.statistics().packets_sent, call.statistics().packets_received
    world.media.close()

    assert "\r\na=ptime:30\r\n" in call._leg.local_sdp
    assert "\r\na=ptime:40\r\n" in call._leg.remote_sdp
    assert sent == pytest.approx(3 / 0.04, abs=2), "as the far end asks"
    assert received == pytest.approx(3 / 0.03, abs=2)
