"""Answer every call with a beep and record both sides until the caller hangs up.

Usage: python examples/recorder.py FOLDER [LISTEN_URI …]
Each call becomes FOLDER/CALL-ID.wav: left what the caller said, right what we played.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

import trivox

BEEP = trivox.ToneSource((1000.0,), duration=0.4)


class Recorder:
    """The handler of every call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, call: trivox.Call) -> None:
        """Beep, then record."""
        await call.answer()
        async with call.recording(self.folder / f"{call.id}.wav"):
            await call.play(BEEP)
            end = await call.wait_ended()
        print(f"{call.id}: {call.duration:.1f} s, ended by {end.originator}")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    listen = sys.argv[2:] or ["sip:127.0.0.1:5060;transport=udp"]
    trio.run(trivox.serve_calls, Recorder(folder), *listen)
