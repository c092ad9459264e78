"""Video as a program has it: what can be sent, and encoded frames of what is received.

Pictures are neither decoded nor encoded here: packets and frames are passed on as they are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Final, TypeAlias, final

import trio

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.errors.checks import checked_whole, checked_within
from trivox.iterators import ClosableIterator

if TYPE_CHECKING:
    from trivox.media.engine import MediaSessions

VIDEO_CODECS: Final = ("VP8", "H264", "VP9", "AV1")
"""What can be agreed on, in the order it is offered in unless a program says otherwise."""

ROTATIONS: Final = (0, 90, 180, 270)
"""Degrees by which a picture may be turned."""

_TAKE: Final = 64


@final
@dataclass(frozen=True, slots=True)
class VideoFileSource:
    """A file of encoded video: IVF (VP8, VP9, AV1) or an H.264 byte stream, up to 64 MiB.

    It must begin with a key frame. Who cannot decode what comes is taken back to the last key
    frame, so a file for late joiners has one every second or two.

    Attributes:
        path: Where it lies.
        loop: Start again at the end, until stopped.
        rate: Pictures a second of a byte stream, which does not say; IVF does.
    """

    path: str | PathLike[str]
    loop: bool = False
    rate: float = 30.0

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | PathLike):
            raise InvalidArgumentsError(
                f"{self.path!r} cannot be played: give the path of an IVF or H.264 file"
            )
        checked_within(self.rate, "rate", 0.1, 240.0, unit=" a second")


@final
class EncodedVideoSource:
    """Frames that the program encodes, sent to all calls that have a stream of this source.

    Begin with a key frame, and make one when `wait_key_frame_wanted` returns: a far end has joined,
    or has lost too much. Without one it sees nothing.

    Args:
        codec: "VP8", "VP9", "H264" (with start codes, SPS and PPS before each key frame) or "AV1"
            (temporal units whose units have sizes, with a sequence header in each key frame).
    """

    def __init__(self, codec: str = "VP8") -> None:
        if codec not in VIDEO_CODECS:
            raise InvalidArgumentsError(f"codec is {codec!r}; there are {', '.join(VIDEO_CODECS)}")
        self.codec: Final = codec
        self._feeds: dict[tuple[int, int, int], MediaSessions] = {}
        self._wanted: Final = trio.lowlevel.ParkingLot()
        self._is_wanted = True

    def send(self, frame: bytes, *, pts: float, rotation: int = 0) -> int:
        """Send one frame now and return the number of calls it went to. Waits for nothing.

        Args:
            frame: One encoded picture, up to 4 MiB.
            pts: Its time in seconds, growing from frame to frame.
            rotation: Degrees by which it is to be turned clockwise to be upright: 0, 90, 180 or
                270. Far ends that have not agreed on that (browsers have) show it as it lies.

        Raises:
            InvalidArgumentsError: The frame is empty or too large, its time is no time, or it
                cannot be turned so.
        """
        if rotation not in ROTATIONS:
            raise InvalidArgumentsError(f"rotation is {rotation!r}; it is 0, 90, 180 or 270")
        count = 0
        for (_, line, push), sessions in tuple(self._feeds.items()):
            try:
                count += sessions.push_video(line, push, self.codec, pts, frame, int(rotation))
            except InvalidArgumentsError:
                raise
            except EngineError:
                continue  # that call has ended; it takes its feed away in its own time
        return count

    async def wait_key_frame_wanted(self) -> None:
        """Wait until a far end needs a key frame; at most two a second are asked for."""
        if self._is_wanted:
            await trio.lowlevel.checkpoint()
        while not self._is_wanted:
            await self._wanted.park()
        self._is_wanted = False

    # For calls.

    def _attach(self, sessions: MediaSessions, session: int, line: int) -> int:
        push = sessions.open_video_push(session, line)
        self._feeds[session, line, push] = sessions
        return push

    def _detach(self, session: int, line: int, push: int) -> None:
        self._feeds.pop((session, line, push), None)

    def _want_key_frame(self) -> None:
        self._is_wanted = True
        self._wanted.unpark_all()


@final
@dataclass(frozen=True, slots=True)
class VideoLayer:
    """One of the pictures that a far end sends at once (simulcast, RFC 8853).

    Attributes:
        name: What the far end calls it (`a=rid`).
        width: In pixels; None before a key frame told.
        height: In pixels; None before a key frame told.
        bitrate: Bits a second, over the last whole second.
        is_active: Something of it came within the last second.
    """

    name: str
    width: int | None
    height: int | None
    bitrate: int
    is_active: bool


@final
@dataclass(frozen=True, slots=True)
class LayerChoice:
    """Which layer of a simulcast is shown: the largest one, unless something else is said.

    A change happens at a key frame of the layer that is wanted, which is asked for; until then the
    other one goes on. Where the wanted layer is not sent, or none is small enough, it is the next best.

    Attributes:
        layer: The layer of this name, as long as it is sent.
        max_bitrate: Else none with more bits a second.
        max_height: Nor with higher pictures.

    Raises:
        InvalidArgumentsError: A bound is below 1.
    """

    layer: str = ""
    max_bitrate: int | None = None
    max_height: int | None = None

    def __post_init__(self) -> None:
        for name, bound in (("max_bitrate", self.max_bitrate), ("max_height", self.max_height)):
            if bound is not None:
                checked_whole(bound, name, 1, (1 << 32) - 1)

    @property
    def bounds(self) -> tuple[str, int, int]:
        """Name, bit rate and height; what is not bounded is 0."""
        return self.layer, self.max_bitrate or 0, self.max_height or 0


@final
@dataclass(frozen=True, slots=True)
class RemoteVideoSource:
    """What another call receives, passed on packet by packet in Rust.

    Both far ends must have agreed on the codec. A far end that joins late sees a picture within a
    second: its request for a key frame reaches whoever sends.

    Attributes:
        home: Session and line of the received stream in the engine; see `RemoteStream.as_source`.
        choice: The simulcast layer to pass on.
    """

    home: tuple[int, int]
    choice: LayerChoice = LayerChoice()


VideoSource: TypeAlias = VideoFileSource | EncodedVideoSource | RemoteVideoSource
"""What a video stream can be made of."""


@final
@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One encoded picture as the far end sent it, or the sound of one packet.

    Attributes:
        codec: "VP8", "VP9", "H264" with start codes, or "AV1" with sizes (its low-overhead format);
            of sound as in `RtpPacket`.
        pts: Seconds since the first frame.
        is_key: It can be decoded alone.
        data: The frame.
        rotation: Degrees by which the picture is to be turned clockwise to be upright, as the far
            end said last: 0, 90, 180 or 270.
    """

    codec: str
    pts: float
    is_key: bool
    data: bytes
    rotation: int = 0


