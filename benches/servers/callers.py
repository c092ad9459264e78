"""Keep calls up with a server on this host: the far end of the memory scenario, in its own process.

Reads lines from its input: a number of calls to hold in all; answers each with the number held.
"""

from __future__ import annotations

import sys

import trio

import trivox

AT_ONCE = 16


async def main(target: str) -> None:
    """Place calls as asked until the input ends."""
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:
        held: list[trivox.Call] = []
        settings = trivox.CallSettings(audio_codecs=("PCMU",), media="rtp", media_timeout=None)
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            while len(held) < int(line):
                batch = [
                    client.create_call(target, settings)
                    for _ in range(min(AT_ONCE, int(line) - len(held)))
                ]
                async with trio.open_nursery() as nursery:
                    for call in batch:
                        nursery.start_soon(_connect, call)
                held += batch
            print(len(held), flush=True)


async def _connect(call: trivox.Call) -> None:
    await call.start()
    await call.wait_connected()


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
