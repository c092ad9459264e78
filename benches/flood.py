"""An open-loop INVITE generator that keeps to the timers of a UAC (RFC 3261 §17.1).

Calls begin on a schedule, whatever becomes of those before. A request is repeated by Timers A and E
until it is answered; a 503 ends its call and nothing is tried again within the run. Beside them a
number of established calls sends INFO, re-INVITE and BYE, none of which may get lost.
"""

from __future__ import annotations

import gc
import re
import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Self

from benches.batch import Sender
from benches.generator import SDP, TO_TAG

T1, T2 = 0.5, 4.0
QUIET = SDP + "a=inactive\r\n"
"""What established calls offer: their audio would be a load of another kind."""
GIVE_UP = 64 * T1
KEY = re.compile(rb"\r\nCall-ID: *(\d+)-[^\r]*\r\nCSeq: *(\d+) +(\w+)", re.IGNORECASE)


@dataclass(slots=True)
class Tally:
    """What a run came to."""

    begun: int = 0
    completed: int = 0
    refused: int = 0
    sent: int = 0
    repeated: int = 0
    late: float = 0.0
    """Most seconds a call began after its time."""
    busy: float = 0.0
    """Seconds of CPU the generator took."""
    set_up: list[float] = field(default_factory=list)
    inside: int = 0
    inside_lost: int = 0
    """Requests inside established calls that were not answered 200."""
    lost: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Request:
    method: str
    data: bytes
    since: float
    interval: float
    is_inside: bool


