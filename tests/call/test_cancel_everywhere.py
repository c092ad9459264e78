"""The sweep: a program is cancelled at its k-th step, for every k, and nothing is left of its call.

With the driven media engine, over UDP and TCP, outgoing and incoming. After each k the far end's
call has ended too, and tasks, tokens, timers, transactions and media sessions are back to base.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trivox.client.opening import open_client
from trivox.media.native_engine import driven_media
from trivox.media.sources import ToneSource
from trivox.testing import Link

NEAR, FAR = "10.0.0.1", "10.0.0.2"
LEAST_STEPS = 30
QUIET = 70.0
"""Seconds until the last timer of a call has run (64·T1 twice)."""


class CancelAt(trio.abc.Instrument):
    """Cancels a scope when its task takes its k-th step."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.steps = 0
        self.task = None
        self.scope = trio.CancelScope()

    def before_task_step(self, task) -> None:
        if task is self.task:
            self.steps += 1
            if self.steps == self.k:
                self.scope.cancel()

    async def run(self, program, *args) -> None:
        """Run the program in the scope, in the calling task."""
        self.task = trio.lowlevel.current_task()
        try:
            with self.scope:
                await program(*args)
        finally:
            self.task = None


async def talk(call, path) -> None:
    """What a program does with a call: a bit of everything."""
    async with call.recording(path):
        await call.play(ToneSource(duration=0.1))
        await call.send_dtmf("4").wait()
        await call.send_info("text/plain", "hello").wait()
        frames = 0
        with call.audio() as port:
            async for _ in port:
                await port.send(bytes(640))
                frames += 1
                if frames == 10:
                    break
        await call.collect_dtmf(prompt=ToneSource(duration=0.1), first_timeout=0.2)


class Sweep:
    """One run of two clients, one of them cancelled at step k."""

    def __init__(self, k: int, transport: str, path) -> None:
        self.at = CancelAt(k)
        self.transport = transport
        self.path = path
        self.ends = []
        self.born = 0

    def client(self, link, media, host):
        return open_client(
            listen=[f"sip:{host}:5060;transport={self.transport}"],
            engine=media,
            sockets=link.host(host),
            seed=host.encode() * 4,
        )

    async def far_handler(self, call) -> None:
        self.born += 1
        try:
            await call.progress(180)
            await trio.sleep(0.05)
            await call.answer()
            await call.wait_ended()
        finally:
            with trio.CancelScope(shield=True):
                self.ends.append(await call.wait_ended())

    async def near_handler(self, call) -> None:
        async def answer_and_talk() -> None:
            async with call:
                await call.progress(180)
                await call.answer()
                await talk(call, self.path)

        await self.at.run(answer_and_talk)

    async def dial_and_talk(self, client) -> None:
        async with client.dial(self.uri) as call:
            await talk(call, self.path)

    async def far_dials(self, client) -> None:
        self.born += 1
        call = client.create_call(self.uri)
        await call.start()
        self.ends.append(await call.wait_ended())

    @property
    def uri(self) -> str:
        return f"sip:x@{FAR}:5060;transport={self.transport}"

    async def outgoing(self) -> None:
        await self.between(self.far_handler, lambda near: self.at.run(self.dial_and_talk, near))

    async def incoming(self) -> None:
        await self.between(self.near_handler, self.far_dials)

    async def between(self, handler, call) -> None:
        """Let `call(near client)` call the far client, which runs `handler`; check all is over."""
        link = Link(1, delay=0.005)
        media = driven_media(seed=b"sweep" * 8, now=trio.current_time())
        async with self.client(link, media, NEAR) as near, self.client(link, media, FAR) as far:
            tasks = trio.lowlevel.current_statistics().tasks_living
            async with trio.open_nursery() as nursery:
                await nursery.start(far.serve, handler)
                await call(near)
                await trio.sleep(QUIET)
                nursery.cancel_scope.cancel()
            for client in (near, far):
                figures = client.statistics()
                assert (figures.calls, figures.timers, figures.tokens) == (0, 0, 0)
                core = figures.sip.core
                assert core["transactions"] == core["dialogs"] == core["timers"] == 0
            assert media.sessions.counts()["sessions"] == 0
            assert len(self.ends) == self.born
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living <= tasks + 4  # TCP readers
        media.close()


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
def test_a_call_cancelled_at_any_step_leaves_nothing(direction, transport, tmp_path) -> None:
    k = 0
    while True:
        k += 1
        sweep = Sweep(k, transport, tmp_path / f"{k}.wav")
        trio.run(
            getattr(sweep, direction),
            clock=trio.testing.MockClock(autojump_threshold=0),
            instruments=[sweep.at],
        )
        if sweep.at.steps < k:
            break

    print(f"{direction} over {transport}: n = {k - 1} steps")
    assert k - 1 > LEAST_STEPS
