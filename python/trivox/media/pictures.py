"""Decoded pictures of a received video stream, by PyAV (the extra `video`), outside the engine.

Nothing is imported before pictures are asked for. Frames are decoded one at a time, in a worker
thread of Trio's, as the program takes them; what it does not take waits encoded, in the engine.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, final

import trio

from trivox.errors import InvalidArgumentsError, NotSupportedError
from trivox.iterators import ClosableIterator

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import uint8
    from numpy.typing import NDArray

    from trivox.media.video import EncodedFrame, EncodedFrames

PictureFormat: TypeAlias = Literal["i420", "nv12", "rgb24", "bgr24"]
"""How the pixels of a picture lie in memory."""

PICTURE_FORMATS: Final = ("i420", "nv12", "rgb24", "bgr24")


@final
@dataclass(frozen=True, slots=True)
class VideoFrame:
    """A decoded picture.

    Attributes:
        format: "i420" (planes Y, U, V), "nv12" (Y, then U and V in turns), "rgb24" or "bgr24".
        width: In pixels.
        height: In pixels.
        pts: Seconds since the first frame of the subscription.
        data: uint8, without padding. RGB and BGR: shape (height, width, 3). I420 and NV12: Y in
            shape (height, width), then the colours at half of both sizes, rounded up; 16 is black.
        rotation: Degrees by which it is to be turned clockwise to be upright: 0, 90, 180 or 270.
            Its pixels lie as the far end's camera was held; `width` and `height` are theirs.
    """

    format: PictureFormat
    width: int
    height: int
    pts: float
    data: bytes
    rotation: int = 0

    @property
    def array(self) -> NDArray[uint8]:
        """An ndarray over the same memory, read-only; it needs the extra `numpy`.

        RGB and BGR have shape (height, width, 3); I420 and NV12, which need even sizes,
        (height * 3 / 2, width).

        Raises:
            NotSupportedError: NumPy is not installed, or a size is odd.
        """
        try:
            import numpy as np
        except ImportError as error:
            raise NotSupportedError(
                "pictures as arrays need the extra `numpy`: pip install 'trivox[numpy]'"
            ) from error
        flat = np.frombuffer(self.data, np.uint8)
        if self.format in {"rgb24", "bgr24"}:
            return flat.reshape(self.height, self.width, 3)
        if self.width % 2 or self.height % 2:
            raise NotSupportedError(
                f"a picture of {self.width} by {self.height} is no array as {self.format}: ask for "
                '"rgb24", or take its planes out of `data`'
            )
        return flat.reshape(self.height * 3 // 2, self.width)


class Decoder(Protocol):
    """Decodes the frames of one codec; used by one thread at a time."""

    def decode(self, frame: EncodedFrame) -> list[VideoFrame]:
        """Return the pictures that are whole with a frame. Raises ValueError for a damaged one."""
        ...


def require_decoder() -> Callable[[str, PictureFormat], Decoder]:
    """Return what makes decoders. Raises NotSupportedError without the `video` extra."""
    try:
        from trivox.media.pyav import PyAvDecoder
    except ImportError as error:
        raise NotSupportedError(
            "decoding video needs the extra `video`: pip install 'trivox[video]'"
        ) from error
    return PyAvDecoder


@final
class VideoFrames(ClosableIterator[VideoFrame]):
    """Iterate it for decoded pictures; close it, or leave its `with` block, when done.

    A frame that cannot be decoded is passed over, with all up to the next key frame, which is asked
    for; `damaged` counts them. A program that is too slow loses whole stretches of encoded frames;
    `lost` counts those.

    Raises:
        InvalidArgumentsError: There is no such format.
        NotSupportedError: The extra `video` is not installed.
    """

    def __init__(self, open_frames: Callable[[], EncodedFrames], format: PictureFormat) -> None:  # noqa: A002 (as others call it)
        if format not in PICTURE_FORMATS:
            raise InvalidArgumentsError(
                f"format is {format!r}; there are {', '.join(PICTURE_FORMATS)}"
            )
        self._make: Final = require_decoder()
        self._format: Final = format
        self._encoded: Final = open_frames()
        self._decoder: tuple[str, Decoder] | None = None
        self._ready: Final[deque[VideoFrame]] = deque()
        self._needs_key = False
        self.damaged = 0

    async def __anext__(self) -> VideoFrame:
        """Return the next picture. Cancelled, it may lose the one that is being decoded."""
        if self._ready:
            await trio.lowlevel.checkpoint()
        while not self._ready:
            await self._decode(await anext(self._encoded))
        return self._ready.popleft()

    @property
    def lost(self) -> int:
        """Encoded frames that were dropped before they could be decoded."""
        return self._encoded.lost

    @property
    def is_closed(self) -> bool:
        """Whether no picture comes any more: it was closed, or the call is over."""
        return self._encoded.is_closed and not self._ready

    def close(self) -> None:
        """End the subscription. Idempotent."""
        self._ready.clear()
        self._encoded.close()

    def choose_layer(
        self, layer: str = "", *, max_bitrate: int | None = None, max_height: int | None = None
    ) -> None:
        """Decode another layer of a simulcast, from its next key frame on; see `LayerChoice`.

        Raises:
            InvalidArgumentsError: A bound is below 1.
        """
        self._encoded.choose_layer(layer, max_bitrate=max_bitrate, max_height=max_height)

    async def _decode(self, frame: EncodedFrame) -> None:
        if self._needs_key and not frame.is_key:
            self.damaged += 1
            return
        if self._decoder is None or self._needs_key or self._decoder[0] != frame.codec:
            self._decoder = (frame.codec, self._make(frame.codec, self._format))
        self._needs_key = False
        try:
            pictures = await trio.to_thread.run_sync(self._decoder[1].decode, frame)
        except ValueError:
            self.damaged += 1
            self._needs_key = True
            self._encoded.want_key_frame()
        else:
            self._ready.extend(pictures)
