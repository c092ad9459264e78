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

    def agreed_codecs(self, session: int) -> list[tuple[str, str, int, int]]:
        """Return kind of line, encoding name, clock rate in Hz and channels, the audio first.

        The kind is "audio", "video" or "screen"; channels of video are 0. Nothing is agreed before
        the first answer.
        """
        ...
