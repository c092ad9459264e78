"""The codec settings of the fake engine: checked and kept, as there is no codec."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from trivox.errors import InvalidArgumentsError
from trivox.testing.fake_core import FakeCore
from trivox.testing.fake_video import direction_of

if TYPE_CHECKING:
    from trivox.testing.fake_video import FakeVideoOf

_PCMU: Final = ("audio", "PCMU", 8_000, 1)
_BITRATES_BPS: Final = range(6_000, 510_001)
_COMPLEXITIES: Final = range(11)
_RATES_HZ: Final = range(8_000, 48_001)


class FakeCodecs(FakeCore):
    """The part of `FakeEngine` that takes codec settings."""

    _videos: dict[int, FakeVideoOf]

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
        """Refuse what the native engine refuses; nothing is encoded."""
        self._session(session)
        del fec, dtx, stereo, cbr, comfort_noise
        if (
            bitrate_bps not in _BITRATES_BPS
            or complexity not in _COMPLEXITIES
            or max_playback_rate_hz not in _RATES_HZ
        ):
            raise InvalidArgumentsError(
                "Opus has 6000-510000 bit/s, a complexity of 0-10 and a playback rate of "
                "8000-48000 Hz"
            )

    def agreed_codecs(self, session: int) -> list[tuple[str, str, int, int]]:
        """Return what the descriptions name, once there are two."""
        own = self._session(session)
        if math.isnan(own.connected):
            return []
        audio = ("audio", "opus", 48_000, 2) if own.transport == "ice" else _PCMU
        video = self._videos.get(session)
        lines = video.lines.values() if video is not None else ()
        names = video.codecs if video is not None else ()
        return [audio, *((line.kind, names[0], 90_000, 0) for line in lines if direction_of(line))]
