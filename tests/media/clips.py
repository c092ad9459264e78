"""Real video files, made by a codec library nobody here wrote, and what is decoded of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import av
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

ENCODERS: Final = {"VP8": "libvpx", "VP9": "libvpx-vp9", "H264": "libx264", "AV1": "libsvtav1"}
FORMATS: Final = {"VP8": "ivf", "VP9": "ivf", "H264": "h264", "AV1": "ivf"}
_OPTIONS: Final = {
    "VP8": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "VP9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "H264": {"preset": "ultrafast", "tune": "zerolatency"},
    "AV1": {"preset": "12", "svtav1-params": "pred-struct=1:lookahead=0"},
}


def shade(number: int) -> int:
    """How bright a picture is that has this number."""
    return 20 + 8 * (number % 26)


def make_clip(
    path: Path,
    codec: str,
    *,
    size: tuple[int, int] = (160, 96),
    count: int = 50,
    rate: int = 25,
    key_every: int = 25,
    first: int = 0,
) -> Path:
    """Write a file of pictures that are all of one shade, by their number."""
    with av.open(str(path), "w", format=FORMATS[codec]) as file:
        stream = file.add_stream(ENCODERS[codec], rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt, stream.gop_size = "yuv420p", key_every
        stream.options = _OPTIONS[codec] | {"g": str(key_every), "keyint_min": str(key_every)}
        for number in range(first, first + count):
            picture = np.full((size[1], size[0]), shade(number), dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray8")))
        file.mux(stream.encode())
    return path


def make_sound(path: Path, codec: str, hz: float, seconds: float, rate: int = 16_000) -> Path:
    """Write a file of one tone, mono, at half of full scale; its kind goes by its name."""
    moments = np.arange(round(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * hz * moments) * 16_000).astype(np.int16)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def encoded_frames(path: Path) -> list[bytes]:
    """Return the frames of a file as they were encoded."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.size]


@dataclass(frozen=True)
class Decoded:
    """What a player makes of a file: each picture's time, size and shade, and the sound's length."""

    codec: str
    times: list[float]
    sizes: list[tuple[int, int]]
    shades: list[int]
    sound: float
    length: float


def decode(path: Path) -> Decoded:
    """Decode a file to its end. Raises av.FFmpegError where it is damaged."""
    times, sizes, shades, sound = [], [], [], 0.0
    with av.open(str(path)) as file:
        streams = [*file.streams.video, *file.streams.audio]
        for frame in file.decode(*streams):
            if isinstance(frame, av.VideoFrame):
                times.append(float(frame.time))
                sizes.append((frame.width, frame.height))
                shades.append(round(float(frame.to_ndarray(format="gray8").mean())))
            else:
                sound += frame.samples / frame.sample_rate
        codec = file.streams.video[0].codec_context.name if file.streams.video else ""
        length = (file.duration or 0) / 1_000_000
    return Decoded(codec, times, sizes, shades, sound, length)
