"""What a FakeEngine remembers of its sessions, and the descriptions it exchanges."""

from __future__ import annotations

import math
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.media.native_engine import detect_hold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_Found = TypeVar("_Found")


@dataclass(slots=True)
class FakeSession:
    """A session and what runs on it."""

    number: int
    transport: str
    port: int
    opened: float
    has_local: bool = False
    remote_port: int = 0
    remote_offer: str = ""
    connected: float = math.nan
    fork: str = ""
    is_muted: bool = False
    is_own_silent: bool = False
    is_holding: bool = False
    wish: str = "sendrecv"
    agreed_wish: str = "sendrecv"
    direction: str = "sendrecv"
    has_open_offer: bool = False
    ice_restarts: int = 0
    trickles: bool = False
    is_gathering: bool = False
    told_end: str = ""
    remote_ufrags: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    playbacks: list[int] = field(default_factory=list)
    recordings: dict[int, tuple[str, str, float]] = field(default_factory=dict)
    dtmf_free: float = 0.0
    hears_inband: bool = False
    _flowed: tuple[float, float] = (0.0, 0.0)
    _counted: float = math.nan

    @property
    def ufrag(self) -> str:
        """What names the generation of our candidates."""
        return f"{self.number}-{self.ice_restarts}"

    def note_told(self) -> None:
        """Note that a description or a fragment went out."""
        if not self.is_gathering:
            self.told_end = self.ufrag

    def hears(self, kind: EngineEventKind) -> bool:
        """Tell whether a key told in that way is heard here."""
        sounds = (EngineEventKind.INBAND_DTMF_STARTED, EngineEventKind.INBAND_DTMF)
        return self.hears_inband or kind not in sounds

    def agree(self, direction: str, now: float) -> None:
        """Let media flow that way from now on."""
        self.flowed(now)
        self.direction = direction
        self.agreed_wish = self.wish
        self.has_open_offer = False

    def change_transport(self, transport: str, accepts: Sequence[str]) -> None:
        """Offer another transport, unless the far end has described itself."""
        check_transports((transport, *accepts))
        if self.remote_port:
            raise EngineError("the far end has answered: it alone changes the transport now")
        self.transport = transport
        self.has_open_offer = False

    def rollback(self) -> None:
        """Forget an offer and its wish."""
        self.wish = self.agreed_wish
        self.has_open_offer = False

    def flowed(self, now: float) -> tuple[float, float]:
        """Return the seconds that media flowed (out, in)."""
        start = self.connected if math.isnan(self._counted) else self._counted
        if start <= now:
            sent, received = self._flowed
            seconds = now - start
            sends, receives = _WAYS[self.direction]
            self._flowed = (sent + seconds * sends, received + seconds * receives)
            self._counted = now
        return self._flowed


_PROFILES: Final = {
    "plain": "RTP/AVP 0",
    "sdes": "RTP/SAVP 0",
    "dtls": "UDP/TLS/RTP/SAVP 0",
    "ice": "UDP/TLS/RTP/SAVPF 111",
}
_KEYS: Final = {
    "sdes": f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{'A' * 40}\r\n",
    "dtls": f"a=fingerprint:sha-256 {':'.join(['00'] * 32)}\r\na=setup:actpass\r\n",
}
_WAYS: Final = {
    "sendrecv": (True, True),
    "sendonly": (True, False),
    "recvonly": (False, True),
    "inactive": (False, False),
}


def check_direction(direction: str) -> str:
    """Return a direction. Raises InvalidArgumentsError for what is none."""
    if direction not in _WAYS:
        raise InvalidArgumentsError(f"{direction!r} is no direction: use one of {tuple(_WAYS)}")
    return direction


def meet(wish: str, remote: str) -> str:
    """Return which way media flows, seen from us, where both sides say what they want."""
    sends, receives = _WAYS[wish]
    hears, speaks = not detect_hold(remote), _WAYS[_direction_in(remote)][0]
    agreed = (sends and hears, receives and speaks)
    return next(name for name, ways in _WAYS.items() if ways == agreed)


def _direction_in(sdp: str) -> str:
    found = "sendrecv"
    for line in sdp.splitlines():
        if line.startswith("m=") and not line.startswith("m=audio"):
            break
        if line.removeprefix("a=") in _WAYS:
            found = line.removeprefix("a=")
    return found


def check_transports(transports: Sequence[str]) -> None:
    """Refuse names of no transport."""
    for transport in transports:
        if transport not in _PROFILES:
            known = ", ".join(_PROFILES)
            raise InvalidArgumentsError(f"a transport is one of {known}, not {transport!r}")


def check_opening(
    transports: Sequence[str], local_addresses: Sequence[str], codecs: Sequence[str], ptime_ms: int
) -> None:
    """Refuse what the native engine refuses to open."""
    check_transports(transports)
    if not local_addresses or not codecs or not 1 <= ptime_ms <= 120:
        raise InvalidArgumentsError(
            "a session needs a local address, a codec and 1 to 120 ms a packet"
        )


def check_audio(rate_hz: int, frame_ms: int, batch: int, ahead: float) -> None:
    """Refuse what no audio port can have."""
    if not 8000 <= rate_hz <= 48_000 or not 10 <= frame_ms <= 120 or not 1 <= batch <= 50:
        raise InvalidArgumentsError(
            "audio has 8000-48000 Hz, 10-120 ms a frame and 1-50 frames a batch"
        )
    if not 0.02 <= ahead <= 10.0:
        raise InvalidArgumentsError("0.02-10 s are queued ahead")


def find(table: Mapping[int, _Found], number: int, kind: str) -> _Found:
    """Return what is alive under a number, or raise EngineError."""
    try:
        return table[number]
    except KeyError:
        raise EngineError(f"there is no {kind} {number}: it has ended or never was") from None


def describe(own: FakeSession, direction: str, offer: str = "") -> str:
    """Return a description with the port that tells sessions apart; `offer` is what it answers."""
    profile = _PROFILES[own.transport]
    codec = "111 opus/48000/2" if own.transport == "ice" else "0 PCMU/8000"
    lines = [line.split() for line in offer.splitlines() if line.startswith("m=")]
    place = next((n for n, line in enumerate(lines) if _is_audio(line)), 0)
    refused = [f"{line[0]} 0 {' '.join(line[2:])}\r\na=inactive\r\n" for line in lines]
    media = f"m=audio {own.port} {profile}\r\na=rtpmap:{codec}\r\na={direction}\r\n"
    media += _KEYS.get(own.transport, "")
    if own.transport == "ice":
        media += f"a=ice-ufrag:{own.ufrag}\r\n"
        own.note_told()
    refused[place : place + 1] = [media]
    return (
        f"v=0\r\no=- {own.number} 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
        + "".join(refused)
    )


def _is_audio(line: list[str]) -> bool:
    return line[0] == "m=audio" and len(line) > 3 and line[1].isdecimal() and line[1] != "0"


def media_port(sdp: str) -> int | None:
    """Return the port of the first audio stream that is not refused."""
    for line in sdp.splitlines():
        fields = line.split()
        if fields and _is_audio(fields):
            return int(fields[1])
    return None


def write_silence(path: str, side: str, seconds: float) -> None:
    """Write a recording of that length; of pictures, there are none."""
    if side == "none":
        Path(path).touch()
        return
    channels = 2 if side == "both" else 1
    with wave.open(path, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * channels * round(seconds * 16_000)))
