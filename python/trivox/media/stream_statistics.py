"""What is counted of each stream of a call: one direction of one m-line, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping


@final
@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """One stream. None stands for what is not known: not reported yet, or not decoded.

    Streams that are passed on undecoded (video always, audio in a bridge of two calls with one
    codec) have no level and no concealment, and what has no meaning for a kind is None too.

    Attributes:
        kind: "audio", "video" or "screen".
        direction: "sent" or "received".
        line: The video line's number; 0 of audio.
        codec: Name of the codec agreed on; "" while there is none.
        packets: RTP packets, repeats not counted.
        bytes: RTP payload bytes.
        ssrc: Synchronisation source (RFC 3550 §3); None before one is heard.
        packets_lost: Received: expected less received, never below 0. Sent: what the far end misses.
        loss: Received: share of all expected packets lost, 0 to 1. Sent: the share in the far end's
            last report.
        jitter: Interarrival jitter in seconds (RFC 3550 §6.4.1), by us or by the far end.
        round_trip: Seconds, from the far end's reports of this stream; of sent streams only.
        level_dbov: Level of the last 20 ms; -127 is silence.
        concealed: Share of the heard audio that was made up, 0 to 1.
        packets_repeated: Sent: sent again on request. Received: lost packets repaired by a repeat.
        packets_asked: Packets we asked for again (RFC 4585 §6.2.1).
        key_frames: Key frames that began.
        key_frames_asked: Key frames asked for by the receiving side (RFC 4585 §6.3.1).
        nacks: Messages of the receiving side that asked for packets again (RFC 4585 §6.2.1).
        plis: Its messages that asked for a key frame (RFC 4585 §6.3.1).
        firs: The same where only that was agreed (RFC 5104 §4.3.1).
        frames: Video frames that began, key frames among them.
        frames_dropped: Received: frames that who reads or records was not given, as some before was
            never whole, or as they were taken too slowly; once for each reader. What is decoded is not
            known here: nothing is.
        frame_rate: Frames a second, over the last whole second.
        width: Of received pictures, in pixels; None before a key frame told.
        height: Of received pictures, in pixels; None before a key frame told.
    """

    kind: str
    direction: str
    line: int = 0
    codec: str = ""
    packets: int = 0
    bytes: int = 0
    ssrc: int | None = None
    packets_lost: int | None = None
    loss: float | None = None
    jitter: float | None = None
    round_trip: float | None = None
    level_dbov: float | None = None
    concealed: float | None = None
    packets_repeated: int | None = None
    packets_asked: int | None = None
    key_frames: int | None = None
    key_frames_asked: int | None = None
    nacks: int | None = None
    plis: int | None = None
    firs: int | None = None
    frames: int | None = None
    frames_dropped: int | None = None
    frame_rate: float | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def from_figures(cls, figures: Mapping[str, float | str]) -> StreamStatistics:
        """Read the engine's figures of a stream; those it does not name are not known."""

        def whole(name: str) -> int | None:
            return int(figures[name]) if name in figures else None

        def number(name: str) -> float | None:
            return float(figures[name]) if name in figures else None

        return cls(
            kind=str(figures["kind"]),
            direction=str(figures["direction"]),
            line=whole("line") or 0,
            codec=str(figures.get("codec", "")),
            packets=whole("packets") or 0,
            bytes=whole("bytes") or 0,
            ssrc=whole("ssrc"),
            packets_lost=whole("packets_lost"),
            loss=number("loss"),
            jitter=number("jitter"),
            round_trip=number("round_trip"),
            level_dbov=number("level_dbov"),
            concealed=number("concealed"),
            packets_repeated=whole("packets_repeated"),
            packets_asked=whole("packets_asked"),
            key_frames=whole("key_frames"),
            key_frames_asked=whole("key_frames_asked"),
            nacks=whole("nacks"),
            plis=whole("plis"),
            firs=whole("firs"),
            frames=whole("frames"),
            frames_dropped=whole("frames_dropped"),
            frame_rate=number("frame_rate"),
            width=whole("width"),
            height=whole("height"),
        )
