"""Pairs of media sessions that talk to each other over real sockets; figures as JSON lines.

Usage: python -m benches.servers.media TRANSPORT CODEC PAIRS SECONDS
Both ends live in this process: each session receives and sends one packet every 20 ms.
"""

from __future__ import annotations

import json
import os
import sys
import time

from benches import process
from trivox._native import MediaEngine
from trivox.media.engine import EngineEventKind


def main(transport: str, codec: str, pairs: int, seconds: float) -> None:
    """Set the pairs up, let them talk, say what it cost."""
    engine = MediaEngine(seed=bytes(32), threads=1)
    base = process.usage(os.getpid())
    sessions = _connected_pairs(engine, transport, codec, pairs)
    connected = process.usage(os.getpid())
    time.sleep(1.0)
    received_before, before = _received(engine, sessions), process.usage(os.getpid())
    time.sleep(seconds)
    received_after, after = _received(engine, sessions), process.usage(os.getpid())
    packets = received_after - received_before
    figures = {
        "set_up_ms_per_pair": (connected.cpu_seconds - base.cpu_seconds) / pairs * 1e3,
        "cpu_us_per_packet": (after.cpu_seconds - before.cpu_seconds) / packets * 1e6,
        "packets_per_second": packets / seconds,
        "share_received": packets / (seconds * 50 * len(sessions)),
        "kb_per_session": (after.resident_bytes - base.resident_bytes) / len(sessions) / 1024,
    }
    print(json.dumps(figures), flush=True)
    engine.close()


def _connected_pairs(engine: MediaEngine, transport: str, codec: str, pairs: int) -> list[int]:
    sessions = []
    for _ in range(pairs):
        caller, callee = (
            engine.open_session(
                transport=transport,
                local_addresses=["127.0.0.1"],
                advertised="",
                codecs=[codec],
                dtmf=True,
                ptime_ms=20,
            )
            for _ in range(2)
        )
        engine.set_remote(callee, engine.create_offer(caller), "offer", "")
        engine.set_remote(caller, engine.create_answer(callee), "answer", "a")
        sessions += [caller, callee]
    waiting = set(sessions)
    deadline = time.monotonic() + 60
    while waiting:
        for session, kind, _, text in engine.drain(500):
            if kind == EngineEventKind.CONNECTED:
                waiting.discard(session)
            if kind == EngineEventKind.FAILED:
                raise RuntimeError(f"a session failed: {text}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(waiting)} of {len(sessions)} sessions never connected")
        time.sleep(0.002)
    return sessions


def _received(engine: MediaEngine, sessions: list[int]) -> float:
    while engine.drain(500):
        pass
    return sum(float(engine.statistics(session)["packets_received"]) for session in sessions)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
