"""Which codecs a program may choose, and how they are encoded."""

from __future__ import annotations

import pytest

from trivox import CallSettings, InvalidArgumentsError, OpusSettings


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
