"""Which codecs a call speaks, and how it encodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from trivox.call.argument_rules import checked_names
from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from trivox.media.engine import MediaSessions

DEFAULT_AUDIO_CODECS: Final = ("opus", "G722", "PCMU", "PCMA")
"""Full band before wide band before narrow band."""

_KNOWN_CODECS: Final = (*DEFAULT_AUDIO_CODECS, "L16")
_BITRATES_BPS: Final = (6_000, 510_000)
_COMPLEXITIES: Final = (0, 10)
_PACKETS_MS: Final = (10, 20, 30, 40, 50, 60)
_PLAYBACK_RATES_HZ: Final = (8_000, 48_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpusSettings:
    """Choose how Opus is encoded, and what the far end is asked for (RFC 7587).

    What stands here is told to the far end as our wish for what it sends, and what the far end
    wishes is kept to: its bit rate and its bandwidth bound ours, FEC and two channels are sent only
    where it asks for them, and DTX and a constant bit rate also where only it does.

    Attributes:
        bitrate_bps: Mean bits a second, 6,000 to 510,000. 24,000 to 40,000 are good for speech.
        complexity: 0, cheapest, to 10. DTX raises it to 7, from which on libopus knows speech.
        fec: Send a copy of each frame in the next packet, as good as the loss that is reported.
        dtx: Send nothing while nothing is said; the far end plays the background it has heard.
        stereo: Two channels. trivox's audio is mono: both carry the same, and what arrives in
            stereo is mixed.
        cbr: Packets of one length (RFC 6562 says why one may want that).
        max_playback_rate_hz: The highest sample rate worth sending, 8,000 to 48,000.
    """

    bitrate_bps: int = 32_000
    complexity: int = 5
    fec: bool = True
    dtx: bool = False
    stereo: bool = False
    cbr: bool = False
    max_playback_rate_hz: int = 48_000

    def __post_init__(self) -> None:
        _check_range(self.bitrate_bps, "bitrate_bps", _BITRATES_BPS)
        _check_range(self.complexity, "complexity", _COMPLEXITIES)
        _check_range(self.max_playback_rate_hz, "max_playback_rate_hz", _PLAYBACK_RATES_HZ)

    def apply(self, sessions: MediaSessions, session: int, *, comfort_noise: bool) -> None:
        """Tell the engine, before the session's first description."""
        # As a rule the one default: then nothing is compared.
        is_known = self is DEFAULT_OPUS or self == DEFAULT_OPUS
        if is_known and not comfort_noise:
            return
        sessions.set_codec_options(
            session,
            bitrate_bps=self.bitrate_bps,
            complexity=self.complexity,
            fec=self.fec,
            dtx=self.dtx,
            stereo=self.stereo,
            cbr=self.cbr,
            max_playback_rate_hz=self.max_playback_rate_hz,
            comfort_noise=comfort_noise,
        )


def check_packet_time(seconds: float) -> None:
    """Check the seconds of audio in a packet. Raises InvalidArgumentsError."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    milliseconds = round(seconds * 1000, 6) if is_number else 0
    if milliseconds not in _PACKETS_MS:
        raise InvalidArgumentsError(
            f"packet_time is {seconds!r}; packets hold 0.01 to 0.06 s, in steps of 0.01"
        )


def checked_codecs(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the encoding names, all of them known. Raises InvalidArgumentsError."""
    codecs = checked_names(names, "audio_codecs")
    if not codecs:
        raise InvalidArgumentsError("audio_codecs names no codec")
    unknown = {name.lower() for name in codecs} - {name.lower() for name in _KNOWN_CODECS}
    if unknown:
        raise InvalidArgumentsError(
            f"audio_codecs names {', '.join(sorted(unknown))}; there are {', '.join(_KNOWN_CODECS)}"
        )
    return codecs


def _check_range(value: int, what: str, bounds: tuple[int, int]) -> None:
    least, most = bounds
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise InvalidArgumentsError(f"{what} is {value!r}; it is from {least} to {most}")


DEFAULT_OPUS: Final = OpusSettings()
"""What the engine does without being told."""
