"""What a session counts and measures, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from trivox.media.engine import Report


@final
@dataclass(frozen=True, slots=True)
class AudioStatistics:
    """One audio session so far. Received is what we hear, `remote_*` what the far end reports.

    Attributes:
        codec: Name of the codec in use, "" before it is agreed.
        packets_sent: RTP packets sent.
        packets_received: RTP packets received and valid.
        bytes_sent: RTP payload bytes sent.
        bytes_received: RTP payload bytes received.
        packets_lost: Expected less received (RFC 3550 §6.4.1); never below 0 here.
        packets_late: Received after their turn to be heard.
        loss: Share of expected packets lost, 0 to 1.
        jitter: Interarrival jitter in seconds (RFC 3550 §6.4.1).
        round_trip: Seconds, from the far end's reports (RFC 3550 §6.4.1); None before the first.
        remote_packets_lost: Packets of ours the far end misses.
        remote_loss: Share of ours lost in the far end's last report, 0 to 1.
        remote_jitter: Jitter of ours at the far end, seconds.
        concealed: Share of the heard audio that was made up for missing packets, 0 to 1.
        buffer_delay: Seconds the jitter buffer holds back now.
        mos: Estimated listening quality of the received audio, 1 to 4.5 (E-model, ITU-T G.107).
        level_received_dbov: Level of the last 20 ms heard; -127 is silence.
        level_sent_dbov: Level of the last 20 ms sent.
    """

    codec: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    loss: float = 0.0
    jitter: float = 0.0
    round_trip: float | None = None
    remote_packets_lost: int = 0
    remote_loss: float = 0.0
    remote_jitter: float = 0.0
    concealed: float = 0.0
    buffer_delay: float = 0.0
    mos: float = 0.0
    level_received_dbov: float = -127.0
    level_sent_dbov: float = -127.0

    @classmethod
    def from_report(cls, report: Report) -> AudioStatistics:
        """Read the engine's report; names it does not know keep their defaults."""

        def number(name: str) -> float:
            value = report.get(name, getattr(_UNKNOWN, name))
            return float(value) if value is not None else 0.0

        return cls(
            codec=str(report.get("codec", "")),
            packets_sent=int(number("packets_sent")),
            packets_received=int(number("packets_received")),
            bytes_sent=int(number("bytes_sent")),
            bytes_received=int(number("bytes_received")),
            packets_lost=int(number("packets_lost")),
            packets_late=int(number("packets_late")),
            loss=number("loss"),
            jitter=number("jitter"),
            round_trip=number("round_trip") if "round_trip" in report else None,
            remote_packets_lost=int(number("remote_packets_lost")),
            remote_loss=number("remote_loss"),
            remote_jitter=number("remote_jitter"),
            concealed=number("concealed"),
            buffer_delay=number("buffer_delay"),
            mos=number("mos"),
            level_received_dbov=number("level_received_dbov"),
            level_sent_dbov=number("level_sent_dbov"),
        )


_UNKNOWN = AudioStatistics()
