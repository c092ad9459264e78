"""The streams a client's program sends: made here, added to calls."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, final

from trivox.call.streams import LocalStream
from trivox.errors import InvalidArgumentsError
from trivox.media.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from trivox.actor.isolation import Isolation
    from trivox.media.sources import AudioSource


@final
class StreamManager:
    """Makes local streams; `client.streams`. It keeps none alive that the program has dropped."""

    def __init__(self, new_id: Callable[[], str], isolation: Isolation) -> None:
        self._new_id = new_id
        self._isolation = isolation
        self._streams: weakref.WeakValueDictionary[str, LocalStream] = weakref.WeakValueDictionary()

    def create_audio_stream(
        self, source: AudioSource | str | PathLike[str], *, name: str | None = None
    ) -> LocalStream:
        """Make a stream of a source, to be added to calls; each call plays it from its start.

        Args:
            source: What it plays: a source, or the path of a WAV file.
            name: Its id; None: a fresh one.

        Raises:
            InvalidArgumentsError: It is no source, or there is a stream of that name.
        """
        origin = source_of(source)
        if name is not None and (not name or self.get_stream(name) is not None):
            raise InvalidArgumentsError(f"{name!r} is no name for a stream: give another, or none")
        stream = LocalStream(name or self._new_id(), origin, isolation=self._isolation)
        self._streams[stream.id] = stream
        return stream

    def get_stream(self, id: str) -> LocalStream | None:  # noqa: A002 (the reference's name)
        """Return the open stream of that id, or None."""
        stream = self._streams.get(id)
        return stream if stream is not None and stream._is_sendable else None
