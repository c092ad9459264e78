"""baresip: an endpoint that sends a tone, records what it hears, and takes orders over TCP."""

from __future__ import annotations

import functools
import json
import socket
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

STARTS = 3
"""A port that was free a moment ago may be taken when it is opened."""
PORTS = """\
sip_listen 127.0.0.1:{sip_port}
ctrl_tcp_listen 127.0.0.1:{control_port}
"""
CONFIG = """\
poll_method epoll
call_local_timeout 60
audio_source ausine,{tone_hz}
audio_player aufile,{folder}/played.wav
audio_alert aufile,{folder}/alert.wav
ausrc_srate 48000
ausrc_channels 2
audio_buffer 20-160
rtp_stats yes
jitter_buffer_delay 2-10
net_interface 127.0.0.1
module_path {modules}
module stdio.so
module opus.so
module g711.so
module g722.so
module srtp.so
module dtls_srtp.so
module ice.so
rtcp_mux {rtcp_mux}
module ausine.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
snd_path {folder}
"""
VIDEO = """\
module {codec}.so
module fakevideo.so
video_source fakevideo,nil
video_display fakevideo,nil
video_size 320x240
video_bitrate 400000
video_fps 15
videnc_format yuv420p
"""
ACCOUNT = "<sip:baresip@127.0.0.1>;answermode={answer};audio_codecs={codecs};ptime=20;regint=0{security}{nat}\n"


class Baresip:
    """A running baresip: its address, its recordings and its control connection."""

    def __init__(self, folder: Path, sip_port: int, control: trio.SocketStream) -> None:
        self.folder = folder
        self.uri = f"sip:baresip@127.0.0.1:{sip_port}"
        self._control = control
        self._unread = b""
        self.events: list[dict[str, Any]] = []

    async def order(self, command: str, parameters: str = "") -> None:
        """Send one command of its menu, such as dial or hangup."""
        message = json.dumps({"command": command, "params": parameters}).encode()
        await self._control.send_all(b"%d:%s," % (len(message), message))

    async def until(
        self, is_it: Callable[[dict[str, Any]], bool], within: float = 30
    ) -> dict[str, Any]:
        """Read events until one is as wanted; earlier ones count too."""
        with trio.move_on_after(within):
            for event in self.events:
                if is_it(event):
                    return event
            while True:
                event = await self._message()
                self.events.append(event)
                if is_it(event):
                    return event
        raise AssertionError(f"no such event of baresip within {within} s; seen: {self.events}")

    async def event(self, kind: str, within: float = 30) -> dict[str, Any]:
        """Wait for an event by its type, such as CALL_ESTABLISHED or CALL_CLOSED."""
        return await self.until(lambda event: event.get("type") == kind, within)

    def log(self) -> str:
        """What it printed so far."""
        return (self.folder / "baresip.log").read_text(errors="replace")

    def heard(self) -> Path:
        """The newest recording of what it decoded."""
        return max(self.folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)

    async def _message(self) -> dict[str, Any]:
        while b":" not in self._unread:
            self._unread += await self._control.receive_some(65536)
        size, _, rest = self._unread.partition(b":")
        while len(rest) < int(size) + 1:
            rest += await self._control.receive_some(65536)
        self._unread = rest[int(size) + 1 :]
        return json.loads(rest[: int(size)])


def _free_port() -> int:
    # baresip cannot tell which port it got, so it is given one that was free a moment ago: for
    # SIP it takes the same number for UDP and TCP.
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        ):
            stream.bind(("127.0.0.1", 0))
            port = stream.getsockname()[1]
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def _control_stream(port: int, process: trio.Process) -> trio.SocketStream | None:
    """Connect to its control port; None when it ended, as a port was taken since it was found."""
    with trio.fail_after(30):
        while process.poll() is None:
            try:
                return await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.05)
    return None


@asynccontextmanager
async def open_baresip(
    folder: Path,
    *,
    tone_hz: int = 600,
    codecs: str = "pcmu",
    answers: bool = True,
    security: str = "",
    video: str = "",
    ice: bool = False,
    rtcp_mux: bool = True,
) -> AsyncIterator[Baresip]:
    """Start baresip in `folder` and end it on leaving.

    Args:
        folder: For its configuration, recordings and log.
        tone_hz: What it says.
        codecs: Of its audio.
        answers: It takes calls by itself.
        security: "srtp", "dtls_srtp", …; empty: none.
        video: "vp8" or "vp9": it sends a test picture; empty: no video.
        ice: It finds its way by ICE, a path for each line.
        rtcp_mux: With ICE, it does RTCP on the port of RTP; else on a component of its own.
    """
    modules = next(Path("/usr/lib").rglob("baresip/modules/menu.so")).parent
    config = CONFIG.format(
        tone_hz=tone_hz,
        folder=folder,
        modules=modules,
        rtcp_mux="yes" if ice and rtcp_mux else "no",
    )
    if video:
        config += VIDEO.format(codec=video)
    account = ACCOUNT.format(
        answer="auto" if answers else "manual",
        codecs=codecs,
        security=f";mediaenc={security}" if security else "",
        nat=";medianat=ice" if ice else "",
    )
    (folder / "accounts").write_text(account)
    (folder / "contacts").write_text("")
    async with trio.open_nursery() as nursery:
        sip_port, control = await _started(nursery, folder, config)
        async with control:
            yield Baresip(folder, sip_port, control)
        nursery.cancel_scope.cancel()


async def _started(
    nursery: trio.Nursery, folder: Path, config: str
) -> tuple[int, trio.SocketStream]:
    """Start it on free ports; return that of SIP, and the stream it is controlled by."""
    run = functools.partial(
        trio.run_process,
        ["baresip", "-f", str(folder), "-4"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        cwd=folder,
        check=False,
    )
    for _ in range(STARTS):
        sip_port, control_port = _free_port(), _free_port()
        ports = PORTS.format(sip_port=sip_port, control_port=control_port)
        (folder / "config").write_text(ports + config)
        with (folder / "baresip.log").open("wb") as log:
            process = await nursery.start(functools.partial(run, stdout=log))
        control = await _control_stream(control_port, process)
        if control is not None:
            return sip_port, control
    raise AssertionError(f"baresip ended at its start: {(folder / 'baresip.log').read_text()}")
