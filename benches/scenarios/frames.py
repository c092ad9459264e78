"""What it costs the Trio thread to hand the frames of 300 calls to their programs.

One process holds both ends of 150 calls over loopback: 300 ports, each read by a task of its own,
50 frames of 20 ms a second at 16 kHz. Counted is the CPU time of the thread that Trio runs in; the
engine's threads decode, resample and judge whether somebody speaks, and have a column of their own.
"""

from __future__ import annotations

import resource
import time
from functools import partial
from typing import TYPE_CHECKING

import trio

import trivox
from benches import process, runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.report import Row

CALLS = 150
SECONDS = 5.0
BATCHES = (5, 2, 1)


def run() -> list[Row]:
    """Measure batches of 100, 40 and 20 ms."""
    cases = {
        f"{2 * CALLS} ports, batches of {20 * batch} ms": partial(trio.run, _measure, batch)
        for batch in BATCHES
    }
    process.pin(None)  # both ends are in this process: it needs all cores there are
    try:
        return runs.rows("frames", cases)
    finally:
        process.pin(0)


async def _measure(batch: int) -> dict[str, float]:
    counted = [0]
    with trio.fail_after(120):
        async with (
            trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as caller,
            trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as callee,
            trio.open_nursery() as nursery,
        ):
            read = _reader(batch, counted)
            await nursery.start(callee.serve, read)
            target = callee.listening_on[0].replace("sip:", "sip:bench@", 1)
            for _ in range(CALLS):
                call = caller.create_call(target)
                await call.start()
                await call.wait_connected()
                nursery.start_soon(_read, call, batch, counted)
            await trio.sleep(1.0)
            figures = await _count(counted)
            nursery.cancel_scope.cancel()
    return figures


def _reader(batch: int, counted: list[int]) -> Callable[[trivox.Call], object]:
    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await _read(call, batch, counted)

    return handler


async def _read(call: trivox.Call, batch: int, counted: list[int]) -> None:
    async for _frame in call.audio(batch=batch):
        counted[0] += 1


async def _count(counted: list[int]) -> dict[str, float]:
    frames, thread, whole = counted[0], time.thread_time(), _process_time()
    wall = time.monotonic()
    await trio.sleep(SECONDS)
    wall, thread = time.monotonic() - wall, time.thread_time() - thread
    whole, frames = _process_time() - whole, counted[0] - frames
    return {
        "frames_per_s": frames / wall,
        "trio_percent": 100 * thread / wall,
        "us_per_frame": 1e6 * thread / max(frames, 1),
        "percent_at_15000": 100 * 15_000 * thread / max(frames, 1),
        "engine_percent": 100 * (whole - thread) / wall,
    }


def _process_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
