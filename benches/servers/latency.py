"""Calls between two clients of this process, whose programs talk and listen; figures as JSON.

Usage: python -m benches.servers.latency CODEC CALLS SECONDS
Every caller hands over 20 ms of soft noise each 20 ms; now and then they are loud. What is measured
is the time from handing those over to having them as a frame on the other side. They begin once all
calls are up: a program that is late while others are set up has more queued ever after, which is its
own time and not ours. What was queued before a frame is a figure of its own.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial

import trio

import trivox
from benches.talkers import quantile

FRAME = 0.02
WARM_UP = 3.0
LOUD_DBOV = -20.0
RATES = {"pcmu": 8_000, "opus": 48_000}


@dataclass
class Line:
    """One call: the loud frames under way, and how long those that came have taken."""

    under_way: deque[float] = field(default_factory=deque)
    delays: list[float] = field(default_factory=list)
    queued: list[float] = field(default_factory=list)


async def main(codec: str, calls: int, seconds: float) -> None:
    """Set the calls up, let them talk, say how long it took."""
    name = {"pcmu": "PCMU", "opus": "opus"}[codec]
    settings = trivox.CallSettings(audio_codecs=(name,), media="rtp")
    lines = [Line() for _ in range(calls)]
    async with (
        trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as caller,
        trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as callee,
        trio.open_nursery() as nursery,
    ):
        waiting = iter(lines)

        async def hear(call: trivox.Call) -> None:
            await call.answer()
            await _listen(call, next(waiting), RATES[codec])

        nursery.start_soon(callee.serve, hear)
        target = callee.listening_on[0].replace("sip:", "sip:bench@", 1)
        said = [caller.create_call(target, settings) for _ in lines]
        for call in said:
            await call.start()
            await call.wait_connected()
        for call, line in zip(said, lines, strict=True):
            nursery.start_soon(_talk, call, line, RATES[codec])
        await trio.sleep(WARM_UP)
        for line in lines:
            line.delays.clear()
            line.queued.clear()
        await trio.sleep(seconds)
        held = [call.statistics().buffer_delay for call in callee.calls.values()]
        nursery.cancel_scope.cancel()
    delays = [delay for line in lines for delay in line.delays]
    queued = [before for line in lines for before in line.queued]
    figures = {
        "frames": len(delays),
        "mouth_to_ear_ms_p50": quantile(delays, 0.5) * 1e3,
        "mouth_to_ear_ms_p99": quantile(delays, 0.99) * 1e3,
        "queued_before_ms_p50": quantile(queued, 0.5) * 1e3,
        "queued_before_ms_p99": quantile(queued, 0.99) * 1e3,
        "jitter_buffer_ms_p50": quantile(held, 0.5) * 1e3,
        "jitter_buffer_ms_p99": quantile(held, 0.99) * 1e3,
    }
    print(json.dumps(figures), flush=True)


async def _talk(call: trivox.Call, line: Line, rate: int) -> None:
    chance = random.Random(call.id)
    soft, loud = _noise(chance, rate, 300), _noise(chance, rate, 12_000)
    audio = call.audio(rate=rate)
    begin = trio.current_time() + chance.random() * FRAME
    turn, next_loud = 0, 10
    while True:
        await trio.sleep_until(begin + turn * FRAME)
        is_loud, begun, before = turn == next_loud, time.perf_counter(), audio.queued
        next_loud += chance.randrange(10, 16) if is_loud else 0
        turn += 1
        try:
            audio.send_nowait(loud if is_loud else soft)
        except trio.WouldBlock:
            continue  # the machine stood still, and we are beyond what may be queued
        if is_loud:
            line.under_way.append(begun)
            line.queued.append(before)


async def _listen(call: trivox.Call, line: Line, rate: int) -> None:
    was_loud = False
    async for frame in call.audio(rate=rate):
        is_loud = frame.level > LOUD_DBOV
        if is_loud and not was_loud and line.under_way:
            line.delays.append(time.perf_counter() - line.under_way.popleft())
        was_loud = is_loud


def _noise(chance: random.Random, rate: int, peak: int) -> bytes:
    count = round(rate * FRAME)
    return struct.pack(f"<{count}h", *(chance.randint(-peak, peak) for _ in range(count)))


if __name__ == "__main__":
    trio.run(partial(main, sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
