"""Events of video that travels by a path of its own, beside the audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivox.call.events import Event

if TYPE_CHECKING:
    from trivox.call.remote_stream import RemoteStream
    from trivox.call.streams import LocalStream


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPathFailed(Event):
    """Video whose path is not that of the audio has no path any more; the call goes on without it.

    Only with far ends that do not bundle. While the path may still come back, the call is
    `RECONNECTING`, and ICE is restarted by itself; `restart_ice()` may bring it back later too.

    Attributes:
        streams: What was sent and received by it; empty where nothing is now.
        reason: A sentence.
    """

    streams: tuple[LocalStream | RemoteStream, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPathRestored(Event):
    """A path that `VideoPathFailed` told of is there again.

    Attributes:
        streams: What is sent and received by it.
    """

    streams: tuple[LocalStream | RemoteStream, ...]
