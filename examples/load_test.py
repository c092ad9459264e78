"""Place calls at a steady rate, talk on each for a while, and judge what came of them.

Usage: python examples/load_test.py sip:echo@127.0.0.1:5060 CALLS PER_SECOND SECONDS
Try it with examples/echo.py as the far end. It exits with 1 when a call failed or lost sound.
"""

from __future__ import annotations

import sys
from collections import Counter

import trio

import trivox

SPEECH = trivox.ToneSource((440.0,))
MOST_LOSS = 0.01


class Result:
    """What all calls of a run have shown."""

    def __init__(self) -> None:
        self.setups: list[float] = []
        self.losses: list[float] = []
        self.failures: Counter[str] = Counter()

    @property
    def is_good(self) -> bool:
        """Whether every call was connected, and heard nearly all that was sent back."""
        return bool(self.setups) and not self.failures and max(self.losses) <= MOST_LOSS

    def __str__(self) -> str:
        lines = [f"{len(self.setups)} calls were good, {self.failures.total()} were not"]
        lines += [f"{count} times {what}" for what, count in self.failures.items()]
        if self.setups:
            ordered = sorted(self.setups)
            middle, slow = (ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99))
            lines.append(f"set-up {middle * 1000:.0f} ms (median), {slow * 1000:.0f} ms (p99)")
            lines.append(f"loss {max(self.losses):.2%} in the worst call")
        return "\n".join(lines)


async def run(destination: str, calls: int, per_second: float, seconds: float) -> Result:
    """Start `calls` calls, `per_second` each second whatever becomes of them, `seconds` long."""
    result = Result()

    async def talk(client: trivox.Client) -> None:
        try:
            async with client.dial(destination) as call:
                with trio.move_on_after(seconds):
                    await call.play(SPEECH)
        except (trivox.CallFailedError, trivox.CallEndedError) as error:
            result.failures[str(error)] += 1
            return
        report = call.statistics()
        result.setups.append(call.timings.setup or 0.0)
        result.losses.append(report.loss if report.packets_received else 1.0)

    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:
        begin = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(calls):
                await trio.sleep_until(begin + number / per_second)
                nursery.start_soon(talk, client)
    return result


if __name__ == "__main__":
    result = trio.run(run, sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    print(result)
    sys.exit(not result.is_good)
