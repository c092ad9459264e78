"""Answer every call; print the port, then serve until ended."""

from __future__ import annotations

import gc

import trio

import trivox


def noticed(event: trivox.Connected) -> None:
    """Stand in for a program's listener."""


async def handler(call: trivox.Call) -> None:
    """What the smallest real server does."""
    call.add_event_listener(trivox.Connected, noticed)
    await call.answer()
    await call.wait_ended()


async def main() -> None:
    """Serve on a free port."""
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:
        print(trivox.sip.Uri.parse(str(client.listening_on[0])).port, flush=True)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        await client.serve(handler)


if __name__ == "__main__":
    trio.run(main)