class Flood:
    """One socket, many calls."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(target)
        self.socket.setblocking(False)
        self.sender = Sender(self.socket)
        self.port = self.socket.getsockname()[1]
        self.run_id = time.monotonic_ns()
        self.next_number = 0
        self.turn = 1
        self.open: dict[tuple[int, int], _Request] = {}
        self.again: dict[float, deque[tuple[float, tuple[int, int]]]] = {}
        self.tags: dict[int, bytes] = {}
        self.inside: list[int] = []
        self.out: list[bytes] = []
        self.invite = self._template("INVITE", SDP.format(host="127.0.0.1"))
        self.quiet = self._template("INVITE", QUIET.format(host="127.0.0.1"))
        self.tally = Tally()

    def __enter__(self) -> Self:
        # With a quarter of a million calls open, a collection would stop the generator for seconds.
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        gc.enable()

    def establish(self, count: int) -> None:
        """Set up calls that stay."""
        for number in range(count):
            self.inside.append(number)
            data = self.quiet % (number, 1, number, number, 1)
            self._ask((number, 1), "INVITE", data, time.monotonic(), is_inside=False)
        self.next_number = count
        deadline = time.monotonic() + 10
        while len(self.tags) < count and time.monotonic() < deadline:
            self._work()
        assert len(self.tags) == count, "the established calls are up"

    def run(self, rate: float, seconds: float) -> Tally:
        """Begin `rate` calls a second for that time; those begun before go on."""
        self.tally = Tally()
        begin = time.monotonic()
        before, cpu = 0, time.process_time()
        next_inside = begin
        while (now := time.monotonic()) < begin + seconds:
            due = int((now - begin) * rate)
            if due > before:
                self.tally.late = max(self.tally.late, now - begin - before / rate)
            for _ in range(before, due):
                self._begin(self.next_number, now)
                self.next_number += 1
                self.tally.begun += 1
            before = due
            if self.inside and now >= next_inside:
                next_inside = now + 0.5
                self.turn += 1
                self._send_inside("INVITE" if self.turn % 4 == 0 else "INFO", self.turn, now)
            self._work()
        self.tally.busy = time.process_time() - cpu
        return self.tally

    def finish(self) -> Tally:
        """Hang up the established calls and wait for all that is inside them; new calls end."""
        tally = self.tally
        self.open = {key: one for key, one in self.open.items() if one.is_inside}
        self._send_inside("BYE", 1000, time.monotonic())
        deadline = time.monotonic() + 10
        while self.open and time.monotonic() < deadline:
            self._work()
        tally.inside_lost += len(self.open)
        tally.lost += [one.method for one in self.open.values()]
        return tally

    def _work(self) -> None:
        self._repeat(time.monotonic())
        self.sender.send(self.out)
        self.tally.sent += len(self.out)
        self.out = []
        if not select.select([self.socket], [], [], 0.0005)[0]:
            return
        for _ in range(256):
            try:
                data = self.socket.recv(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self._take(data)

    def _begin(self, number: int, now: float) -> None:
        data = self.invite % (number, 1, number, number, 1)
        self._ask((number, 1), "INVITE", data, now, is_inside=False)

    def _ask(
        self, key: tuple[int, int], method: str, data: bytes, now: float, *, is_inside: bool
    ) -> None:
        self.open[key] = _Request(method, data, now, T1, is_inside)
        self.again.setdefault(T1, deque()).append((now + T1, key))
        self.out.append(data)

    def _repeat(self, now: float) -> None:
        for interval, queue in list(self.again.items()):
            while queue and queue[0][0] <= now:
                _, key = queue.popleft()
                request = self.open.get(key)
                if request is None or request.interval != interval:
                    continue
                if now - request.since > GIVE_UP:
                    del self.open[key]
                    continue
                doubled = interval * 2
                request.interval = doubled if request.method == "INVITE" else min(doubled, T2)
                self.again.setdefault(request.interval, deque()).append(
                    (now + request.interval, key)
                )
                self.out.append(request.data)
                self.tally.repeated += 1

    def _take(self, data: bytes) -> None:
        found = KEY.search(data)
        if found is None:
            return
        number, cseq, method = int(found[1]), int(found[2]), found[3].decode()
        status = data[8:11]
        key = (number, cseq)
        if status < b"200":
            request = self.open.get(key)
            if request is not None and method == "INVITE":
                request.interval = 0.0  # a provisional response stops Timer A
            return
        tag = TO_TAG.search(data)
        if method == "INVITE":
            self.out.append(self._message("ACK", number, cseq, tag[1] if tag else b""))
        request = self.open.pop(key, None)
        if request is not None:
            self._finish(request, number, cseq, status, tag[1] if tag else b"")

    def _finish(self, request: _Request, number: int, cseq: int, status: bytes, tag: bytes) -> None:
        tally = self.tally
        if request.is_inside:
            tally.inside += 1
            if status != b"200":
                tally.inside_lost += 1
                tally.lost.append(f"{request.method} {status.decode()}")
        elif request.method == "BYE":
            tally.completed += 1
        elif status != b"200":
            tally.refused += 1
        else:
            now = time.monotonic()
            tally.set_up.append(now - request.since)
            if number < len(self.inside):
                self.tags[number] = tag
            else:
                data = self._message("BYE", number, 2, tag)
                self._ask((number, 2), "BYE", data, now, is_inside=False)

    def _send_inside(self, method: str, cseq: int, now: float) -> None:
        for number in self.inside:
            data = self._message(method, number, cseq, self.tags[number])
            self._ask((number, cseq), method, data, now, is_inside=True)

    def _message(self, method: str, number: int, cseq: int, tag: bytes) -> bytes:
        body = QUIET.format(host="127.0.0.1") if method == "INVITE" else ""
        data = self._template(method, body) % (number, cseq, number, number, cseq)
        return data.replace(b"\r\nCall-ID", b";tag=" + tag + b"\r\nCall-ID", 1)

    def _template(self, method: str, body: str) -> bytes:
        host, port = self.target
        kind = "Content-Type: application/sdp\r\n" if body else ""
        kind = "Content-Type: text/plain\r\n" if method == "INFO" else kind
        branch = f"z9hG4bK-{self.run_id}-%d-%d-{method}"
        return (
            f"{method} sip:service@{host}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}\r\n"
            f"From: sipp <sip:sipp@127.0.0.1:{self.port}>;tag={self.run_id}f%d\r\n"
            f"To: service <sip:service@{host}:{port}>\r\n"
            f"Call-ID: %d-{self.run_id}@127.0.0.1\r\n"
            f"CSeq: %d {method}\r\nContact: <sip:sipp@127.0.0.1:{self.port}>\r\n"
            f"Max-Forwards: 70\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
