"""Call somebody, ask a question, record the answer.

Usage: python examples/outgoing_call.py sip:bob@127.0.0.1:5060 question.wav answer.wav
"""

from __future__ import annotations

import sys

import trio

import trivox


async def ask(destination: str, question: str, answer: str, listen_for: float = 5.0) -> bool:
    """Play `question` to `destination` and record both sides into `answer`; False if not connected."""
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:
        try:
            async with client.dial(destination) as call, call.recording(answer):
                await call.play(question)
                await trio.sleep(listen_for)
        except trivox.CallFailedError as error:  # BusyError, DeclinedError, UnavailableError, …
            print("not connected:", error.sip_code, error.reason)
            return False
    return True


if __name__ == "__main__":
    sys.exit(not trio.run(ask, *sys.argv[1:4]))
