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
