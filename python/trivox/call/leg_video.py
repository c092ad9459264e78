"""The video of one call in the engine: which stream is on which line, and who reads frames."""

from __future__ import annotations

import logging
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from trivox.call.streams import StreamType
from trivox.errors import EngineError, StreamUpdateFailedError, TrivoxError
from trivox.media.engine import EngineEventKind
from trivox.media.video import (
    EncodedFrames,
    EncodedVideoSource,
    RemoteVideoSource,
    VideoFileSource,
    VideoLayer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trivox.call.media_leg import MediaLeg
    from trivox.call.streams import LocalStream
    from trivox.media.video import LayerChoice

_LOGGER = logging.getLogger("trivox.call")
_NOTHING: Final = -1
"""Stands for what could not be fed: it is not tried again."""
_OWN: Final = frozenset(
    {
        EngineEventKind.KEY_FRAME_WANTED,
        EngineEventKind.ENCODED_READY,
        EngineEventKind.VIDEO_ENDED,
    }
)


@final
class LegVideo:
    """Video of a call that has some; others have none of these.

    Args:
        leg: The call's media.
        codecs: Video codecs, most wanted first.
        ended: Told of a stream whose source has come to its end.
    """

    def __init__(
        self, leg: MediaLeg, codecs: Sequence[str], ended: Callable[[LocalStream], None]
    ) -> None:
        self._leg: Final = leg
        self._codecs: Final = tuple(codecs)
        self._ended = ended
        self._lines: dict[LocalStream, int] = {}
        self._feeds: dict[LocalStream, int] = {}
        """The number of what feeds a stream; 0 for a relay, which has none."""
        self._readers: dict[int, EncodedFrames] = {}
        self._is_prepared = False

    def prepare(self) -> None:
        """Take video that is offered from now on, and be able to send some."""
        if not self._is_prepared and self._leg.is_open:
            self._leg.sessions.prepare_video(self._leg.session, self._codecs, receive=True)
            self._is_prepared = True

    def refuse(self) -> None:
        """Take no video that is offered from now on, beside what is agreed."""
        if self._is_prepared and self._leg.is_open:
            self._leg.sessions.prepare_video(self._leg.session, self._codecs, receive=False)
            self._is_prepared = False

    def open(self, stream: LocalStream) -> None:
        """Wish to send a stream from the next description on. Raises EngineError."""
        if not self._leg.is_open or stream in self._lines:
            return
        if isinstance(stream.origin, VideoFileSource) and not Path(stream.origin.path).is_file():
            raise EngineError(f"cannot play {fspath(stream.origin.path)}: there is no such file")
        self.prepare()
        kind = "screen" if stream.type is StreamType.SCREEN_VIDEO else "video"
        self._lines[stream] = self._leg.sessions.open_line(self._leg.session, kind)

    def retire(self, stream: LocalStream) -> None:
        """Wish to send a stream no longer; `start` takes it up again if that is refused."""
        line = self._lines.get(stream)
        if line is not None and self._leg.is_open:
            self._release(stream, line)
            self._leg.sessions.close_line(self._leg.session, line)

    def close(self, stream: LocalStream) -> None:
        """Send a stream no longer; the far end is told by the next description."""
        line = self._lines.pop(stream, None)
        if line is None:
            return
        self._release(stream, line)
        if self._leg.is_open:
            self._leg.sessions.close_line(self._leg.session, line)

    def replace(self, stream: LocalStream, old: LocalStream) -> None:
        """Feed the line of one stream from another. Raises EngineError, with nothing changed."""
        line = self._lines.get(old)
        if line is None:
            return
        if self._leg.is_open and line in self._sending():
            feed = self._feed(stream, line)
            self._forget(old, line)
            self._feeds[stream] = feed
        del self._lines[old]
        self._lines[stream] = line

    def start(self) -> None:
        """Feed the lines that are agreed and not fed yet; what cannot be fed is logged."""
        if not self._leg.is_open:
            return
        sending = self._sending()
        for stream, line in self._lines.items():
            if line in sending and stream not in self._feeds:
                try:
                    self._feeds[stream] = self._feed(stream, line)
                except TrivoxError as error:
                    self._feeds[stream] = _NOTHING
                    _LOGGER.warning("%s is not sent: %s", stream.id, error)

    def unsent(self, streams: Iterable[LocalStream]) -> frozenset[LocalStream]:
        """Return those of the streams that the far end has been told of and does not take."""
        if not self._leg.is_open or not self._lines:
            return frozenset()
        known = {number for number, _, direction in self._facts() if direction}
        lost = (s for s in streams if s.is_video and self._lines.get(s) not in known)
        return frozenset(lost)

    def sent_on(self, line: int) -> tuple[LocalStream, ...]:
        """Return what is sent on a line, or is to be."""
        return tuple(stream for stream, number in self._lines.items() if number == line)

    @property
    def is_enabled(self) -> bool:
        """Whether some line has a direction."""
        if not self._leg.is_open:
            return False
        return any(direction not in ("", "inactive") for _, _, direction in self._facts())

    def read(self, line: int, choice: LayerChoice) -> EncodedFrames:
        """Subscribe to the frames of a received line. Raises EngineError."""
        self._readers = {n: one for n, one in self._readers.items() if not one.is_closed}
        frames = EncodedFrames(self._leg.sessions, self._leg.session, line, choice)
        self._readers[frames.number] = frames
        return frames

    def layers(self, line: int) -> tuple[VideoLayer, ...]:
        """Return what is known of the layers of a received line. Raises EngineError."""
        found = self._leg.sessions.video_layers(self._leg.session, line)
        return tuple(
            VideoLayer(name, width or None, height or None, rate, is_active)
            for name, width, height, rate, is_active in found
        )

    def choose_layer(self, stream: LocalStream, choice: LayerChoice) -> None:
        """Choose the simulcast layer of a stream that is passed on. Raises EngineError."""
        line = self._lines[stream]
        self._leg.sessions.choose_layer(self._leg.session, line, *choice.bounds)

    def handle(self, kind: int, number: float, text: str) -> bool:
        """Take an event that belongs to a feed or a reader; False for others."""
        del text
        if kind not in _OWN:
            return False
        stream = next((s for s, feed in self._feeds.items() if feed == int(number)), None)
        match kind:
            case EngineEventKind.ENCODED_READY:
                reader = self._readers.get(int(number))
                if reader is not None:
                    reader.handle_ready()
            case EngineEventKind.KEY_FRAME_WANTED if stream is not None:
                if isinstance(stream.origin, EncodedVideoSource):
                    stream.origin._want_key_frame()  # noqa: SLF001 (made for calls)
            case EngineEventKind.VIDEO_ENDED if stream is not None:
                del self._feeds[stream]
                self._ended(stream)
        return True

    def release(self) -> None:
        """Let go of streams and readers: the call is over."""
        for stream, line in self._lines.items():
            self._release(stream, line)
        self._lines.clear()
        for reader in self._readers.values():
            reader.handle_end()
        self._readers.clear()

    def _feed(self, stream: LocalStream, line: int) -> int:
        sessions, session = self._leg.sessions, self._leg.session
        match stream.origin:
            case VideoFileSource(path, loop, rate):
                return sessions.play_video(session, line, fspath(path), loop, rate)
            case RemoteVideoSource((source, source_line), choice):
                sessions.relay_video(session, line, source, source_line)
                sessions.choose_layer(session, line, *choice.bounds)
                return 0
            case EncodedVideoSource() as source:
                return source._attach(sessions, session, line)  # noqa: SLF001 (made for calls)
            case _:
                raise StreamUpdateFailedError(f"{stream.id} has no source of video")

    def _release(self, stream: LocalStream, line: int) -> None:
        if not self._forget(stream, line) or not self._leg.is_open:
            return
        try:
            self._leg.sessions.stop_video(self._leg.session, line)
        except EngineError:
            return  # the session is gone, and the feed with it

    def _forget(self, stream: LocalStream, line: int) -> bool:
        """Let go of what feeds a stream; False if nothing did."""
        feed = self._feeds.pop(stream, None)
        if feed is not None and isinstance(stream.origin, EncodedVideoSource):
            stream.origin._detach(self._leg.session, line, feed)  # noqa: SLF001 (made for calls)
        return feed is not None

    def _sending(self) -> set[int]:
        return {number for number, _, way in self._facts() if way in ("sendrecv", "sendonly")}

    def _facts(self) -> list[tuple[int, str, str]]:
        try:
            return self._leg.sessions.video_lines(self._leg.session)
        except EngineError:
            return []  # the session has failed this instant: the event under way says so
