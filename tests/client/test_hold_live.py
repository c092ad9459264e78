"""Hold and resume over real sockets, again and again: what each end hears is judged by its tone."""

from __future__ import annotations

import pytest
import trio
from tests.media.pairs import tone_power

from trivox import CallSettings, ToneSource, open_client

pytestmark = [pytest.mark.native, pytest.mark.slow]

RATE = 8_000
NEAR, FAR, MUSIC = 500.0, 800.0, 1300.0
WINDOW = 0.1


class Ear:
    """One end of a call that tells what it hears at the moment."""

    def __init__(self, call) -> None:
        self.port = call.audio(rate=RATE)

    def _drop_old(self) -> None:
        self.port._take(1000)
        self.port._frames.clear()

    async def hears(self) -> float | None:
        """Return the tone of the next 100 ms; None for silence."""
        self._drop_old()
        samples: list[int] = []
        async for frame in self.port:
            samples += memoryview(bytes(frame)).cast("h")
            if len(samples) >= RATE * WINDOW:
                break
        if max(abs(sample) for sample in samples) < 500:
            return None
        return max((NEAR, FAR, MUSIC), key=lambda hertz: tone_power(samples, RATE, hertz))

    async def comes_to_hear(self, wanted: float | None) -> None:
        """Wait until that is heard, twice in a row, within two seconds."""
        heard: list[float | None] = []
        with trio.move_on_after(2):
            while heard[-2:] != [wanted, wanted]:
                heard.append(await self.hears())
        assert heard[-2:] == [wanted, wanted], heard


@pytest.mark.parametrize("media", ["rtp", "webrtc"])
async def test_twenty_holds_each_stop_and_each_resume(media: str) -> None:
    taken = trio.Event()
    ears = {}

    async def handler(call) -> None:
        await call.answer()
        await call.wait_connected()
        ears["far"], ears["far_call"] = Ear(call), call
        taken.set()
        await call.play(ToneSource((FAR,)))

    async with (
        open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as callee,
        open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as caller,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, handler)
        uri = callee.listening_on[0].replace("sip:", "sip:far@", 1)
        async with caller.dial(uri, CallSettings(media=media)) as call:
            with trio.fail_after(30):
                await taken.wait()
            nursery.start_soon(_play, call)
            near, far = Ear(call), ears["far"]
            await near.comes_to_hear(FAR)
            await far.comes_to_hear(NEAR)
            for cycle in range(20):
                music = ToneSource((MUSIC,)) if cycle % 2 else None
                await call.hold(music=music)
                assert ears["far_call"].is_remotely_held.value is True
                await far.comes_to_hear(MUSIC if music else None)
                await near.comes_to_hear(None)
                await call.hold(False)
                await far.comes_to_hear(NEAR)
                await near.comes_to_hear(FAR)
            assert call.statistics().packets_lost <= 2
        nursery.cancel_scope.cancel()


async def _play(call) -> None:
    try:
        await call.play(ToneSource((NEAR,)))
    except Exception:
        return
