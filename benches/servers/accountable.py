"""Answer every call; for each line read, print as JSON what the process holds at that moment."""

from __future__ import annotations

import gc
import json
import os
import threading
from pathlib import Path

import trio

import trivox

from .uas import handler


def held(client: trivox.Client) -> dict[str, int]:
    """Count all that a call could leave behind."""
    gc.collect()
    statistics = client.statistics()
    core = statistics.sip.core
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "threads": threading.active_count(),
        "calls": statistics.calls,
        "call_timers": statistics.timers,
        "tokens": statistics.tokens,
        "transactions": core["transactions"],
        "dialogs": core["dialogs"],
        "sip_timers": core["timers"],
        **{f"engine_{name}": statistics.engine[name] for name in ("sessions", "sockets")},
    }


def counted(client: trivox.Client) -> dict[str, int]:
    """Counters that only grow."""
    core = client.statistics().sip.core
    return {name: core[name] for name in ("retransmitted", "absorbed", "malformed", "panics")}


async def main() -> None:
    """Serve on a free port until the input ends."""
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            print(trivox.sip.Uri.parse(client.listening_on[0]).port, flush=True)
            async with trio.lowlevel.FdStream(os.dup(0)) as orders:
                while await orders.receive_some(100):
                    answer = {"held": held(client), "counted": counted(client)}
                    print(json.dumps(answer), flush=True)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
