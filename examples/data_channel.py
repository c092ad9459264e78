"""Answer every call and send back what is written on its data channels.

Run it with a page of yours as the caller: `python examples/data_channel.py`, and call
sip:anyone@127.0.0.1:5080 over a WebSocket. Needs `pip install trivox[ws]`.
"""

from __future__ import annotations

import sys

import trio

import trivox


async def answer(channel: trivox.DataChannel) -> None:
    """Send back each message, text as text and bytes as bytes, until the channel is over."""
    try:
        async for message in channel:
            await channel.send(message)
    except trio.BrokenResourceError as error:
        print(error)


async def echo(call: trivox.Call) -> None:
    """Take the channels that the far end opens until it hangs up."""
    async with (
        call.events(trivox.DataChannelOpened) as opened,
        trio.open_nursery() as nursery,
        call.cancel_on_end(),
    ):
        await call.answer()
        async for event in opened:
            nursery.start_soon(answer, event.channel)


if __name__ == "__main__":
    listen = sys.argv[1:] or ["sip:127.0.0.1:5080;transport=ws"]
    trio.run(trivox.serve_calls, echo, *listen)
