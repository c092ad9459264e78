"""Opus calls on one media thread that play one file, together or each for itself; figures as JSON.

Usage: python -m benches.servers.shared CALLS SECONDS shared|own
Far ends are plain sockets that nobody reads: only what is played is measured.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import tempfile
import time
import wave
from pathlib import Path

from benches.servers.conference import FarEnd, media_seconds
from trivox._native import MediaEngine
from trivox.media.sources import FileSource, SharedSource, start_playback

WARM_UP = 1.0


def main(calls: int, seconds: float, how: str) -> None:
    """Set the calls up, let them play, say what it cost."""
    engine = MediaEngine(seed=bytes(32), threads=1)
    far_ends = [FarEnd(engine, "opus") for _ in range(calls)]
    with tempfile.TemporaryDirectory() as folder:
        music = FileSource(_file(Path(folder)), loop=True)
        source = SharedSource(music) if how == "shared" else music
        for far in far_ends:
            start_playback(engine, far.session, source, "beside")
        time.sleep(WARM_UP)
        share = source.open(engine) if isinstance(source, SharedSource) else None

        def encoded() -> int:
            own = sum(engine.encoded(far.session) for far in far_ends)
            return own + (share.encoded if share is not None else 0)

        frames, cpu, begin = encoded(), media_seconds(), time.monotonic()
        time.sleep(seconds)
        wall = time.monotonic() - begin
        figures = {
            "encoded_per_s": (encoded() - frames) / wall,
            "cpu_share_of_a_core": (media_seconds() - cpu) / wall,
        }
        print(json.dumps(figures), flush=True)
        engine.close()


def _file(folder: Path) -> str:
    path = folder / "music.wav"
    samples = [round(6000 * math.sin(math.tau * 330 * n / 16_000)) for n in range(32_000)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return str(path)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
