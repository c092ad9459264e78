"""The pictures of a call, none of which it decodes: shared screens, layers, what is received."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING

from trivox.call._sound import wait_flowing
from trivox.call.codec_info import video_codec
from trivox.call.events import Originator, RemoteMediaAdded, RemoteMediaRemoved
from trivox.call.recording import Recording
from trivox.call.remote_stream import RemoteStream
from trivox.call.streams import LocalScreenSharingStream, LocalStream, StreamType
from trivox.call.video_events import VideoPathFailed, VideoPathRestored
from trivox.call.wish import Add, Catch, Remove
from trivox.errors import (
    InvalidArgumentsError,
    StreamAlreadySendingError,
    StreamNotSendingError,
    StreamTypeMismatchError,
)
from trivox.errors.checks import checked_iterable, checked_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivox.call._core import CallCore
    from trivox.media.video import LayerChoice


async def share_screen(call: CallCore, streams: Sequence[LocalScreenSharingStream]) -> None:
    """Send a screen: see `Call.start_screen_sharing`."""
    shared = tuple(checked_iterable(streams, "streams"))
    if not shared:
        raise InvalidArgumentsError("start_screen_sharing() takes the streams to share")
    for stream in shared:
        if not isinstance(stream, LocalScreenSharingStream):
            raise StreamTypeMismatchError(
                f"{stream!r} is no stream of a screen: make it with "
                "client.streams.create_screen_sharing_stream",
                call_id=call.id,
            )
    call._refuse_unconnected("start_screen_sharing()")
    wish = call._local_audio().wish
    if any(stream.is_of_screen for stream in wish.streams):
        raise StreamAlreadySendingError(
            "a screen is shared already: stop_screen_sharing() first", call_id=call.id
        )
    changes = [Add(call.id, stream, is_of_screen=True) for stream in shared]
    for change in changes:
        change.check(wish)
    receipts = [call._renegotiation().ask(change) for change in changes]
    for receipt in receipts:
        await receipt.wait()


async def share_no_longer(call: CallCore) -> None:
    """Send no screen: see `Call.stop_screen_sharing`."""
    call._refuse_unconnected("stop_screen_sharing()")
    wish = call._local_audio().wish
    shared = [stream for stream in wish.streams if stream.is_of_screen]
    if not shared:
        raise StreamNotSendingError("no screen is shared in this call", call_id=call.id)
    changes = [Remove(call.id, stream) for stream in shared]
    for change in changes:
        change.check(wish)
    receipts = [call._renegotiation().ask(change) for change in changes]
    for receipt in receipts:
        await receipt.wait()


def choose_layer(call: CallCore, stream: LocalStream, choice: LayerChoice) -> None:
    """Send another layer of what another call receives: see `Call.choose_video_layer`."""
    checked_kind(stream, LocalStream, "stream")
    call._refuse_ended()
    video = call._leg.video
    if video is None or not stream.is_video or stream not in call._local_audio().wish.streams:
        raise StreamNotSendingError(f"{stream.id} is not being sent", call_id=call.id)
    video.choose_layer(stream, choice)


def settle_video(call: CallCore) -> None:
    """Send on lines that are agreed now, and offer again those that found no place."""
    video, audio = call._video(), call._audio
    video.start()
    call._tell(is_video_enabled=video.is_enabled)
    if audio is None or (call._changes is not None and call._changes.is_running):
        return
    pending = video.unsent(audio.wish.streams)
    if pending and not audio.has_caught_up:
        audio.has_caught_up = True
        audio.forget_told()
        call._renegotiation().ask(Catch())


def add_line(call: CallCore, line: int, text: str) -> None:
    """Take that the far end sends on a line."""
    if call._leg.is_released:
        return
    stream = _remote_stream(call, line, text)
    call._remote_videos = {**call._remote_videos, line: stream}
    call._tell("remote_streams")
    call._emit(RemoteMediaAdded, Originator.REMOTE, stream=stream, type=str(stream.type))


def remove_line(call: CallCore, line: int) -> None:
    """Take that the far end sends on a line no longer."""
    stream = call._remote_videos.get(line)
    if stream is not None:
        left = {number: one for number, one in call._remote_videos.items() if number != line}
        call._remote_videos = left
        call._tell("remote_streams")
        call._emit(RemoteMediaRemoved, Originator.REMOTE, stream=stream, type=str(stream.type))


def tell_dead_path(call: CallCore, line: float, why: str) -> None:
    """Take that a line whose path is its own has none any more."""
    streams = _streams_on(call, int(line))
    call._emit(VideoPathFailed, Originator.SYSTEM, streams=streams, reason=why)


def tell_restored_path(call: CallCore, line: float, _: str) -> None:
    """Take that such a path is there again."""
    streams = _streams_on(call, int(line))
    call._emit(VideoPathRestored, Originator.SYSTEM, streams=streams)


def _streams_on(call: CallCore, line: int) -> tuple[LocalStream | RemoteStream, ...]:
    received = call._remote_videos.get(line)
    return (*call._video().sent_on(line), *((received,) if received is not None else ()))


def _remote_stream(call: CallCore, line: int, text: str) -> RemoteStream:
    kind, _, codec = text.partition(" ")
    made = StreamType.SCREEN_VIDEO if kind == "screen" else StreamType.VIDEO
    video = call._video()
    return RemoteStream(
        f"{call.id}/remote-{kind}-{line}",
        weakref.ref(call._face),
        made,
        _video_codec=video_codec(codec),
        home=(call._leg.session, line),
        open_frames=lambda choice: video.read(line, choice),
        read_layers=lambda: video.layers(line),
        make_recording=lambda path, form, layer: Recording(
            call._leg, path, "none", form, partial(wait_flowing, call), line, layer
        ),
    )
