"""What a call sends: its streams as playbacks in the engine, and the music on hold."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from trivox.call.playback import begin_playback, failure_of
from trivox.call.wish import MediaWish
from trivox.errors import EngineError
from trivox.media.engine import EngineEventKind
from trivox.media.sources import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.leg_video import LegVideo
    from trivox.call.media_leg import MediaLeg
    from trivox.call.streams import LocalStream
    from trivox.media.sources import AudioSource


@final
class LocalAudio:
    """The streams one call sends beside its own, and what the engine is told of them.

    A call that sends nothing but its own stream has none of these.

    Args:
        leg: The call's media.
        own: The stream the call has of its own, fed by `play` and `audio().send`.
        ended: Told of a stream that has ended by itself, or was closed, and what broke, if anything.
        music_failed: Told of music on hold that has broken off.
        video: Gives the call's video, made when it is asked for.
        receives: Whether the far end's audio is wanted.
    """

    def __init__(
        self,
        leg: MediaLeg,
        own: LocalStream,
        ended: Callable[[LocalStream, EngineError | None], None],
        music_failed: Callable[[EngineError], None],
        video: Callable[[], LegVideo],
        *,
        receives: bool,
    ) -> None:
        self._leg: Final = leg
        self._own: Final = own
        self._ended = ended
        self._music_failed = music_failed
        self._video: Final = video
        self._playing: dict[LocalStream, int] = {}
        self._music: int | None = None
        self.wish = MediaWish(frozenset({own}), receives)
        """What is in force."""
        self.told = self.wish.asked
        """What the far end was asked for last."""
        self.has_caught_up = False
        """Video that found no place in the first descriptions was offered once more."""

    def begin(self) -> None:
        """Tell a session that was opened just now what to send. Raises EngineError."""
        for stream in self.wish.streams:
            self.open(stream)
        self._leg.sessions.set_direction(self._leg.session, self.wish.direction)
        self.told = self.wish.asked
        self._mix()

    def open(self, stream: LocalStream) -> None:
        """Begin to play a stream, if there is a session. Raises EngineError."""
        stream._attach(self)  # noqa: SLF001 (shared by the package)
        if stream.is_video:
            self._video().open(stream)
            return
        sound = stream._sound()  # noqa: SLF001 (as above)
        if sound is None or not self._leg.is_open or stream in self._playing:
            return
        leg = self._leg
        number = begin_playback(leg, sound, "beside")
        self._playing[stream] = number
        pending = leg.expect(EngineEventKind.PLAYBACK_ENDED, number)
        pending.on_done = lambda: self._note_played_out(
            stream, number, failure_of(pending.text, sound)
        )

    def close(self, stream: LocalStream) -> None:
        """Stop playing a stream."""
        stream._detach(self)  # noqa: SLF001 (as above)
        if stream.is_video:
            self._video().close(stream)
            return
        number = self._playing.pop(stream, None)
        if number is not None and self._leg.is_open:
            self._leg.sessions.stop_playback(self._leg.session, number)

    def retire(self, stream: LocalStream) -> None:
        """Take a video stream out of the next offer."""
        if stream.is_video:
            self._video().retire(stream)

    def go_on(self, stream: LocalStream) -> None:
        """Send a video stream again that was to be retired."""
        if stream.is_video:
            self._video().start()

    def swap(self, stream: LocalStream, old: LocalStream) -> None:
        """Send a stream in the place of another. Raises EngineError."""
        if stream.is_video:
            self._video().replace(stream, old)
            direction, told = self.told
            if old.id in told:  # the line that was asked for goes on: nothing is to be asked anew
                self.told = (direction, told - {old.id} | {stream.id})
            stream._attach(self)  # noqa: SLF001 (shared by the package)
        else:
            self.open(stream)

    def open_music(self, music: AudioSource) -> None:
        """Open what a held party hears; a file goes round. Raises EngineError."""
        if isinstance(music, FileSource):
            music = replace(music, loop=True)
        leg = self._leg
        number = self._music = begin_playback(leg, music, "hold")
        pending = leg.expect(EngineEventKind.PLAYBACK_ENDED, number)
        pending.on_done = lambda: self._note_music_over(number, failure_of(pending.text, music))

    def close_music(self) -> None:
        """Stop the music."""
        number, self._music = self._music, None
        if number is not None and self._leg.is_open:
            with suppress(EngineError):
                self._leg.sessions.stop_playback(self._leg.session, number)

    def agree(self, wish: MediaWish) -> None:
        """Put a wish in force: what it does not send any more is stopped."""
        gone = self.wish.streams - wish.streams
        was_held, self.wish = self.wish.is_held, wish
        for stream in gone:
            self.close(stream)
        if was_held and not wish.is_held:
            self.close_music()
        self._mix()
        if self._leg.video is not None:
            self._leg.video.start()

    def refused(self, wish: MediaWish) -> frozenset[LocalStream]:
        """Return the streams of a wish that the far end did not take."""
        video = self._leg.video
        return frozenset() if video is None else video.unsent(wish.streams)

    def forget_told(self) -> None:
        """Note that the far end has not been asked for video yet."""
        self.told = (self.told[0], frozenset())

    def without_closed(self, wish: MediaWish) -> MediaWish:
        """Return a wish without the streams that have been closed."""
        left = frozenset(stream for stream in wish.streams if stream._is_sendable)  # noqa: SLF001
        return wish if left == wish.streams else replace(wish, streams=left)

    def release(self) -> None:
        """Let go of the streams: the call is over, they are not, but for those it owns."""
        for stream in self.wish.streams | set(self._playing):
            stream._release(self)  # noqa: SLF001 (as above)
        self._playing.clear()

    def handle_stream_closed(self, stream: LocalStream) -> None:
        """Stop sending a stream that its owner has closed."""
        self._ended(stream, None)

    def _note_played_out(
        self, stream: LocalStream, number: int, failure: EngineError | None
    ) -> None:
        if self._playing.get(stream) == number and self._leg.is_open:
            del self._playing[stream]
            self._ended(stream, failure)

    def _note_music_over(self, number: int, failure: EngineError | None) -> None:
        if failure is not None and self._music == number and self._leg.is_open:
            self._music_failed(failure)

    def _mix(self) -> None:
        if self._leg.is_open:
            own = self._own in self.wish.streams
            self._leg.sessions.set_mix(self._leg.session, own=own, holding=self.wish.is_held)
