"""What a session counts and measures, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from trivox.media.stream_statistics import StreamStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trivox.media.engine import Report


@final
class KnownReport(dict[str, float | str]):
    """Figures that are known without an engine, and no history."""

    def __init__(
        self,
        figures: Mapping[str, float | str] | None = None,
        streams: Sequence[Mapping[str, float | str]] = (),
    ) -> None:
        """Take figures by their names, and those of each stream."""
        super().__init__(figures or {})
        self._streams = streams

    def streams(self) -> Sequence[Mapping[str, float | str]]:
        """Return what is known of each stream."""
        return self._streams

    def seconds(self) -> tuple[()]:
        """Return no seconds."""
        return ()


@final
@dataclass(frozen=True, slots=True)
class StatisticsSample:
    """One second of a call's audio.

    Attributes:
        at: Seconds since the media was connected.
        packets: Packets received in that second.
        loss: Share of the packets expected in the last 5 seconds that did not come, 0 to 1.
        jitter: Interarrival jitter in seconds (RFC 3550 §6.4.1).
        buffer_delay: Seconds the jitter buffer held back.
        round_trip: Seconds; None while no report of the far end told it.
        level_dbov: The loudest 20 ms of that second, -127 is silence; None while it is passed on undecoded.
    """

    at: float
    packets: int
    loss: float
    jitter: float
    buffer_delay: float
    round_trip: float | None
    level_dbov: float | None


@final
@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """How the media of a call travels, and what was turned away.

    Attributes:
        transport: "plain" (bare RTP), "sdes", "dtls" or "ice"; "" before the first description.
        local_address: "address:port" of ours that media leaves from; with ICE the selected pair's.
        remote_address: The same of the far end, where media goes; "" while it goes nowhere.
        srtp_profile: What SRTP is made with, "AES_CM_128_HMAC_SHA1_80" for one (RFC 4568 §6.2,
            RFC 7714 §14.2); "" without SRTP, or before its keys are there.
        dtls_state: "new", "connecting", "connected", "closed" or "failed"; "" without DTLS.
        ice_state: "checking", "connected", "disconnected" or "failed"; "" without ICE.
        refused_source: Datagrams from addresses this call does not take media from.
        refused_stun: STUN messages without the call's credentials.
        refused_srtp: Packets that failed authentication or were replayed.
        refused_candidates: ICE candidates of the far end that nobody can read, that were too many,
            or that came after others had replaced them.
        refused_data: Parts of what came for data channels that were passed over: packets of another
            association, beyond a bound, or of streams that nobody reads; 0 without data channels.
        malformed: Datagrams that were no packets at all.
    """

    transport: str = ""
    local_address: str = ""
    remote_address: str = ""
    srtp_profile: str = ""
    dtls_state: str = ""
    ice_state: str = ""
    refused_source: int = 0
    refused_stun: int = 0
    refused_srtp: int = 0
    refused_candidates: int = 0
    refused_data: int = 0
    malformed: int = 0


@final
@dataclass(frozen=True, slots=True)
class StatisticsReport:
    """A call's media so far. Received is what we hear, `remote_*` what the far end reports.

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
        concealed_last_second: The same of the last whole second.
        concealed_seconds: Seconds in which something was made up.
        buffer_delay: Seconds the jitter buffer holds back now.
        mos: Estimated quality of the received audio, 1 to 4.5 (E-model, ITU-T G.107), as the
            conversational score of RFC 3611 §4.7.5.
        r_factor: The rating it was made from, 0 to 93.2.
        level_received_dbov: Level of the last 20 ms heard; -127 is silence.
        level_sent_dbov: Level of the last 20 ms sent.
        packets_malformed: RTP packets of no agreed format, or out of any order.
        connection: How it travels.
        streams: Each stream there is: audio sent and received, then those of each video line.
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
    concealed_last_second: float = 0.0
    concealed_seconds: int = 0
    buffer_delay: float = 0.0
    mos: float = 0.0
    r_factor: float = 0.0
    level_received_dbov: float = -127.0
    level_sent_dbov: float = -127.0
    packets_malformed: int = 0
    connection: ConnectionStatistics = field(default_factory=ConnectionStatistics)
    streams: tuple[StreamStatistics, ...] = ()

    @classmethod
    def from_report(cls, report: Report, *, refused_candidates: int = 0) -> StatisticsReport:
        """Read the engine's report; names it does not know keep their defaults.

        `refused_candidates` were dropped before the engine saw them.
        """

        def number(name: str) -> float:
            value = report.get(name, getattr(_UNKNOWN, name, 0.0))
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
            concealed_last_second=number("concealed_last_second"),
            concealed_seconds=int(number("concealed_seconds")),
            buffer_delay=number("buffer_delay"),
            mos=number("mos"),
            r_factor=number("rating"),
            level_received_dbov=number("level_received_dbov"),
            level_sent_dbov=number("level_sent_dbov"),
            packets_malformed=int(number("packets_malformed")),
            connection=ConnectionStatistics(
                transport=str(report.get("transport", "")),
                local_address=str(report.get("local_address", "")),
                remote_address=str(report.get("remote_address", "")),
                srtp_profile=str(report.get("srtp_profile", "")),
                dtls_state=str(report.get("dtls_state", "")),
                ice_state=str(report.get("ice_state", "")),
                refused_source=int(number("refused_source")),
                refused_stun=int(number("refused_stun")),
                refused_srtp=int(number("refused_srtp")),
                refused_candidates=int(number("refused_candidates")) + refused_candidates,
                refused_data=int(number("refused_data")),
                malformed=int(number("datagrams_malformed")),
            ),
            streams=tuple(map(StreamStatistics.from_figures, report.streams())),
        )


_UNKNOWN = StatisticsReport()


def history_of(report: Report) -> tuple[StatisticsSample, ...]:
    """Read the last seconds of a report, oldest first."""
    return tuple(
        StatisticsSample(at, int(packets), loss, jitter, buffer, _known(trip), _known(level))
        for at, packets, loss, jitter, buffer, trip, level in report.seconds()
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
