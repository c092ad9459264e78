"""Received sound as its encoded frames, made of the packets of a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox.iterators import ClosableIterator
from trivox.media.video import EncodedFrame

if TYPE_CHECKING:
    from trivox.media.rtp_tap import RtpPacket, RtpTap

_CLOCKS: Final = {"opus": 48_000, "L16": 16_000}
"""Of RTP timestamps, Hz; the others have 8000, also G.722 (RFC 3551 §4.5.2)."""
_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
"""Numbers so far ahead or back are no loss or delay but doubtful (RFC 3550 §A.1)."""
_NO_SOUND: Final = ("", "telephone-event", "CN")


@final
class EncodedAudioFrames(ClosableIterator[EncodedFrame]):
    """Iterate it for the frames of received sound; `RemoteStream.encoded_frames` makes it.

    Each is the payload of one packet, in the order in which they were made: a copy, and what comes
    after a later one, is left out. So is one whose number is far off, unless the next one follows
    it (RFC 3550 §A.1): then the sender counts anew, and `pts` goes on by the time of arrival. Key
    presses and comfort noise (RFC 4733, RFC 3389) are no frames. Nothing is decoded for it. Close
    it, or leave its `with` block, when done.
    """

    def __init__(self, tap: RtpTap) -> None:
        self._tap: Final = tap
        self._last: RtpPacket | None = None
        self._doubtful_next: int | None = None
        self._pts = 0.0
        self._late = 0

    async def __anext__(self) -> EncodedFrame:
        """Return the next frame; the iteration ends with the call or with close()."""
        while True:
            packet = await anext(self._tap)
            if packet.codec in _NO_SOUND or not packet.payload:
                continue
            if self._is_new(packet):
                return EncodedFrame(packet.codec, self._pts, True, packet.payload)  # noqa: FBT003 (a key)
            self._late += 1

    @property
    def lost(self) -> int:
        """Packets left out: copies, late and doubtful ones, and those the program was too slow for."""
        return self._tap.lost + self._late

    @property
    def is_closed(self) -> bool:
        """Whether no frame comes any more: it was closed, or the call is over."""
        return self._tap.is_closed

    def close(self) -> None:
        """End the subscription. Idempotent."""
        self._tap.close()

    def _is_new(self, packet: RtpPacket) -> bool:
        """Tell whether it is behind all before, and take its time if so."""
        last, believed, self._doubtful_next = self._last, self._doubtful_next, None
        if last is not None:
            step = packet.sequence - last.sequence & 0xFFFF
            # Timestamps of another source or clock begin anywhere (RFC 3550 §5.1).
            is_same = (last.ssrc, last.codec) == (packet.ssrc, packet.codec)
            if not is_same or packet.sequence == believed:
                self._pts += max(packet.at - last.at, 0.0)
            elif 0 < step < _MAX_DROPOUT:
                self._pts += _seconds_between(last, packet)
            else:
                if _MAX_DROPOUT <= step <= 0x1_0000 - _MAX_MISORDER:
                    self._doubtful_next = packet.sequence + 1 & 0xFFFF
                return False
        self._last = packet
        return True


def _seconds_between(last: RtpPacket, packet: RtpPacket) -> float:
    """Return the time from a packet to a later one of its source, by their timestamps."""
    step = packet.timestamp - last.timestamp & 0xFFFF_FFFF
    if step >= 0x8000_0000:  # backwards: the sender counts its time anew
        return max(packet.at - last.at, 0.0)
    return step / _CLOCKS.get(packet.codec, 8000)
