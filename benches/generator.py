"""A closed-loop INVITE generator: `window` calls are always under way, none is ever repeated.

Closed, so that no retransmission hides a stall: a call that stops is counted and replaced.
It sends what `sipp -sn uac` sends, and speaks to one UDP address.
"""

from __future__ import annotations

import re
import select
import socket
import time
from dataclasses import dataclass
from typing import Self

SDP = (
    "v=0\r\no=user1 53655765 2353687637 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
TO_TAG = re.compile(rb"\r\n(?:To|t):[^\r\n]*?;tag=([^\s;>]+)", re.IGNORECASE)
CALL_NUMBER = re.compile(rb"\r\n(?:Call-ID|i): *(\d+)-", re.IGNORECASE)
OF_BYE = re.compile(rb"\r\nCSeq: *\d+ +BYE\r", re.IGNORECASE)
STALL_SECONDS = 5.0


@dataclass(slots=True)
class Load:
    """What a run came to."""

    completed: int = 0
    failed: int = 0
    stalled: int = 0
    seconds: float = 0.0


class Generator:
    """One socket, many calls; run() is the loop."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.run_id = time.monotonic_ns()
        self.live: dict[int, float] = {}
        self.next_number = 0
        self.body = SDP.format(host="127.0.0.1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def run(self, calls: int, window: int) -> Load:
        """Complete `calls` calls, `window` at a time."""
        load = Load()
        begin = time.monotonic()
        for _ in range(min(window, calls)):
            self._invite()
        while load.completed + load.failed + load.stalled < calls:
            self._drain(load, calls)
            self._sweep(load, calls)
        load.seconds = time.monotonic() - begin
        return load

    def _drain(self, load: Load, calls: int) -> None:
        select.select([self.socket], [], [], 0.5)
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                return
            found = CALL_NUMBER.search(data)
            number = int(found[1]) if found else -1
            if number not in self.live or data[8:9] == b"1":
                continue
            if not data.startswith(b"SIP/2.0 200"):
                load.failed += 1
            elif OF_BYE.search(data):
                load.completed += 1
            else:
                self._confirm_and_end(number, TO_TAG.search(data))
                continue
            del self.live[number]
            if self.next_number < calls:
                self._invite()

    def _sweep(self, load: Load, calls: int) -> None:
        oldest = time.monotonic() - STALL_SECONDS
        for number in [n for n, since in self.live.items() if since < oldest]:
            del self.live[number]
            load.stalled += 1
            if self.next_number < calls:
                self._invite()

    def _invite(self) -> None:
        number = self.next_number
        self.next_number += 1
        self.live[number] = time.monotonic()
        self._send("INVITE", number, 1, "", "Content-Type: application/sdp\r\n", self.body)

    def _confirm_and_end(self, number: int, to_tag: re.Match[bytes] | None) -> None:
        tag = f";tag={to_tag[1].decode()}" if to_tag else ""
        self._send("ACK", number, 1, tag, "", "")
        self._send("BYE", number, 2, tag, "", "")

    def _send(
        self, method: str, number: int, cseq: int, to_tag: str, extra: str, body: str
    ) -> None:
        host, port = self.target
        message = (
            f"{method} sip:service@{host}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK-{self.run_id}-{number}-{method}\r\n"
            f"From: sipp <sip:sipp@127.0.0.1:{self.port}>;tag={self.run_id}sipp{number}\r\n"
            f"To: service <sip:service@{host}:{port}>{to_tag}\r\n"
            f"Call-ID: {number}-{self.run_id}@127.0.0.1\r\n"
            f"CSeq: {cseq} {method}\r\nContact: sip:sipp@127.0.0.1:{self.port}\r\n"
            f"Max-Forwards: 70\r\nSubject: Performance Test\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.socket.sendto(message.encode(), self.target)
