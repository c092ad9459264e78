"""What the far end sends, in the hands of the program: frames, pictures, packets, files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, final

from trivox.actor.mailbox import Overflow
from trivox.actor.watchable import ReadonlyWatchable
from trivox.call.sinking import Sinking
from trivox.call.streams import StreamType
from trivox.errors import CallEndedError, InvalidArgumentsError, StreamTypeMismatchError
from trivox.errors.checks import checked_rate, checked_within
from trivox.media.encoded_audio import EncodedAudioFrames
from trivox.media.pictures import VideoFrames
from trivox.media.port import AudioPort
from trivox.media.rtp_tap import RtpTap
from trivox.media.sinks import CallbackSink, FileSink, PipeSink
from trivox.media.video import LayerChoice, RemoteVideoSource

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable
    from os import PathLike

    from trivox.call.call import Call
    from trivox.call.codec_info import CodecInfo
    from trivox.call.media_leg import MediaLeg
    from trivox.call.recording import Recording
    from trivox.media.native_engine import AudioFeed
    from trivox.media.pictures import PictureFormat
    from trivox.media.sinks import AudioSink
    from trivox.media.video import EncodedFrames, VideoLayer


@final
@dataclass(frozen=True, slots=True)
class RemoteStream:
    """A stream the far end sends; two of one id are equal.

    Attributes:
        id: Its name, unique in the client.
        type: What it carries.
        source: "remote".
    """

    id: str
    _owner: weakref.ref[Call] = field(repr=False, compare=False)
    type: StreamType = StreamType.AUDIO
    source: Literal["remote"] = "remote"
    home: tuple[int, int] | None = field(default=None, repr=False, compare=False)
    """Session and line in the engine, for who passes it on."""
    open_frames: Callable[[LayerChoice], EncodedFrames] | None = field(
        default=None, repr=False, compare=False
    )
    read_layers: Callable[[], tuple[VideoLayer, ...]] | None = field(
        default=None, repr=False, compare=False
    )
    make_recording: Callable[[str | PathLike[str], str | None, str], Recording] | None = field(
        default=None, repr=False, compare=False
    )
    _leg: MediaLeg | None = field(default=None, compare=False, repr=False)
    _video_codec: CodecInfo | None = field(default=None, compare=False, repr=False)

    @property
    def call(self) -> Call:
        """The call it belongs to.

        Raises:
            CallEndedError: The call has ended and nothing keeps it any more.
        """
        call = self._owner()
        if call is None:
            raise CallEndedError("the call of this stream has ended and is gone")
        return call

    @property
    def codec(self) -> ReadonlyWatchable[CodecInfo | None]:
        """The codec agreed on; None before the first answer. A later offer may change it."""
        if self._video_codec is not None:
            return ReadonlyWatchable(self._video_codec)
        return self.call._audio_codec  # noqa: SLF001 (shared by the package)

    @property
    def is_active(self) -> ReadonlyWatchable[bool]:
        """Whether it is one of its call's `remote_streams`: False once removed, or with the call's end."""
        call = self._owner()
        if call is None:
            return ReadonlyWatchable(False)  # noqa: FBT003 (its value)
        return call.remote_streams.map(lambda streams: self in streams)

    @property
    def layers(self) -> tuple[VideoLayer, ...]:
        """The pictures that the far end sends at once (simulcast); none where it sends one.

        Raises:
            StreamTypeMismatchError: It is no video.
            EngineError: The call is over.
        """
        if self.read_layers is None:
            raise StreamTypeMismatchError(f"{self.id} is {self.type}: it has no layers")
        return self.read_layers()

    def as_source(
        self, *, layer: str = "", max_bitrate: int | None = None, max_height: int | None = None
    ) -> RemoteVideoSource:
        """Return this video as a source for a stream of another call: passed on, packet by packet.

        Args:
            layer: The simulcast layer to pass on; "": the largest within the bounds.
            max_bitrate: None with more bits a second.
            max_height: None with higher pictures.

        Raises:
            StreamTypeMismatchError: It is no video.
            InvalidArgumentsError: A bound is below 1.
        """
        if self.home is None:
            raise StreamTypeMismatchError(f"{self.id} is {self.type}: only video is passed on so")
        return RemoteVideoSource(self.home, LayerChoice(layer, max_bitrate, max_height))

    def encoded_frames(
        self, *, layer: str = "", max_bitrate: int | None = None, max_height: int | None = None
    ) -> EncodedFrames | EncodedAudioFrames:
        """Subscribe to the frames as the far end encoded them; of video from a key frame on.

        Args:
            layer: The simulcast layer to read; "": the largest within the bounds.
            max_bitrate: None with more bits a second.
            max_height: None with higher pictures.

        Each frame of sound is told of when it comes.

        Raises:
            StreamTypeMismatchError: Layers are asked of sound.
            InvalidArgumentsError: A bound is below 1.
            BufferOverflowError: 16 taps, these of sound among them, read the packets of this call
                already.
            CallEndedError: The call of this sound is over.
            EngineError: The call of this video is over.
        """
        choice = LayerChoice(layer, max_bitrate, max_height)
        if self.open_frames is not None:
            return self.open_frames(choice)
        if choice != LayerChoice():
            raise StreamTypeMismatchError(f"{self.id} is {self.type}: it has no layers")
        return EncodedAudioFrames(self.rtp_packets(batch=1))

    def _open_frames(self, choice: LayerChoice) -> EncodedFrames:
        if self.open_frames is None:
            raise StreamTypeMismatchError(f"{self.id} is {self.type}: it has no pictures")
        return self.open_frames(choice)

    def decoded_frames(
        self,
        *,
        format: PictureFormat = "rgb24",  # noqa: A002 (as others call it)
        layer: str = "",
        max_bitrate: int | None = None,
        max_height: int | None = None,
    ) -> VideoFrames:
        """Subscribe to decoded pictures, from a key frame on; it needs the extra `video`.

        A worker thread decodes a frame when the program asks for the next picture.

        Args:
            format: "rgb24", "bgr24", "i420" or "nv12".
            layer: The simulcast layer to decode; "": the largest within the bounds.
            max_bitrate: None with more bits a second.
            max_height: None with higher pictures.

        Raises:
            StreamTypeMismatchError: It is no video.
            InvalidArgumentsError: There is no such format, or a bound is below 1.
            NotSupportedError: The extra is not installed: pip install 'trivox[video]'.
            EngineError: The call is over.
        """
        choice = LayerChoice(layer, max_bitrate, max_height)
        return VideoFrames(lambda: self._open_frames(choice), format)

    def recording(
        self,
        path: str | PathLike[str],
        *,
        format: Literal["mkv", "ivf"] | None = None,  # noqa: A002 (as others call it)
        layer: str = "",
    ) -> Recording:
        """Record these pictures alone, as they come, while inside `async with`.

        `call.recording` has the sound with them.

        Args:
            path: The file, which is written anew: .mkv, or .ivf for VP8, VP9 and AV1.
            format: What is written, whatever the file's name says.
            layer: The simulcast layer; "": the largest.

        Raises:
            StreamTypeMismatchError: It is no video.
            InvalidArgumentsError: The format takes no video.
        """
        if self.make_recording is None:
            raise StreamTypeMismatchError(f"{self.id} is {self.type}: record it with the call")
        return self.make_recording(path, format, layer)

    def relay_to(self, feed: AudioFeed) -> None:
        """Give what is heard to a feed, until the call ends; `RemoteSource` does so.

        Raises:
            CallEndedError: The call is over.
        """
        leg = self._open_leg()
        leg.sessions.tap(leg.session, feed)

    def frames(
        self,
        rate: int = 16_000,
        chunk: float = 0.1,
        maxlen: int = 50,
        overflow: Overflow = Overflow.DROP_OLDEST,
    ) -> AudioPort:
        """Return a port to iterate for what is heard. Close it when done.

        Args:
            rate: Samples a second, 8000 to 48 000.
            chunk: Seconds of each frame, 0.01 to 0.12.
            maxlen: Frames that wait for a slow reader, 60 seconds at most.
            overflow: What goes when more come: DROP_OLDEST, or RAISE: the newest, and the reader
                gets EventOverflowError where they are missing. Frames are not coalesced.

        Raises:
            CallEndedError: The call is over.
            InvalidArgumentsError: A figure is out of its range.
        """
        if overflow not in (Overflow.DROP_OLDEST, Overflow.RAISE):
            raise InvalidArgumentsError(f"overflow is {overflow!r}; use DROP_OLDEST or RAISE")
        leg = self._open_leg()
        port = AudioPort(
            leg.sessions,
            leg.session,
            rate=rate,
            frame=chunk,
            most_waiting=maxlen,
            raises_lost=overflow == Overflow.RAISE,
        )
        leg.add_port(port)
        return port

    def rtp_packets(self, *, batch: int = 5) -> RtpTap:
        """Return a tap to iterate for the packets of this sound as they came, decrypted.

        Args:
            batch: Packets handed over for each wake-up, 1 to 50.

        Raises:
            BufferOverflowError: 16 taps, encoded frames among them, read the packets of this call
                already: close some first.
            CallEndedError: The call is over.
        """
        leg = self._open_leg()
        tap = RtpTap(leg.sessions, leg.session, batch=batch)
        leg.add_port(tap)
        return tap

    def into(self, sink: AudioSink) -> Sinking:
        """Pour what is heard into a sink while inside `async with`.

        Args:
            sink: A `FileSink`, a `PipeSink` or a `CallbackSink`.

        Raises:
            CallEndedError: The call is over.
            InvalidArgumentsError: It is no sink.
        """
        if not isinstance(sink, FileSink | PipeSink | CallbackSink):
            raise InvalidArgumentsError(
                f"{sink!r} is no sink: use FileSink, PipeSink or CallbackSink"
            )
        return Sinking(self._open_leg(), sink)

    async def read(self, seconds: float, *, rate: int = 16_000) -> bytes:
        """Return what is heard in the next seconds, int16 mono in one piece; less at the end.

        Raises:
            CallEndedError: The call is over.
        """
        wanted = 2 * round(checked_within(seconds, "seconds", 0.0, 1e6) * checked_rate(rate))
        heard = bytearray()
        with self.frames(rate) as port:
            async for frame in port:
                heard += bytes(frame)
                if len(heard) >= wanted:
                    break
        return bytes(heard[:wanted])

    def _open_leg(self) -> MediaLeg:
        if self.type is not StreamType.AUDIO:
            raise StreamTypeMismatchError(f"{self.id} is {self.type}: it has no sound")
        if self._leg is None or not self._leg.is_open:
            raise CallEndedError("the call of this stream has ended, or has no media yet")
        return self._leg
