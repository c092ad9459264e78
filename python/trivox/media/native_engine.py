"""The engine of `trivox._native` on threads and real sockets, and the task that drains it.

The only module that imports the engine half of the extension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from trivox._native import (
    AudioFeed,
    AudioFrame,
    AudioShare,
    MediaEngine,
    SoundDecoder,
    compare_recordings,
    detect_hold,
    detect_transport,
    detect_video,
    file_seconds,
)
from trivox.media.dispatch import Dispatcher
from trivox.media.driven import DrivenMedia

if TYPE_CHECKING:
    from trivox.media.engine import EngineEventSink, MediaSessions

__all__ = [
    "AudioFeed",
    "AudioFrame",
    "AudioShare",
    "LiveMedia",
    "SoundDecoder",
    "compare_recordings",
    "detect_hold",
    "detect_transport",
    "detect_video",
    "driven_media",
    "file_seconds",
]


@final
class LiveMedia:
    """An engine on threads, and the one task that hands out its events.

    One descriptor tells that events wait; the task drains them in slices with a checkpoint after
    each, so a burst from thousands of calls cannot starve the rest of the program.
    """

    def __init__(
        self, *, seed: bytes, threads: int = 1, port_range: tuple[int, int] = (0, 0)
    ) -> None:
        self._engine: Final = MediaEngine(seed=seed, threads=threads, port_range=port_range)
        self.sessions: Final[MediaSessions] = self._engine
        """The engine's sessions."""
        self._dispatcher: Final = Dispatcher(self._engine.drain)
        self._is_closed = False

    def attach(self, session: int, sink: EngineEventSink) -> None:
        """Give the events of a session to `sink` from now on."""
        self._dispatcher.attach(session, sink)

    def detach(self, session: int) -> None:
        """Drop what still comes for a session."""
        self._dispatcher.detach(session)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hand out events for ever; cancel it before close()."""
        task_status.started()
        descriptor = self._engine.event_fd
        while True:
            await trio.lowlevel.wait_readable(descriptor)
            await self._dispatcher.drain()

    def close(self) -> None:
        """Close all sessions and join the threads. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._engine.close()


def driven_media(*, seed: bytes, now: float) -> DrivenMedia:
    """Make an engine in virtual time that starts at `now`, seconds of Trio's clock."""
    return DrivenMedia(MediaEngine(seed=seed, driven=True, now=now))
