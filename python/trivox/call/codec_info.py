"""Which codecs a call has agreed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivox.errors import EngineError

if TYPE_CHECKING:
    from trivox.call.media_leg import MediaLeg


@dataclass(frozen=True, slots=True)
class CodecInfo:
    """A codec as `a=rtpmap` names it (RFC 8866 §6.6).

    Attributes:
        name: Encoding name: "opus", "PCMU", "VP8", …
        clock_rate: Clock of its RTP timestamps, Hz; not always the sampling rate.
        channels: Channels of sound; 0 for video.
    """

    name: str
    clock_rate: int
    channels: int = 0


def codecs_of(leg: MediaLeg) -> tuple[CodecInfo, ...]:
    """Return the codec of each line agreed on, the audio's first; () without media."""
    return tuple(codec for _, codec in _agreed(leg))


def audio_codec_of(leg: MediaLeg) -> CodecInfo | None:
    """Return the codec agreed on for the sound, or None."""
    return next((codec for kind, codec in _agreed(leg) if kind == "audio"), None)


def video_codec(name: str) -> CodecInfo:
    """Return a codec of video: all have the same clock (RFC 3551 §5)."""
    return CodecInfo(name, 90_000)


def _agreed(leg: MediaLeg) -> list[tuple[str, CodecInfo]]:
    if not leg.is_open:
        return []
    try:
        agreed = leg.sessions.agreed_codecs(leg.session)
    except EngineError:  # the session has just ended
        return []
    return [(kind, CodecInfo(name, rate, channels)) for kind, name, rate, channels in agreed]
