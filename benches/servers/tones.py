"""Calls on one media thread that hear speech, and listen for this or that; figures as JSON.

Usage: python -m benches.servers.tones CODEC CALLS SECONDS nothing|keys|tones|answerer|voice
"""

from __future__ import annotations

import json
import sys
import time

from benches.servers.conference import FRAME, FarEnd, media_seconds, payloads
from trivox._native import MediaEngine

WARM_UP = 50
ANSWERER = {"initial_silence": 60.0, "greeting": 60.0, "after_greeting": 60.0, "words": 1000, "word": 0.1}  # fmt: skip


def main(codec: str, calls: int, seconds: float, what: str) -> None:
    """Let the calls hear sound that begins and ends, and say what it cost."""
    sounds = payloads(codec, -20.0)[:25] + payloads(codec, -70.0)[:25]
    engine = MediaEngine(seed=bytes(32), threads=1)
    far_ends = [FarEnd(engine, codec) for _ in range(calls)]
    for far in far_ends:
        _listen(engine, far.session, what)
    number, due = 0, time.monotonic()
    begun, until = 0.0, float("inf")
    while due < until:
        if number == WARM_UP:
            begun, until = media_seconds(), due + seconds
        for far in far_ends:
            far.send(number, sounds[number % len(sounds)])
            far.drain()
        number, due = number + 1, due + FRAME
        time.sleep(max(0.0, due - time.monotonic()))
        while engine.drain(500):
            pass
    share = (media_seconds() - begun) / seconds
    print(json.dumps({"us_per_call_and_frame": share / calls * FRAME * 1e6}), flush=True)
    engine.close()


def _listen(engine: MediaEngine, session: int, what: str) -> None:
    if what in {"keys", "tones"}:
        engine.set_tones(session, dtmf=what == "keys", tones=what == "tones")
    elif what == "answerer":
        engine.begin_answerer(session, **ANSWERER, limit=60.0)
    elif what == "voice":
        engine.set_listening(session, voice=True, hang_over=0.3, level_interval=0.0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
