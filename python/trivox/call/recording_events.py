"""What becomes of a recording while it runs, told as an event."""

from __future__ import annotations

from dataclasses import dataclass

from trivox.call.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed(Event):
    """A file takes nothing more: the disk is full, for one. The call goes on.

    What was written before stands and can be read; nothing that follows is in the file.

    Attributes:
        path: The file.
        error: What the system said.
    """

    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingBehind(Event):
    """The disk is too slow for what is recorded, and some of it is lost. The recording goes on.

    Told with the first block that is lost, and again whenever their number has doubled. The file
    is shorter by what is lost.

    Attributes:
        path: The file.
        lost_blocks: What is lost so far: blocks of half a second of sound, and single pictures.
    """

    path: str
    lost_blocks: int
