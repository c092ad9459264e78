"""Decoding by PyAV; imported only where the extra `video` is installed and pictures are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import av
from av.codec.context import Flags, ThreadType

from trivox.media.pictures import VideoFrame

if TYPE_CHECKING:
    from trivox.media.pictures import PictureFormat
    from trivox.media.video import EncodedFrame

_FORMATS: Final = {"i420": "yuv420p", "nv12": "nv12", "rgb24": "rgb24", "bgr24": "bgr24"}
_DECODERS: Final = {"VP8": "vp8", "VP9": "vp9", "H264": "h264", "AV1": "libdav1d"}
_MICROSECONDS: Final = 1_000_000
_MOST_PIXELS: Final = 8192 * 8192
"""A larger picture counts as damaged: a far end names any size in 16 bits."""


@final
class PyAvDecoder:
    """Decodes one stream, a picture as soon as its frame is there."""

    def __init__(self, codec: str, format: PictureFormat) -> None:  # noqa: A002 (as others call it)
        context = av.CodecContext.create(_DECODERS[codec], "r")
        assert isinstance(context, av.VideoCodecContext), "it decodes video"
        # Threads of the library's own would hold pictures back; one worker does one stream.
        context.thread_type, context.thread_count = ThreadType.NONE, 1
        context.flags |= Flags.low_delay
        context.options = {"max_pixels": str(_MOST_PIXELS)}
        self._context: Final = context
        self._format: Final[PictureFormat] = format

    def decode(self, frame: EncodedFrame) -> list[VideoFrame]:
        """Return the pictures that are whole with a frame. Raises ValueError for a damaged one."""
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = round(frame.pts * _MICROSECONDS)
        try:
            decoded = self._context.decode(packet)
            return [self._picture(one, frame) for one in decoded]
        except av.FFmpegError as error:
            raise ValueError(
                f"the frame at {frame.pts:.3f} s cannot be decoded: {error}"
            ) from error

    def _picture(self, decoded: av.VideoFrame, frame: EncodedFrame) -> VideoFrame:
        pts = frame.pts if decoded.pts is None else decoded.pts / _MICROSECONDS
        made = decoded.reformat(format=_FORMATS[self._format])
        data = b"".join(_rows(plane, made, place) for place, plane in enumerate(made.planes))
        return VideoFrame(self._format, made.width, made.height, pts, data, frame.rotation)


def _rows(plane: av.video.plane.VideoPlane, frame: av.VideoFrame, place: int) -> bytes:
    """The pixels of a plane without what the library puts behind each row."""
    width, height, name = frame.width, frame.height, frame.format.name
    if name in {"rgb24", "bgr24"}:
        width *= 3
    elif place:
        width, height = (width + 1) // 2, (height + 1) // 2
        width *= 2 if name == "nv12" else 1
    data, step = memoryview(plane), plane.line_size
    if step == width:
        return bytes(data[: width * height])
    return b"".join(data[row * step : row * step + width] for row in range(height))
