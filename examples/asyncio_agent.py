"""A voice agent whose model client speaks only asyncio.

Trio runs as a guest of the asyncio loop, in the same thread. Heard audio goes to the model by an
asyncio queue, spoken audio comes back by a Trio memory channel; both are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from functools import partial

import trio

import trivox


async def echoing_model(heard: asyncio.Queue[bytes], spoken: trio.MemorySendChannel[bytes]) -> None:
    """Stand in for an asyncio-only model: says each half second back."""
    speech = b""
    while True:
        speech += await heard.get()
        if len(speech) >= 16_000:  # half a second of int16 at 16 kHz
            # The caller may be behind, or gone: then this half second is lost.
            with contextlib.suppress(trio.WouldBlock, trio.BrokenResourceError):
                spoken.send_nowait(speech)
            speech = b""


async def agent(call: trivox.Call) -> None:
    """Carry audio between one call and one model."""
    heard: asyncio.Queue[bytes] = asyncio.Queue(maxsize=50)
    to_call, from_model = trio.open_memory_channel[bytes](50)
    model = asyncio.get_running_loop().create_task(echoing_model(heard, to_call))
    try:
        await call.answer()
        audio = call.audio(rate=16_000)
        async with call.cancel_on_end(), trio.open_nursery() as nursery:
            nursery.start_soon(speak, from_model, audio)
            async for frame in audio:
                if not heard.full():  # a model that stalls must not hold up the call
                    heard.put_nowait(bytes(frame))
    finally:
        model.cancel()


async def speak(from_model: trio.MemoryReceiveChannel[bytes], audio: trivox.AudioPort) -> None:
    """Send what the model says, at the pace the call plays it."""
    async for speech in from_model:
        await audio.send(speech)


def run_as_guest(async_function: object, *args: object) -> None:
    """Run a Trio function inside a new asyncio loop, and raise what it raises."""

    async def host() -> None:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            async_function,
            *args,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        (await done).unwrap()

    asyncio.run(host())


if __name__ == "__main__":
    listen = sys.argv[1:] or ["sip:127.0.0.1:5060;transport=udp"]
    run_as_guest(partial(trivox.serve_calls, agent, *listen))
