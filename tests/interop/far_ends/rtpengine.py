"""rtpengine: a media relay in user space that turns one kind of media into another."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio

from .ports import free_port
from .program import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

PORTS: Final = range(20000, 30000)
"""Its own ports, below those a system gives to who names none."""

KINDS: Final = {
    "rtp": "RTP/AVP ICE=remove rtcp-mux-demux",
    "srtp": "RTP/SAVP ICE=remove DTLS=off rtcp-mux-demux",
    "dtls": "UDP/TLS/RTP/SAVP ICE=remove SDES-off",
    "webrtc": "UDP/TLS/RTP/SAVPF ICE=force SDES-off rtcp-mux-offer generate-mid",
}
"""What it is told to offer, by our names of the kinds of media."""

_ANY_CASE: Final = "replace-origin replace-session-connection"


@dataclass(frozen=True, slots=True)
class Rtpengine:
    """A running rtpengine and the port of its control protocol."""

    port: int

    async def command(self, name: str, **words: str) -> dict[str, Any]:
        """Give one command of the control protocol and return the answer."""
        # A command with a cookie that was seen before is answered with what was said then.
        cookie = secrets.token_hex(8).encode()
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as asking:
            await asking.connect(("127.0.0.1", self.port))
            message = {"command": name, **{word.replace("_", "-"): words[word] for word in words}}
            while True:
                with trio.move_on_after(0.5):
                    try:
                        await asking.send(cookie + b" " + bencoded(message))
                        answer = await asking.recv(65536)
                        return bdecoded(answer.partition(b" ")[2])
                    except ConnectionRefusedError:
                        await trio.sleep(0.02)

    async def relayed_packets(self, call_id: str) -> int:
        """Return how many RTP packets of a call have gone through it, both ways together."""
        answer = await self.command("query", call_id=call_id)
        return int(answer["totals"]["RTP"]["packets"])


@dataclass(frozen=True, slots=True)
class MediaRelay:
    """An rtpengine, and what each side is to be offered: a kind of `KINDS`."""

    rtpengine: Rtpengine
    caller: str
    callee: str

    @property
    def to_caller(self) -> str:
        """The flags of offers to the caller."""
        return f"{KINDS[self.caller]} {_ANY_CASE}"

    @property
    def to_callee(self) -> str:
        """The flags of offers to the callee."""
        return f"{KINDS[self.callee]} {_ANY_CASE}"


def bencoded(value: str | Mapping[str, Any]) -> bytes:
    """Write a value of the control protocol: a word or a table."""
    if isinstance(value, str):
        return b"%d:%s" % (len(value.encode()), value.encode())
    return b"d" + b"".join(bencoded(key) + bencoded(value[key]) for key in sorted(value)) + b"e"


def bdecoded(data: bytes) -> dict[str, Any]:
    """Read an answer of the control protocol, which is a table."""
    value, rest = _value(data)
    assert isinstance(value, dict), data
    assert not rest, rest
    return value


def _value(data: bytes) -> tuple[Any, bytes]:
    kind = data[:1]
    if kind == b"i":
        number, _, rest = data[1:].partition(b"e")
        return int(number), rest
    if kind in (b"d", b"l"):
        items: list[Any] = []
        rest = data[1:]
        while rest[:1] != b"e":
            item, rest = _value(rest)
            items.append(item)
        if kind == b"l":
            return items, rest[1:]
        return dict(zip(items[::2], items[1::2], strict=True)), rest[1:]
    size, _, rest = data.partition(b":")
    return rest[: int(size)].decode(), rest[int(size) :]


@asynccontextmanager
async def open_rtpengine(folder: Path) -> AsyncIterator[Rtpengine]:
    """Start rtpengine in `folder`, without the kernel's help, and end it on leaving."""
    port = free_port()
    command = [
        "rtpengine", "--foreground", "--log-stderr", "--log-level=6", "--table=-1",
        "--config-file=none", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{port}",
        f"--port-min={PORTS.start}", f"--port-max={PORTS.stop - 1}", "--num-threads=2",
        f"--pidfile={folder}/rtpengine.pid",
    ]  # fmt: skip
    path = folder / "rtpengine.log"
    async with running(command, path) as process:
        rtpengine = Rtpengine(port)
        with trio.fail_after(30):
            answer = await rtpengine.command("ping")
        assert process.poll() is None, path.read_text()[-2000:]
        assert answer == {"result": "pong"}
        yield rtpengine
