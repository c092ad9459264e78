"""The streams that this end sends, in as many calls as it likes."""

from __future__ import annotations

import weakref
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, final

from trivox.actor.isolation import LOGGED
from trivox.actor.mailbox import Overflow
from trivox.actor.subscription import EventSubscription
from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_iterable
from trivox.media.sources import SOUNDS, shared_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.actor.isolation import Isolation
    from trivox.call.events import StreamEnded
    from trivox.media.sources import AudioSource, SharedSource
    from trivox.media.video import VideoSource


class StreamType(StrEnum):
    """What a stream carries."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN_AUDIO = "screen_audio"
    SCREEN_VIDEO = "screen_video"


class StreamSender(Protocol):
    """What sends a stream: a call's share of it."""

    def handle_stream_closed(self, stream: LocalStream) -> None:
        """Stop sending it: its owner has closed it."""
        ...


class LocalStream:
    """A stream this end sends, in as many calls as the program adds it to.

    Made by `client.streams`; besides, each call has one of its own, fed by `play` and by
    `audio().send`. Two streams are equal only if they are the same.

    Attributes:
        id: Its name, unique in the client.
        type: What it carries.
        source: "local".
        origin: What is played; None for the stream a call has of its own.
        is_owned: Whether it is closed when the last call that sends it ends.
    """

    __slots__ = ("__weakref__", "_activity", "_is_closed", "_isolation", "_readers", "_senders",
                 "_shared", "id", "is_owned", "origin", "type")  # fmt: skip
    source: ClassVar[Literal["local"]] = "local"

    def __init__(
        self,
        id: str,  # noqa: A002 (the reference's name)
        origin: AudioSource | VideoSource | None = None,
        *,
        type: StreamType = StreamType.AUDIO,  # noqa: A002 (the reference's name)
        isolation: Isolation = LOGGED,
        is_owned: bool = False,
    ) -> None:
        self.id = id
        self.type = type
        self.is_owned = is_owned
        self.origin = origin
        self._isolation = isolation
        self._is_closed = False
        self._activity: ReadonlyWatchable[bool] | None = None
        self._senders: list[StreamSender] | None = None
        self._readers: weakref.WeakSet[EventSubscription[StreamEnded]] | None = None
        self._shared: SharedSource | None = None

    def __repr__(self) -> str:
        return f"<LocalStream {self.id} {self.type}{' closed' if self._is_closed else ''}>"

    @property
    def is_active(self) -> ReadonlyWatchable[bool]:
        """Whether it can be sent: True until it is closed."""
        if self._activity is None:
            self._activity = ReadonlyWatchable(not self._is_closed, isolation=self._isolation)
        return self._activity

    def close(self) -> None:
        """End it for good: calls that send it stop at once and emit StreamEnded. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        senders, self._senders = self._senders, None
        if self._activity is not None:
            assign(self._activity, value=False)
        for sender in senders or ():
            sender.handle_stream_closed(self)
        for reader in self._live_readers():
            reader.end()

    def events(
        self, *, max_waiting: int = 256, overflow: Overflow = Overflow.RAISE
    ) -> EventSubscription[StreamEnded]:
        """Iterate over StreamEnded of each call that sends it, from now on.

        A call ends it when it is closed or has played out; a call that ends itself, or removes the
        stream, does not. The iterator ends once it is closed.
        """
        reader: EventSubscription[StreamEnded] = EventSubscription(
            (), max_waiting=max_waiting, overflow=overflow
        )
        if self._is_closed:
            reader.end()
        elif self._readers is None:
            self._readers = weakref.WeakSet((reader,))
        else:
            self._readers.add(reader)
        return reader

    @property
    def is_video(self) -> bool:
        """Whether it carries pictures."""
        return self.type in (StreamType.VIDEO, StreamType.SCREEN_VIDEO)

    @property
    def is_of_screen(self) -> bool:
        """Whether it is of a shared screen, picture or sound."""
        return self.type in (StreamType.SCREEN_AUDIO, StreamType.SCREEN_VIDEO)

    # For calls.

    def _sound(self) -> SharedSource | None:
        """Return what all calls that send it play together; None for a call's own and for video."""
        if self._shared is None and isinstance(self.origin, SOUNDS):
            self._shared = shared_of(self.origin)
        return self._shared

    @property
    def _is_sendable(self) -> bool:
        return not self._is_closed

    @property
    def _is_read(self) -> bool:
        """Whether somebody reads its events."""
        return bool(self._readers)

    def _tell(self, event: StreamEnded) -> None:
        for reader in self._live_readers():
            reader.offer(event)

    def _live_readers(self) -> tuple[EventSubscription[StreamEnded], ...]:
        return tuple(self._readers or ())

    def _attach(self, sender: StreamSender) -> None:
        self._senders = [*(self._senders or ()), sender]

    def _detach(self, sender: StreamSender) -> None:
        if self._senders is not None:
            self._senders = [other for other in self._senders if other is not sender] or None

    def _release(self, sender: StreamSender) -> None:
        """Detach it from a call that has ended."""
        self._detach(sender)
        if self.is_owned and not self._senders:
            self.close()


@final
class LocalScreenSharingStream(LocalStream):
    """A stream of a shared screen; `client.streams.create_screen_sharing_stream` makes them."""

    __slots__ = ()


def checked_streams(streams: Iterable[LocalStream]) -> tuple[LocalStream, ...]:
    """Return local streams as a tuple. Raises InvalidArgumentsError for anything else."""
    found = tuple(checked_iterable(streams, "streams"))
    if not all(isinstance(stream, LocalStream) for stream in found):
        raise InvalidArgumentsError(
            "streams holds what is no LocalStream: make them with client.streams"
        )
    return found
