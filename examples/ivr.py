"""A menu: play a prompt, take one digit, play what was chosen.

Usage: python examples/ivr.py PROMPTS_FOLDER [LISTEN_URI …]
The folder holds menu.wav, sorry.wav and one file a choice: 1.wav, 2.wav, …
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

import trivox


class Menu:
    """The handler of every call: three tries for a valid choice."""

    def __init__(self, prompts: Path) -> None:
        self.prompts = prompts

    async def __call__(self, call: trivox.Call) -> None:
        """Answer, ask, play."""
        await call.answer()
        for _ in range(3):
            digit = await call.collect_dtmf(
                prompt=self.prompts / "menu.wav", max_digits=1, first_timeout=5
            )
            choice = self.prompts / f"{digit}.wav"
            if digit.isdigit() and choice.exists():
                await call.play(choice)
                return
            await call.play(self.prompts / "sorry.wav")


if __name__ == "__main__":
    listen = sys.argv[2:] or ["sip:127.0.0.1:5060;transport=udp"]
    trio.run(trivox.serve_calls, Menu(Path(sys.argv[1])), *listen)
