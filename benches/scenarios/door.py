"""What a refused INVITE costs: receive, drop, answer, send, each in µs of CPU per datagram.

Everything happens in this process: a batch of INVITEs is sent to a socket of its own and then taken
from it, so that only the taking is timed. "receive" is the system's share: the same datagrams
taken by the same system call, and dropped by a core that knows no such flow.
"""

from __future__ import annotations

import socket
import time
from statistics import median
from typing import TYPE_CHECKING, Self, TypeVar

from benches.report import Row
from trivox._native import SipCore

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

BATCH = 100
ROUNDS = 200
FLOW, UNKNOWN = 1, 2
LIMIT = 1 << 20


def run() -> list[Row]:
    """Measure all four, round by round in turn."""
    with _Pair() as pair:
        receive, drop, answer, send = [], [], [], []
        dropping, answering = _shut(0), _shut(LIMIT)
        for _ in range(ROUNDS):
            receive.append(pair.time(lambda: dropping.receive_ready(UNKNOWN, pair.fd, LIMIT, 1.0)))
            drop.append(pair.time(lambda: dropping.receive_ready(FLOW, pair.fd, LIMIT, 1.0)))
            answer.append(pair.time(lambda: answering.receive_ready(FLOW, pair.fd, LIMIT, 1.0)))
            send.append(_timed(lambda: answering.send_ready(FLOW, pair.fd))[1])
            assert not answering.take_output()
        base = median(receive)
        figures = {
            "receive_us": base,
            "drop_us": median(drop) - base,
            "answer_us": median(answer) - base,
            "send_us": median(send),
        }
    return [Row("door", f"median of {ROUNDS} x {BATCH} datagrams", figures)]


def _shut(answers: int) -> SipCore:
    core = SipCore(b"bench")
    core.open_flow(FLOW, "udp", ("127.0.0.1", 5060))
    core.set_door(
        refusals_per_second=answers,
        retry_after=5,
        calls_per_second=0.0,
        waiting=1024,
        waiting_seconds=0.4,
        target_delay=0.02,
        overload_seconds=0.1,
        requests_per_source=0.0,
        source_ban=10.0,
        strangers_per_second=0,
        sources=4096,
        overload_control=True,
        unacknowledged=2000,
        kept=10_000,
    )
    core.shut_door(True)
    return core


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begin = time.perf_counter()
    result = work()
    return result, (time.perf_counter() - begin) / BATCH * 1e6


class _Pair:
    """A socket that sends INVITEs, and one that they wait at."""

    def __enter__(self) -> Self:
        self.near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for each in (self.near, self.far):
            each.bind(("127.0.0.1", 0))
            each.setblocking(False)
        self.fd = self.near.fileno()
        port = self.far.getsockname()[1]
        self.invites = [_invite(number, port) for number in range(BATCH)]
        return self

    def __exit__(self, *_: object) -> None:
        self.near.close()
        self.far.close()

    def time(self, take: Callable[[], object]) -> float:
        """Let a batch arrive and return the µs of each datagram that taking it costs."""
        for invite in self.invites:
            self.far.sendto(invite, self.near.getsockname())
        return _timed(take)[1]


def _invite(number: int, port: int) -> bytes:
    body = (
        "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n"
        "t=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
    return (
        f"INVITE sip:service@127.0.0.1:5060 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK-{number}-1-0;rport\r\n"
        f"From: sipp <sip:sipp@127.0.0.1:{port}>;tag=9sipp{number}\r\n"
        f"To: service <sip:service@127.0.0.1:5060>\r\nCall-ID: {number}-9@127.0.0.1\r\n"
        f"CSeq: 1 INVITE\r\nContact: sip:sipp@127.0.0.1:{port}\r\nMax-Forwards: 70\r\n"
        f"Subject: Performance Test\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
