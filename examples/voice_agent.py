"""A voice agent that can be interrupted: it says back each sentence, and knows what was heard.

Usage: python examples/voice_agent.py [LISTEN_URI …]
"""

from __future__ import annotations

import contextlib
import sys

import trio

import trivox

RATE = 16_000
PIECE = RATE // 5  # 100 ms of int16
SETTINGS = trivox.CallSettings(detection=trivox.Detection(hang_over=0.6))


class Agent:
    """One conversation. A real one asks its model where this one repeats the sentence."""

    def __init__(self, audio: trivox.AudioPort) -> None:
        self.audio = audio
        self.say, self.sentences = trio.open_memory_channel[bytes](8)
        self.saying = trio.CancelScope()

    async def listen(self) -> None:
        """Collect what is said between two pauses; stop speaking as soon as somebody else does."""
        sentence = bytearray()
        async for frame in self.audio:
            if frame.speech_started and self.audio.is_playing:
                self.saying.cancel()
                print(f"interrupted after {self.audio.clear(fade=0.02).heard_ms} ms", flush=True)
            if frame.speech:
                sentence += bytes(frame)
            elif sentence:
                with contextlib.suppress(trio.WouldBlock):  # it has eight to say already
                    self.say.send_nowait(bytes(sentence))
                sentence.clear()

    async def speak(self) -> None:
        """Say one sentence after the other, never more than 200 ms ahead of the far end."""
        async for sentence in self.sentences:
            with trio.CancelScope() as self.saying:
                for start in range(0, len(sentence), PIECE):
                    await self.audio.send(sentence[start : start + PIECE])
                if await self.audio.wait_played():
                    self.audio.clear()  # the next interruption counts from here
                    print(f"said all {len(sentence) / 2 / RATE:.1f} s", flush=True)


async def handler(call: trivox.Call) -> None:
    """Answer and converse until the call ends."""
    await call.answer(SETTINGS)
    with call.audio(rate=RATE) as audio:
        agent = Agent(audio)
        async with call.cancel_on_end(), trio.open_nursery() as nursery:
            nursery.start_soon(agent.speak)
            await agent.listen()


if __name__ == "__main__":
    trio.run(trivox.serve_calls, handler, *(sys.argv[1:] or ["sip:127.0.0.1:5060;transport=udp"]))
