"""Data channels of the far end, told as events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trivox.call.events import Event

if TYPE_CHECKING:
    from trivox.call.data_channel import DataChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannelOpened(Event):
    """The far end has opened a data channel; messages may be sent and received at once."""

    channel: DataChannel = field(repr=False)
