"""How audio is encoded, as the engine takes it."""

from __future__ import annotations

from typing import Protocol


class CodecOptions(Protocol):
    """Sessions whose codecs can be set."""

    def set_codec_options(
        self,
        session: int,
        *,
        bitrate_bps: int,
        complexity: int,
        fec: bool,
        dtx: bool,
        stereo: bool,
        cbr: bool,
        max_playback_rate_hz: int,
        comfort_noise: bool,
    ) -> None:
        """Choose how a session encodes; takes effect with the next description agreed on."""
        ...
