"""Packets of audio as the far end sent them, in the hands of the program."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.errors.checks import checked_whole
from trivox.iterators import ClosableIterator

if TYPE_CHECKING:
    from trivox.media.engine_taps import TapSessions

_TAKE: Final = 256
"""As many as the engine keeps."""


@final
@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet as it was received, decrypted (RFC 3550 §5.1).

    Attributes:
        at: Seconds since the tap was opened.
        payload_type: What the payload is, by the descriptions; telephone-events are packets too.
        marker: Of audio: a spurt of speech begins.
        sequence: 16 bits. Packets come in the order of their arrival, with gaps and copies.
        timestamp: 32 bits, in units of the payload's clock.
        ssrc: The source.
        payload: Without header, extensions and padding: of audio one encoded frame.
        codec: What it is, by the descriptions: "opus", "PCMU", "telephone-event" (RFC 4733), "CN"
            (RFC 3389); "" for a payload type that nobody has agreed on, which is not heard.
    """

    at: float
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    codec: str = ""


@final
class RtpTap(ClosableIterator[RtpPacket]):
    """Iterate it for the packets of a received stream; `RemoteStream.rtp_packets` makes it.

    Nothing is decoded for it, nor held back by the jitter buffer. The engine keeps 256 packets for
    a program that does not take them, then the oldest go; `lost` counts. Close it, or leave its
    `with` block, when done.
    """

    def __init__(self, sessions: TapSessions, session: int, *, batch: int = 5) -> None:
        checked_whole(batch, "batch", 1, 50, unit=" packets")
        self._sessions: Final = sessions
        self.number: Final = sessions.open_rtp_tap(session, batch=batch)
        self._packets: Final[deque[RtpPacket]] = deque()
        self._ready: Final = trio.lowlevel.ParkingLot()
        self._is_closed = False
        self.lost = 0

    async def __anext__(self) -> RtpPacket:
        """Return the next packet; the iteration ends with the call or with close()."""
        await trio.lowlevel.checkpoint()
        while not self._packets:
            self._take()
            if not self._packets:
                if self._is_closed:
                    raise StopAsyncIteration
                await self._ready.park()
        return self._packets.popleft()

    @property
    def is_closed(self) -> bool:
        """Whether no packet comes any more: it was closed, or the call is over."""
        return self._is_closed

    def close(self) -> None:
        """End the subscription. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._sessions.close_rtp_tap(self.number)
            self._ready.unpark_all()

    def handle_engine_event(self, kind: int, text: str = "") -> None:
        """Take an event of this tap: the engine has packets."""
        del kind, text
        self._ready.unpark_all()

    def handle_end(self) -> None:
        """Let what is there be read, then end: the call is over."""
        self._take()
        self.close()

    def _take(self) -> None:
        if not self._is_closed:
            taken, self.lost = self._sessions.take_rtp(self.number, _TAKE)
            self._packets.extend(RtpPacket(*packet) for packet in taken)
