"""Answer every call and send back what is heard.

Run it, then call it: `python examples/echo.py`, and dial sip:anyone@127.0.0.1:5060.
"""

from __future__ import annotations

import sys

import trio

import trivox


async def echo(call: trivox.Call) -> None:
    """Send every frame back until the caller hangs up."""
    await call.answer()
    audio = call.audio(rate=16_000, frame=0.02, batch=1)
    async for frame in audio:
        await audio.send(frame)


if __name__ == "__main__":
    listen = sys.argv[1:] or ["sip:127.0.0.1:5060;transport=udp"]
    trio.run(trivox.serve_calls, echo, *listen)
