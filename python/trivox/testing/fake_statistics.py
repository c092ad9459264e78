"""The figures of a FakeEngine's session: those of a clean line with 50 packets a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.media.statistics import KnownReport

if TYPE_CHECKING:
    from trivox.testing.fake_session import FakeSession

_PACKETS_A_SECOND: Final = 50
_PAYLOAD_BYTES: Final = 160
_HOST: Final = "10.0.0.1"
_SUITES: Final = {
    "sdes": "AES_CM_128_HMAC_SHA1_80",
    "dtls": "AEAD_AES_128_GCM",
    "ice": "AEAD_AES_128_GCM",
}


def report_of(own: FakeSession, now: float) -> KnownReport:
    """Return what the native engine would tell of such a session."""
    sent, received = (int(seconds * _PACKETS_A_SECOND) for seconds in own.flowed(now))
    is_connected = own.connected <= now
    codec = "opus" if own.transport == "ice" else "PCMU"
    figures: dict[str, float | str] = {
        "codec": codec,
        "packets_sent": sent,
        "bytes_sent": sent * _PAYLOAD_BYTES,
        "packets_received": received,
        "bytes_received": received * _PAYLOAD_BYTES,
        "mos": 4.4,
        "transport": own.transport,
        "srtp_profile": _SUITES.get(own.transport, "") if is_connected else "",
    }
    if is_connected:
        figures["local_address"] = f"{_HOST}:{own.port}"
        figures["remote_address"] = f"{_HOST}:{own.remote_port}"
    if own.transport in {"dtls", "ice"}:
        begun = "connecting" if own.remote_port else "new"
        figures["dtls_state"] = "connected" if is_connected else begun
    if own.transport == "ice" and own.remote_port:
        figures["ice_state"] = "connected" if is_connected else "checking"
    return KnownReport(figures, _streams(own, codec, sent, received) if own.remote_port else ())


def _streams(
    own: FakeSession, codec: str, sent: int, received: int
) -> tuple[dict[str, float | str], dict[str, float | str]]:
    """Return both ways of the audio; a session's source is the number of its port."""
    ours: dict[str, float | str] = {
        "kind": "audio",
        "direction": "sent",
        "codec": codec,
        "ssrc": own.port,
        "packets": sent,
        "bytes": sent * _PAYLOAD_BYTES,
        "level_dbov": -127.0,
    }
    theirs: dict[str, float | str] = {
        "kind": "audio",
        "direction": "received",
        "codec": codec,
        "packets": received,
        "bytes": received * _PAYLOAD_BYTES,
        "packets_lost": 0,
        "loss": 0.0,
        "concealed": 0.0,
        "level_dbov": -127.0,
    }
    if received:
        theirs |= {"ssrc": own.remote_port, "jitter": 0.0}
    return ours, theirs
