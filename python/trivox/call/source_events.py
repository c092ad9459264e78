"""What becomes of a source while it plays, told as an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivox.call.events import Event

if TYPE_CHECKING:
    from trivox.errors import EngineError


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldMusicFailed(Event):
    """The music on hold broke off: its file proved damaged, for one. The hold goes on in silence.

    Attributes:
        error: What was heard of it, and what broke.
    """

    error: EngineError
