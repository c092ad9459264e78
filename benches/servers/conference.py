"""A room of many members on one media thread, its far ends being plain sockets; figures as JSON.

Usage: python -m benches.servers.conference CODEC MEMBERS SPEAKERS SECONDS
Every far end sends a packet each 20 ms from this process's main thread; only the CPU time of the
engine's own thread is counted.
"""

from __future__ import annotations

import json
import math
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

from trivox._native import MediaEngine

FRAME = 0.02
RATES = {"opus": (111, 48_000, 960), "pcmu": (0, 8_000, 160)}
SETTINGS = {"gain_db": 0.0, "muted": False, "deaf": False, "whispers_to": None}


class FarEnd:
    """One member's far end: a socket, and the payloads it sends again and again."""

    def __init__(self, engine: MediaEngine, codec: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.format, self.clock, self.step = RATES[codec]
        self.session = open_session(engine, codec)
        channels = "/2" if codec == "opus" else ""
        engine.set_remote(
            self.session,
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.socket.getsockname()[1]} RTP/AVP {self.format}\r\n"
            f"a=rtpmap:{self.format} {codec.upper()}/{self.clock}{channels}\r\n",
            "offer",
            "",
        )
        answer = engine.create_answer(self.session)
        port = int(answer.partition("m=audio ")[2].split()[0])
        self.socket.connect(("127.0.0.1", port))

    def send(self, number: int, payload: bytes) -> None:
        """Send one packet."""
        header = struct.pack(
            "!BBHII",
            0x80,
            self.format,
            number & 0xFFFF,
            number * self.step & 0xFFFFFFFF,
            self.session,
        )
        self.socket.send(header + payload)

    def drain(self) -> list[bytes]:
        """Return what has come."""
        packets = []
        while True:
            try:
                packets.append(self.socket.recv(2048))
            except BlockingIOError:
                return packets


def open_session(engine: MediaEngine, codec: str) -> int:
    return engine.open_session(
        transport="plain",
        local_addresses=["127.0.0.1"],
        advertised="",
        codecs=[codec],
        dtmf=False,
        ptime_ms=20,
    )


def payloads(codec: str, level_dbov: float) -> list[bytes]:
    """Return a second of a tone as payloads of a codec; made by an engine of its own."""
    engine = MediaEngine(seed=bytes(32), threads=1)
    far = FarEnd(engine, codec)
    engine.play_tone(far.session, [300.0, 450.0], [], math.inf, level_dbov)
    far.send(0, bytes(far.step if codec == "pcmu" else 3))
    found: list[bytes] = []
    while len(found) < 60:
        select.select([far.socket], [], [], 1.0)
        found += [p[12:] for p in far.drain() if p[1] & 0x7F == far.format]
    engine.close()
    return found[10:60]


def media_seconds() -> float:
    """Return the CPU seconds of the engine's thread."""
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        if (task / "comm").read_text().startswith("trivox-media"):
            return int((task / "schedstat").read_text().split()[0]) / 1e9
    raise RuntimeError("no thread of the engine")


def main(codec: str, members: int, speakers: int, seconds: float) -> None:
    """Fill the room, let them speak, say what it cost."""
    voice, silence = payloads(codec, -20.0), payloads(codec, -70.0)
    engine = MediaEngine(seed=bytes(32), threads=1)
    room = engine.open_room()
    far_ends = [FarEnd(engine, codec) for _ in range(members)]
    for far in far_ends:
        engine.add_member(room, far.session, **SETTINGS)
    number, due = 0, time.monotonic()
    until, begun, received, dropped = 0.0, 0.0, 0, 0
    while not until or due < until:
        if not until and number == 100:
            begun, until, received = media_seconds(), due + seconds, 0
            dropped = engine.counts()["frames_dropped"]
        for index, far in enumerate(far_ends):
            sounds = voice if index < speakers else silence
            far.send(number, sounds[number % len(sounds)])
            received += len(far.drain())
        number, due = number + 1, due + FRAME
        time.sleep(max(0.0, due - time.monotonic()))
    figures = {
        "cpu_share_of_a_core": (media_seconds() - begun) / seconds,
        "share_received": received / (members * seconds / FRAME),
        "frames_dropped": engine.counts()["frames_dropped"] - dropped,
    }
    print(json.dumps(figures), flush=True)
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
