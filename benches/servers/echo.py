"""Answer every call and send its packets back as they come; print the port, then serve until ended."""

from __future__ import annotations

import gc

import trio

import trivox


async def main() -> None:
    """Serve on a free port."""
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:

        async def echo(call: trivox.Call) -> None:
            await call.answer()
            async with client.bridge(call, call) as bridge:
                await bridge.wait_ended()

        print(trivox.sip.Uri.parse(str(client.listening_on[0])).port, flush=True)
        gc.collect()
        gc.freeze()
        await client.serve(echo)


if __name__ == "__main__":
    trio.run(main)
