"""The streams a client's program sends: made here, added to calls."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, final

from trivox.call.streams import LocalScreenSharingStream, LocalStream, StreamType
from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_kind
from trivox.media.sources import source_of
from trivox.media.video import EncodedVideoSource, RemoteVideoSource, VideoFileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from trivox.actor.isolation import Isolation
    from trivox.media.sources import AudioSource
    from trivox.media.video import VideoSource


@final
class StreamManager:
    """Makes local streams; `client.streams`. It keeps none alive that the program has dropped."""

    def __init__(self, new_id: Callable[[], str], isolation: Isolation) -> None:
        self._new_id = new_id
        self._isolation = isolation
        self._streams: weakref.WeakValueDictionary[str, LocalStream] = weakref.WeakValueDictionary()

    def create_audio_stream(
        self,
        source: AudioSource | str | PathLike[str],
        *,
        name: str | None = None,
        owned: bool = False,
    ) -> LocalStream:
        """Make a stream of a source, to be added to calls, which hear it together.

        It is read once and encoded once a codec, however many calls send it. The first call begins
        it; those that come later hear it where it is by then. Once no call sends it any more, the
        next one begins it anew.

        Args:
            source: What it plays: a source, or the path of a WAV, Ogg Opus or FLAC file.
            name: Its id; None: a fresh one.
            owned: Hand it over to the calls: it is closed when the last one that sends it ends.
                Otherwise a call's end leaves it open, for other calls.

        Raises:
            InvalidArgumentsError: It is no source, or there is a stream of that name.
        """
        return self._make(source_of(source), StreamType.AUDIO, name, owned=owned)

    def create_video_stream(
        self, source: VideoSource, *, name: str | None = None, owned: bool = False
    ) -> LocalStream:
        """Make a video stream of encoded pictures, to be added to calls.

        Args:
            source: A `VideoFileSource`, an `EncodedVideoSource`, or what another call receives
                (`RemoteStream.as_source`).
            name: Its id; None: a fresh one.
            owned: As for `create_audio_stream`.

        Raises:
            InvalidArgumentsError: It is no source of video, or there is a stream of that name.
        """
        _check_video(source)
        return self._make(source, StreamType.VIDEO, name, owned=owned)

    def create_screen_sharing_stream(
        self, video: VideoSource, audio: AudioSource | str | PathLike[str] | None = None
    ) -> list[LocalScreenSharingStream]:
        """Make the streams of a shared screen, for `call.start_screen_sharing`.

        Args:
            video: The picture, as for `create_video_stream`.
            audio: Its sound; None: there is none.

        Raises:
            InvalidArgumentsError: It is no source of video, or of sound.
        """
        _check_video(video)
        parts: list[tuple[StreamType, VideoSource | AudioSource]]
        parts = [(StreamType.SCREEN_VIDEO, video)]
        if audio is not None:
            parts.append((StreamType.SCREEN_AUDIO, source_of(audio)))
        made = [
            LocalScreenSharingStream(self._new_id(), source, type=kind, isolation=self._isolation)
            for kind, source in parts
        ]
        for stream in made:
            self._keep(stream)
        return made

    def _make(
        self, origin: AudioSource | VideoSource, kind: StreamType, name: str | None, *, owned: bool
    ) -> LocalStream:
        made = LocalStream(
            self._free_name(name), origin, type=kind, isolation=self._isolation, is_owned=owned
        )
        return self._keep(made)

    def _free_name(self, name: str | None) -> str:
        if name is not None and (not name or self.get_stream(name) is not None):
            raise InvalidArgumentsError(f"{name!r} is no name for a stream: give another, or none")
        return name or self._new_id()

    def _keep(self, stream: LocalStream) -> LocalStream:
        self._streams[stream.id] = stream
        return stream

    def get_stream(self, id: str) -> LocalStream | None:  # noqa: A002 (the reference's name)
        """Return the open stream of that id, or None."""
        stream = self._streams.get(checked_kind(id, str, "id"))
        return stream if stream is not None and stream._is_sendable else None


def _check_video(source: object) -> None:
    if not isinstance(source, VideoFileSource | EncodedVideoSource | RemoteVideoSource):
        raise InvalidArgumentsError(
            f"{source!r} is no source of video: use VideoFileSource, EncodedVideoSource, or "
            "as_source() of a received stream"
        )
