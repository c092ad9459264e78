"""Kamailio: a registrar and record-routing proxy on all five transports."""

from __future__ import annotations

import socket
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio
import trustme

from .ports import free_port
from .program import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .rtpengine import MediaRelay

DOMAIN = "proxy.test"
PASSWORD = "s3cret"
CONFIG = Path(__file__).with_name("kamailio.cfg")
TLS = """\
[server:default]
method = TLSv1.2+
private_key = {folder}/key.pem
certificate = {folder}/certificate.pem
[client:default]
method = TLSv1.2+
"""


@dataclass(frozen=True, slots=True)
class Kamailio:
    """A running Kamailio: where it listens and whom to trust.

    Attributes:
        ports: Port of each transport: udp, tcp, tls, ws, wss.
        ca: PEM file of the authority that signed its certificate.
        control: Where it takes orders.
    """

    ports: dict[str, int]
    ca: Path
    control: str

    def proxy(self, transport: str) -> str:
        """Return its address over that transport, as an outbound proxy."""
        return f"sip:127.0.0.1:{self.ports[transport]};transport={transport};lr"

    async def locate(self, user: str, contact: str) -> None:
        """Have a user that does not register be found at that address."""
        where = ["ul.add", "location", user, contact, "600", "1.0", ".", "0", "0", "7999"]
        await trio.run_process(["kamcmd", "-s", self.control, *where], capture_stdout=True)


def _certify(folder: Path) -> Path:
    authority = trustme.CA()
    certificate = authority.issue_cert(DOMAIN, "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "certificate.pem").write_bytes(
        b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    )
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "tls.cfg").write_text(TLS.format(folder=folder))
    return folder / "ca.pem"


def _command(
    folder: Path, ports: dict[str, int], algorithm: str, relay: MediaRelay | None
) -> list[str]:
    values = {
        "DOMAIN": DOMAIN,
        "PASSWORD": f'"{PASSWORD}"',
        "ALGORITHM": f'"{algorithm}"',
        "TLS_CONFIG": f'"{folder}/tls.cfg"',
        "CONTROL": f'"unix:{folder}/control"',
    }
    if relay is not None:
        values["RELAY_CONTROL"] = f'"udp:127.0.0.1:{relay.rtpengine.port}"'
        values["TO_CALLER"] = f'"{relay.to_caller}"'
        values["TO_CALLEE"] = f'"{relay.to_callee}"'
    kinds = {"udp": "udp", "tcp": "tcp", "tls": "tls", "ws": "tcp", "wss": "tls"}
    listen = [f"{kinds[name]}:127.0.0.1:{port}" for name, port in ports.items()]
    return [
        "kamailio", "-f", str(CONFIG), "-DD", "-E", "-w", str(folder), "-Y", str(folder),
        "-P", str(folder / "pid"), "-m", "64", "-M", "8",
        *(word for address in listen for word in ("-l", address)),
        *(word for name, value in values.items() for word in ("-A", f"{name}={value}")),
    ]  # fmt: skip


async def _answering(folder: Path, process: trio.Process) -> None:
    command = ["kamcmd", "-s", f"unix:{folder}/control", "core.uptime"]
    with trio.fail_after(20):
        while True:
            assert process.poll() is None, (folder / "kamailio.log").read_text()[-2000:]
            asked = await trio.run_process(
                command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            if asked.returncode == 0:
                return
            await trio.sleep(0.05)


@asynccontextmanager
async def open_kamailio(
    folder: Path, *, algorithm: str = "MD5", relay: MediaRelay | None = None
) -> AsyncIterator[Kamailio]:
    """Start Kamailio in `folder` and end it, with its children, on leaving."""
    ports = {
        name: free_port(socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM)
        for name in ("udp", "tcp", "tls", "ws", "wss")
    }
    ca = _certify(folder)
    command = _command(folder, ports, algorithm, relay)
    async with running(command, folder / "kamailio.log", end=_end) as process:
        await _answering(folder, process)
        yield Kamailio(ports, ca, f"unix:{folder}/control")


async def _end(process: trio.Process) -> None:
    """End it by SIGTERM, on which it ends its children too."""
    process.terminate()
    with trio.move_on_after(10):
        await process.wait()
        return
    process.kill()
