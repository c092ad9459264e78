"""The least Trio, UDP and native core that answers the same calls: no `Call`, no session.

What this costs, no server on the same kernel, Trio and native core can go below.

Usage: python -m benches.servers.floor PARTS
`core` answers from the drain, `task` in a task a call, `media` with a media session besides.
"""

from __future__ import annotations

import gc
import socket
import sys
from typing import TYPE_CHECKING

import trio

from trivox._native import EVENT_REQUEST, MediaEngine, SipCore

if TYPE_CHECKING:
    from trivox._native import SipEvent

FLOW = 1
BATCH = 8192
TYPE = ("Content-Type", "application/sdp")
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Floor:
    """One socket, one core, one task that drains; what else there is says `parts`."""

    def __init__(self, parts: str) -> None:
        self.has_tasks = parts != "core"
        self.engine = MediaEngine(seed=bytes(32), threads=1) if parts == "media" else None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.core = SipCore(bytes(32))
        self.core.open_flow(FLOW, "udp", self.socket.getsockname())
        self.contact = ("Contact", f"<sip:127.0.0.1:{self.port}>")
        self.ended: dict[int, trio.Event | None] = {}
        self.last = 0

    @property
    def port(self) -> int:
        """Where calls are taken."""
        return int(self.socket.getsockname()[1])

    async def serve(self) -> None:
        """Answer calls for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(self.socket)
                now, descriptor = trio.current_time(), self.socket.fileno()
                _, events = self.core.receive_ready(FLOW, descriptor, BATCH, now)
                self.take(nursery, events, now)
                while self.core.waiting:
                    self.take(nursery, self.core.admit(now), now)
                self.core.send_ready(FLOW, descriptor)

    def take(self, nursery: trio.Nursery, events: list[SipEvent], now: float) -> None:
        """Answer what came in."""
        for kind, token, tx, method, _, message, _, _ in events:
            if kind != EVENT_REQUEST or message is None:
                continue
            if method == "INVITE":
                self.invited(nursery, tx, message.body.decode(), now)
            elif method == "BYE":
                self.core.respond(tx, 200, "OK", (), b"", "", token, now)
                key = message.key()
                self.core.forget(key[2], f"tag{token}", key[3])
                self.end(token)

    def invited(self, nursery: trio.Nursery, tx: int, offer: str, now: float) -> None:
        """Answer a call, now or in its task."""
        self.last += 1
        if self.has_tasks:
            self.ended[self.last] = trio.Event()
            nursery.start_soon(self.handle, self.last, tx, offer)
        else:
            self.ended[self.last] = None
            self.answer(self.last, tx, SDP, now)

    def end(self, token: int) -> None:
        """Let the call's task end."""
        ended = self.ended.pop(token)
        if ended is not None:
            ended.set()

    async def handle(self, token: int, tx: int, offer: str) -> None:
        """Be a handler: answer, wait for the end."""
        ended = self.ended[token]
        assert ended is not None, "only tasks are handlers"
        session = 0
        answer = SDP
        if self.engine is not None:
            session = self.engine.open_session(
                transport="plain",
                local_addresses=["127.0.0.1"],
                advertised="",
                codecs=["PCMU"],
                dtmf=True,
                ptime_ms=20,
            )
            self.engine.set_remote(session, offer, "offer", "")
            answer = self.engine.create_answer(session)
        self.answer(token, tx, answer, trio.current_time())
        self.core.send_ready(FLOW, self.socket.fileno())
        await ended.wait()
        if self.engine is not None:
            self.engine.close_session(session)

    def answer(self, token: int, tx: int, answer: str, now: float) -> None:
        """Send the 200."""
        headers = (self.contact, TYPE)
        self.core.respond(tx, 200, "OK", headers, answer.encode(), f"tag{token}", token, now)


def main(parts: str) -> None:
    """Print the port, then serve until ended."""
    floor = Floor(parts)
    print(floor.port, flush=True)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    trio.run(floor.serve)


if __name__ == "__main__":
    main(sys.argv[1])
