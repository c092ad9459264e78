"""What the engine does with data channels: messages between two programs, beside the media."""

from __future__ import annotations

from typing import Protocol

ChannelFacts = tuple[str, str, bool, int, int, int, str, int]
"""(label, protocol, is ordered, most retransmissions, lifetime in ms, stream, state, unsent bytes).

-1 stands for what is not limited or not known yet. States are "waiting", "opening", "open",
"closing" and "closed".
"""


class DataSessions(Protocol):
    """The part of `MediaSessions` that is about data; all numbers are the engine's own."""

    def accept_channels(self, session: int, accepts: bool) -> None:
        """Take channels the far end opens, or no longer; asked for in the next description."""
        ...

    def open_channel(
        self,
        session: int,
        label: str,
        *,
        protocol: str,
        ordered: bool,
        max_retransmits: int,
        max_lifetime_ms: int,
        id: int,  # noqa: A002 (as others call it)
    ) -> int:
        """Open a channel once there is a way for it; -1 for no limit, and for no agreed id."""
        ...

    def has_data_line(self, session: int) -> bool:
        """Whether the descriptions have a line for data; without it an offer is due."""
        ...

    def send_on_channel(self, session: int, channel: int, text: bool, data: bytes) -> bool:
        """Queue a message; False when too much is queued: `DATA_LOW` comes."""
        ...

    def take_from_channel(self, session: int, channel: int, limit: int) -> list[tuple[bool, bytes]]:
        """Take messages that wait, oldest first: whether it is text, and UTF-8 or bytes."""
        ...

    def close_channel(self, session: int, channel: int) -> None:
        """Close a channel; what is queued still leaves. One that is closed is ignored."""
        ...

    def channel_facts(self, session: int, channel: int) -> ChannelFacts: ...
