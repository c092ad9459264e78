"""What the engine does with packets in the hands of the program."""

from __future__ import annotations

from typing import Protocol, TypeAlias

TappedPacket: TypeAlias = tuple[float, int, bool, int, int, int, bytes, str]
"""(seconds, payload type, marker, sequence, timestamp, ssrc, payload, codec)."""


class TapSessions(Protocol):
    """The part of `MediaSessions` that is about received packets."""

    def open_rtp_tap(self, session: int, *, batch: int) -> int:
        """Subscribe to received packets of audio; RTP_READY tells when `batch` of them wait."""
        ...

    def close_rtp_tap(self, tap: int) -> None:
        """End a subscription. A closed one is ignored."""
        ...

    def take_rtp(self, tap: int, limit: int) -> tuple[list[TappedPacket], int]:
        """Take packets, oldest first; and how many were dropped so far."""
        ...
