"""A conference room for everybody who calls: `python examples/conference.py`.

Keys: 1 mutes and unmutes, 2 and 3 make the caller quieter and louder. Each user part of the
dialled address is a room of its own: sip:standup@127.0.0.1, sip:board@127.0.0.1.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import AsyncExitStack

import trio

import trivox


class Rooms:
    """Conferences by name, each open as long as somebody is in it."""

    def __init__(self, client: trivox.Client) -> None:
        self._client = client
        self._open: dict[str, tuple[trivox.Conference, AsyncExitStack]] = {}
        self._guests: Counter[str] = Counter()

    async def enter(self, name: str, call: trivox.Call) -> trivox.ConferenceMember:
        """Add a call to the room of that name; `leave` is to follow, whatever happens."""
        self._guests[name] += 1
        if name not in self._open:
            stack = AsyncExitStack()
            conference = self._client.create_conference(name)
            self._open[name] = conference, stack
            await stack.enter_async_context(conference)
            conference.on(trivox.ActiveSpeakerChanged, print_speaker)
        return self._open[name][0].add(call)

    async def leave(self, name: str, call: trivox.Call) -> None:
        """Take a call out; the last one closes the room."""
        self._guests[name] -= 1
        self._open[name][0].remove(call)
        # Counted here: who hangs up is no member any more before its handler comes to this.
        if not self._guests[name]:
            await self._open.pop(name)[1].aclose()


def print_speaker(event: trivox.ActiveSpeakerChanged) -> None:
    """Say who speaks."""
    speaker = event.member.call.remote_display_name.value if event.member else "nobody"
    print(f"{event.conference.name}: {speaker} speaks")


async def take_part(rooms: Rooms, call: trivox.Call) -> None:
    """Be in a room until the caller hangs up."""
    await call.answer()
    name = call.destination.removeprefix("sip:").partition("@")[0]
    try:
        member = await rooms.enter(name, call)
        async for event in call.events(trivox.DtmfReceived):
            match event.tone:
                case "1":
                    member.unmute() if member.is_muted else member.mute()
                case "2" | "3" as key:
                    step = -3.0 if key == "2" else 3.0
                    member.gain = min(30.0, max(-60.0, member.gain + step))
    finally:
        with trio.CancelScope(shield=True):
            await rooms.leave(name, call)


async def main(*listen: str) -> None:
    """Serve until stopped."""
    async with trivox.open_client(listen=listen) as client:
        rooms = Rooms(client)
        await client.serve(lambda call: take_part(rooms, call))


if __name__ == "__main__":
    trio.run(main, *(sys.argv[1:] or ["sip:127.0.0.1:5060;transport=udp"]))
