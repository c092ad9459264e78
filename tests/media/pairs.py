"""Two sessions of one engine that call each other, live or driven."""

from __future__ import annotations

import math
import struct
import wave
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from pathlib import Path

    from trivox.media.engine import Media, MediaSessions

_TRUNK = ["PCMU", "PCMA"]
CODECS = {"ice": ["opus", "PCMU"], "plain": _TRUNK, "sdes": _TRUNK, "dtls": _TRUNK}


@dataclass
class Side:
    """One session and the events it had."""

    media: Media
    session: int
    events: list[tuple[EngineEventKind, float, str]] = field(default_factory=list)
    news: trio.Event = field(default_factory=trio.Event)

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        self.events.append((EngineEventKind(kind), number, text))
        self.news.set()
        self.news = trio.Event()

    async def wait_for(
        self, kind: EngineEventKind, number: float | None = None
    ) -> tuple[EngineEventKind, float, str]:
        while True:
            for event in self.events:
                if event[0] is kind and number in {None, event[1]}:
                    return event
            await self.news.wait()


def open_side(
    media: Media,
    transport: str,
    host: str = "127.0.0.1",
    codecs: list[str] | None = None,
    ptime_ms: int = 20,
) -> Side:
    session = media.sessions.open_session(
        transport=transport,
        local_addresses=[host],
        advertised="",
        codecs=codecs or CODECS[transport],
        dtmf=True,
        ptime_ms=ptime_ms,
    )
    side = Side(media, session)
    media.attach(session, side)
    return side


def open_pair(
    media: Media, transport: str, hosts: tuple[str, str] = ("127.0.0.1", "127.0.0.1")
) -> tuple[Side, Side]:
    """Open two sessions and bring offer and answer across."""
    sessions: MediaSessions = media.sessions
    caller, callee = (open_side(media, transport, host) for host in hosts)
    offer = sessions.create_offer(caller.session)
    sessions.set_remote(callee.session, offer, "offer", "")
    answer = sessions.create_answer(callee.session)
    sessions.set_remote(caller.session, answer, "answer", "tag")
    return caller, callee


async def connect_pair(
    media: Media, transport: str, hosts: tuple[str, str] = ("127.0.0.1", "127.0.0.1")
) -> tuple[Side, Side]:
    caller, callee = open_pair(media, transport, hosts)
    await caller.wait_for(EngineEventKind.CONNECTED)
    await callee.wait_for(EngineEventKind.CONNECTED)
    return caller, callee


async def connect_with(media: Media, codec: str, ptime_ms: int = 20) -> tuple[Side, Side]:
    """Connect two sessions over bare RTP that know one codec."""
    hosts = ("10.0.0.1", "10.0.0.2")
    caller, callee = (open_side(media, "plain", host, [codec], ptime_ms) for host in hosts)
    sessions: MediaSessions = media.sessions
    sessions.set_remote(callee.session, sessions.create_offer(caller.session), "offer", "")
    sessions.set_remote(caller.session, sessions.create_answer(callee.session), "answer", "tag")
    await callee.wait_for(EngineEventKind.CONNECTED)
    return caller, callee


def read_wav(path: Path) -> tuple[int, int, list[int]]:
    """(rate, channels, samples)."""
    with wave.open(str(path), "rb") as file:
        data = file.readframes(file.getnframes())
        samples = struct.unpack(f"<{len(data) // 2}h", data)
        return file.getframerate(), file.getnchannels(), list(samples)


def write_wav(path: Path, rate: int, samples: list[int]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def speech_like(rate: int, seconds: float) -> list[int]:
    """A sum of moving harmonics under syllables: it correlates with itself at one shift only."""
    samples = []
    phase = 0.0
    for index in range(round(rate * seconds)):
        now = index / rate
        phase += (140 + 40 * math.sin(2.3 * now) + 25 * math.sin(5.1 * now)) / rate
        voice = sum(math.sin(2 * math.pi * k * phase) / k for k in range(1, 8))
        syllable = 0.55 + 0.45 * math.sin(2 * math.pi * (2.7 * now + 0.4 * now * now))
        samples.append(round(6000 * voice * syllable))
    return samples


def tone_power(samples: list[int], rate: int, frequency: float) -> float:
    """Share of the signal's energy at a frequency, 0 to 1 (Goertzel)."""
    step = 2 * math.pi * frequency / rate
    real = sum(s * math.cos(step * i) for i, s in enumerate(samples))
    imaginary = sum(s * math.sin(step * i) for i, s in enumerate(samples))
    energy = sum(s * s for s in samples) or 1
    return 2 * (real * real + imaginary * imaginary) / (energy * len(samples))
