"""Far ends of calls that talk G.711 to an echo and note what comes back, and when, by the kernel's clock.

A packet is known again by its payload, which an echo that decodes nothing returns as it was.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from dataclasses import dataclass, field

FRAME = 0.02
_SAMPLES = 160
_NUMBER = struct.Struct("!II")
_STAMP = struct.Struct("@qq")
_STAMPED = 35
"""SO_TIMESTAMPNS: each datagram comes with the moment the kernel had it."""
_OF_INVITE = re.compile(rb"\r\nCSeq: *\d+ +INVITE\r", re.IGNORECASE)
_TO = re.compile(rb"\r\n(?:To|t): *([^\r\n]+)", re.IGNORECASE)
_PORT = re.compile(rb"\r\nm=audio (\d+) ")
_PATIENCE = 5.0


@dataclass(slots=True)
class Heard:
    """What came back of all calls.

    Attributes:
        sent: Packets sent.
        received: Packets of these that came back, each once.
        delays: Seconds from sending to receiving.
        jitters: Seconds by which two packets came further apart, or closer, than they were sent.
    """

    sent: int = 0
    received: int = 0
    delays: list[float] = field(default_factory=list)
    jitters: list[float] = field(default_factory=list)


class Talker:
    """One call: an INVITE answered over UDP, then a packet each 20 ms."""

    def __init__(self, number: int, server: tuple[str, int]) -> None:
        self.number = number
        self.rtp = _bound()
        self.rtp.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
        self._server = server
        self._sip = _bound()
        self._sip.connect(server)
        self._sent: list[float] = []
        self._last: tuple[float, float] | None = None
        self._heard: set[int] = set()

    def call(self) -> None:
        """Place the call, and connect the socket to where its answer says."""
        port = self.rtp.getsockname()[1]
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        )
        self._request("INVITE", "<sip:echo@127.0.0.1>", body)
        deadline = time.monotonic() + _PATIENCE
        answer = b""
        while not (answer.startswith(b"SIP/2.0 200") and _OF_INVITE.search(answer)):
            if not select.select([self._sip], [], [], deadline - time.monotonic())[0]:
                raise RuntimeError(f"call {self.number} was not answered: {answer[:60]!r}")
            answer = self._sip.recv(65536)
        to, target = _TO.search(answer), _PORT.search(answer)
        assert to is not None
        assert target is not None
        self._request("ACK", to[1].decode(), "")
        self.rtp.connect(("127.0.0.1", int(target[1])))

    def send(self, heard: Heard | None) -> None:
        """Send the next packet; one that is not to be judged has no `heard`."""
        index = len(self._sent)
        header = struct.pack(
            "!BBHII", 0x80, 0, index & 0xFFFF, index * _SAMPLES & 0xFFFFFFFF, self.number
        )
        label = _NUMBER.pack(self.number, index if heard is not None else 0xFFFFFFFF)
        self._sent.append(time.time())
        self.rtp.send(header + label + bytes(_SAMPLES - len(label)))
        if heard is not None:
            heard.sent += 1

    def drain(self, heard: Heard) -> None:
        """Note what has come back."""
        while True:
            try:
                packet, extra, _, _ = self.rtp.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if len(packet) != 12 + _SAMPLES or not extra:
                continue
            number, index = _NUMBER.unpack_from(packet, 12)
            if number != self.number or index >= len(self._sent) or index in self._heard:
                continue
            seconds, nanoseconds = _STAMP.unpack(extra[0][2])
            at, sent = seconds + nanoseconds / 1e9, self._sent[index]
            self._heard.add(index)
            heard.received += 1
            heard.delays.append(at - sent)
            if self._last is not None:
                heard.jitters.append(abs(at - self._last[0] - (sent - self._last[1])))
            self._last = (at, sent)

    def hang_up(self) -> None:
        """Close the sockets; the server finds the call dead by itself, or is ended."""
        self.rtp.close()
        self._sip.close()

    def _request(self, method: str, to: str, body: str) -> None:
        host, port = self._sip.getsockname()
        server = "{}:{}".format(*self._server)
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self._sip.send(
            f"{method} sip:echo@{server} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-{self.number}-{method}\r\n"
            f"From: <sip:bench@{host}>;tag=bench{self.number}\r\nTo: {to}\r\n"
            f"Call-ID: {self.number}-{port}@{host}\r\nCSeq: 1 {method}\r\n"
            f"Contact: <sip:bench@{host}:{port}>\r\nMax-Forwards: 70\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )


def talk(server: tuple[str, int], calls: int, seconds: float, warm_up: float = 1.0) -> Heard:
    """Place the calls, let them talk, each at its own moment of the 20 ms; what came back."""
    talkers = [Talker(number, server) for number in range(calls)]
    for talker in talkers:
        talker.call()
    heard = Heard()
    rounds, first = round((warm_up + seconds) / FRAME), round(warm_up / FRAME)
    begin = time.monotonic()
    for turn in range(rounds):
        for index, talker in enumerate(talkers):
            due = begin + (turn + index / calls) * FRAME
            if (wait := due - time.monotonic()) > 0.0:
                time.sleep(wait)
            talker.send(heard if turn >= first else None)
            talker.drain(heard)
    time.sleep(0.2)
    for talker in talkers:
        talker.drain(heard)
        talker.hang_up()
    return heard


def quantile(values: list[float], share: float) -> float:
    """Return the value that this share of all is not above."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def _bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made
