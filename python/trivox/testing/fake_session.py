"""What a FakeEngine remembers of its sessions, and the descriptions it exchanges."""

from __future__ import annotations

import math
import wave
from dataclasses import dataclass, field


@dataclass(slots=True)
class FakePlayback:
    """A source in a queue; started is not a number while it waits."""

    session: int
    duration: float
    started: float = math.nan


@dataclass(slots=True)
class FakePort:
    """An audio port: what is queued, as a time, and what was taken, as a count."""

    session: int
    rate: int
    frame: float
    batch: int
    queued_until: float = 0.0
    sent_since_clear: float = 0.0
    taken: int = 0
    opened: float = 0.0
    is_low: bool = True


@dataclass(slots=True)
class FakeSession:
    """A session and what runs on it."""

    number: int
    transport: str
    port: int
    opened: float
    has_local: bool = False
    remote_port: int = 0
    has_remote_offer: bool = False
    connected: float = math.nan
    is_muted: bool = False
    playbacks: list[int] = field(default_factory=list)
    recordings: dict[int, tuple[str, str, float]] = field(default_factory=dict)
    dtmf_free: float = 0.0


def describe(own: FakeSession) -> str:
    """Return a description with the port that tells sessions apart."""
    profile = "UDP/TLS/RTP/SAVPF 111" if own.transport == "ice" else "RTP/AVP 0"
    codec = "111 opus/48000/2" if own.transport == "ice" else "0 PCMU/8000"
    return (
        f"v=0\r\no=- {own.number} 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
        f"m=audio {own.port} {profile}\r\na=rtpmap:{codec}\r\na=sendrecv\r\n"
    )


def media_port(sdp: str) -> int | None:
    """Return the port of the first audio stream that is not refused."""
    for line in sdp.splitlines():
        fields = line.split()
        if line.startswith("m=audio ") and len(fields) > 3 and fields[1].isdecimal():
            return int(fields[1]) or None
    return None


def write_silence(path: str, side: str, seconds: float) -> None:
    """Write a recording of that length."""
    channels = 2 if side == "both" else 1
    with wave.open(path, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * channels * round(seconds * 16_000)))
