"""A call that is recorded while its disk fills up; what the program is told, as JSON.

Usage: python -m tests.call.full_disk PATH BYTES
A process of its own, since the limit that stands for a full disk is one of processes.
"""

from __future__ import annotations

import json
import resource
import sys

import trio
import trio.testing
from tests.call.conftest import World

import trivox
from trivox.media.native_engine import driven_media, file_seconds


async def main(path: str, limit: int) -> None:
    """Record 6 s of a call into a file that can take `limit` bytes."""
    world = World()
    world.media = driven_media(seed=b"full disk", now=trio.current_time())
    told: list[tuple[float, str, str]] = []

    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await call.play(trivox.ToneSource([440.0]))

    said = {}
    async with world.with_server(handler) as (client, uri), client.dial(uri) as call:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        begin = trio.current_time()
        call.on(
            trivox.RecordingFailed,
            lambda event: told.append((event.at - begin, event.path, event.error)),
        )
        recording = call.recording(path, side="received")
        try:
            async with recording:
                await trio.sleep(6)
                said = {"error": recording.error, "state": call.state.value.value}
        except trivox.EngineError as error:
            said |= {"raised": str(error), "seconds": recording.seconds}
    world.media.close()
    print(json.dumps({**said, "told": told, "on_disk": file_seconds(path)}))


if __name__ == "__main__":
    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(main, sys.argv[1], int(sys.argv[2]), clock=clock)