@final
class EncodedFrames(ClosableIterator[EncodedFrame]):
    """Iterate it for the frames of a received stream, from a key frame on.

    The engine keeps 64 frames or 8 MiB for a program that does not take them, then drops them all
    and begins anew with a key frame; `lost` counts. Close it, or leave its `with` block, when done.
    """

    def __init__(
        self,
        sessions: MediaSessions,
        session: int,
        line: int,
        choice: LayerChoice = LayerChoice(),
    ) -> None:
        self._sessions: Final = sessions
        self._home: Final = (session, line)
        self.number: Final = sessions.open_video_tap(session, line)
        self._frames: Final[deque[EncodedFrame]] = deque()
        self._ready: Final = trio.lowlevel.ParkingLot()
        self._is_closed = False
        self.lost = 0
        if choice != LayerChoice():
            sessions.choose_tap_layer(self.number, *choice.bounds)

    async def __anext__(self) -> EncodedFrame:
        if not self._frames and not self._is_closed:
            self._take()
        if self._frames:
            await trio.lowlevel.checkpoint()
        while not self._frames:
            if self._is_closed:
                raise StopAsyncIteration
            await self._ready.park()
            self._take()
        return self._frames.popleft()

    @property
    def is_closed(self) -> bool:
        """Whether no frame comes any more: it was closed, or the call is over."""
        return self._is_closed

    def choose_layer(
        self, layer: str = "", *, max_bitrate: int | None = None, max_height: int | None = None
    ) -> None:
        """Read another layer of a simulcast, from its next key frame on; see `LayerChoice`.

        Raises:
            InvalidArgumentsError: A bound is below 1.
        """
        choice = LayerChoice(layer, max_bitrate, max_height)
        if not self._is_closed:
            self._sessions.choose_tap_layer(self.number, *choice.bounds)

    def want_key_frame(self) -> None:
        """Ask the far end for a key frame: what comes cannot be decoded. At most two a second are."""
        if not self._is_closed:
            self._sessions.want_key_frame(*self._home)

    def close(self) -> None:
        """End the subscription. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._sessions.close_video_tap(self.number)
            self._ready.unpark_all()

    def handle_ready(self) -> None:
        """Wake who waits: the engine has frames."""
        self._ready.unpark_all()

    def handle_end(self) -> None:
        """Let what is there be read, then end: the call is over."""
        self._take()
        self._is_closed = True
        self._ready.unpark_all()

    def _take(self) -> None:
        if self._is_closed:
            return
        taken, self.lost = self._sessions.take_encoded(self.number, _TAKE)
        self._frames.extend(EncodedFrame(*frame) for frame in taken)
