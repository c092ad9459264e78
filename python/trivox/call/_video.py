"""The face of a call for video: shared screens, and what the far end sends."""

from __future__ import annotations

import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from trivox.call._changes import CallChanges
from trivox.call.codec_info import video_codec
from trivox.call.events import Originator, RemoteMediaAdded, RemoteMediaRemoved
from trivox.call.leg_video import LegVideo
from trivox.call.recording import Recording
from trivox.call.remote_stream import RemoteStream
from trivox.call.streams import LocalScreenSharingStream, LocalStream, StreamType
from trivox.call.wish import Add, Catch, Remove
from trivox.errors import (
    InvalidArgumentsError,
    StreamAlreadySendingError,
    StreamNotSendingError,
    StreamTypeMismatchError,
)
from trivox.errors.checks import checked_iterable, checked_kind
from trivox.media.engine import EngineEventKind
from trivox.media.video import LayerChoice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trivox.call.call import Call
    from trivox.call.wish import MediaWish

_OF_LINES: Final = frozenset({EngineEventKind.VIDEO_ADDED, EngineEventKind.VIDEO_REMOVED})


class CallVideo(CallChanges):
    """What a call does with pictures, none of which it decodes."""

    _remote_videos: Mapping[int, RemoteStream] = MappingProxyType({})
    """What the far end sends, by the engine's lines; never changed, only replaced."""

    async def start_screen_sharing(self, streams: Sequence[LocalScreenSharingStream]) -> None:
        """Share a screen on a video line of its own (`a=content:slides`); returns when it is sent.

        Cancelling it unsends nothing: it is completed in the background.

        Args:
            streams: What `client.streams.create_screen_sharing_stream` made: the picture, and
                perhaps sound, which is mixed with the rest.

        Raises:
            InvalidArgumentsError: There are none.
            StreamTypeMismatchError: One is no stream of a screen.
            StreamAlreadySendingError: A screen is shared already.
            CallOnHoldError, InactiveStreamError, StreamUpdateFailedError, CallWrongStateError,
                CallEndedError, CallReconnectingError: As for `add_stream`.
        """
        shared = tuple(checked_iterable(streams, "streams"))
        if not shared:
            raise InvalidArgumentsError("start_screen_sharing() takes the streams to share")
        for stream in shared:
            if not isinstance(stream, LocalScreenSharingStream):
                raise StreamTypeMismatchError(
                    f"{stream!r} is no stream of a screen: make it with "
                    "client.streams.create_screen_sharing_stream",
                    call_id=self.id,
                )
        self._refuse_unconnected("start_screen_sharing()")
        wish = self._local_audio().wish
        if any(stream.is_of_screen for stream in wish.streams):
            raise StreamAlreadySendingError(
                "a screen is shared already: stop_screen_sharing() first", call_id=self.id
            )
        changes = [Add(self.id, stream, is_of_screen=True) for stream in shared]
        for change in changes:
            change.check(wish)
        receipts = [self._renegotiation().ask(change) for change in changes]
        for receipt in receipts:
            await receipt.wait()

    async def stop_screen_sharing(self) -> None:
        """Share the screen no longer; the streams stay open.

        Raises:
            StreamNotSendingError: No screen is shared.
            CallOnHoldError, StreamUpdateFailedError, CallWrongStateError, CallEndedError,
                CallReconnectingError: As for `remove_stream`.
        """
        self._refuse_unconnected("stop_screen_sharing()")
        wish = self._local_audio().wish
        shared = [stream for stream in wish.streams if stream.is_of_screen]
        if not shared:
            raise StreamNotSendingError("no screen is shared in this call", call_id=self.id)
        changes = [Remove(self.id, stream) for stream in shared]
        for change in changes:
            change.check(wish)
        receipts = [self._renegotiation().ask(change) for change in changes]
        for receipt in receipts:
            await receipt.wait()

    def choose_video_layer(
        self,
        stream: LocalStream,
        layer: str = "",
        *,
        max_bitrate: int | None = None,
        max_height: int | None = None,
    ) -> None:
        """Choose the simulcast layer of a sent stream whose source is another call's.

        It is changed at the next key frame, which is asked for; see `LayerChoice`.

        Args:
            stream: The stream that is sent in this call.
            layer: The layer's name (`a=rid`); "": the largest within the bounds.
            max_bitrate: None with more bits a second.
            max_height: None with higher pictures.

        Raises:
            InvalidArgumentsError: A bound is below 1.
            StreamNotSendingError: The call does not send it.
            EngineError: It passes on nothing of another call.
        """
        choice = LayerChoice(layer, max_bitrate, max_height)
        checked_kind(stream, LocalStream, "stream")
        self._refuse_ended()
        video = self._leg.video
        if video is None or not stream.is_video or stream not in self._local_audio().wish.streams:
            raise StreamNotSendingError(f"{stream.id} is not being sent", call_id=self.id)
        video.choose_layer(stream, choice)

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        """Take an event of this call's media session."""
        if kind not in _OF_LINES:
            super().handle_engine_event(kind, number, text)
        elif kind == EngineEventKind.VIDEO_ADDED:
            self._add_remote_video(int(number), text)
        else:
            self._remove_remote_video(int(number))
        if self._leg.video is not None and kind == EngineEventKind.CONNECTED:
            self._settle_video()

    def _publish(self, before: MediaWish, after: MediaWish) -> None:
        """Tell everybody what this end sends now."""
        super()._publish(before, after)
        is_shared = any(stream.is_of_screen for stream in after.streams)
        if is_shared != any(stream.is_of_screen for stream in before.streams):
            self._tell(has_screen_sharing=is_shared)

    def _video(self) -> LegVideo:
        if self._leg.video is None:
            codecs = self.settings.ordered_video_codecs
            self._leg.video = LegVideo(self._leg, codecs, self._end_stream)
        return self._leg.video

    def _prepare_video(self) -> None:
        if self.settings.receive_video:
            self._video().prepare()

    def _accept_upgrade(self, stream: LocalStream | None) -> None:
        video = self._video()
        video.prepare()
        if stream is not None:
            self._add_now((stream,))

    def _settle_video(self) -> None:
        """Send on lines that are agreed now, and offer again those that found no place."""
        video, audio = self._video(), self._audio
        video.start()
        self._tell(is_video_enabled=video.is_enabled)
        if audio is None or (self._changes is not None and self._changes.is_running):
            return
        pending = video.unsent(audio.wish.streams)
        if pending and not audio.has_caught_up:
            audio.has_caught_up = True
            audio.forget_told()
            self._renegotiation().ask(Catch())

    def _remote_video(self, line: int, text: str) -> RemoteStream:
        kind, _, codec = text.partition(" ")
        made = StreamType.SCREEN_VIDEO if kind == "screen" else StreamType.VIDEO
        video = self._video()
        return RemoteStream(
            f"{self.id}/remote-{kind}-{line}",
            cast("weakref.ref[Call]", weakref.ref(self)),
            made,
            _video_codec=video_codec(codec),
            home=(self._leg.session, line),
            open_frames=lambda choice: video.read(line, choice),
            read_layers=lambda: video.layers(line),
            make_recording=lambda path, form, layer: Recording(
                self._leg, path, "none", form, self._wait_flowing, line, layer
            ),
        )

    def _add_remote_video(self, line: int, text: str) -> None:
        if self._leg.is_released:
            return
        stream = self._remote_video(line, text)
        self._remote_videos = {**self._remote_videos, line: stream}
        self._tell("remote_streams")
        self._emit(RemoteMediaAdded, Originator.REMOTE, stream=stream, type=str(stream.type))

    def _remove_remote_video(self, line: int) -> None:
        stream = self._remote_videos.get(line)
        if stream is not None:
            left = {number: one for number, one in self._remote_videos.items() if number != line}
            self._remote_videos = left
            self._tell("remote_streams")
            self._emit(RemoteMediaRemoved, Originator.REMOTE, stream=stream, type=str(stream.type))

    def _remote_streams_now(self) -> frozenset[RemoteStream]:
        return super()._remote_streams_now() | frozenset(self._remote_videos.values())

    def _remove_remote_stream(self) -> None:
        for line in tuple(self._remote_videos):
            self._remove_remote_video(line)
        super()._remove_remote_stream()
