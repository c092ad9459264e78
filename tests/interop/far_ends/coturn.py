"""coturn: a STUN server and relay on loopback, with long-term credentials."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from .ports import free_port
from .program import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

USER = "relayed"
PASSWORD = "s3cret-of-the-relay"
CONFIG = """\
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={port}
realm=relay.test
user={user}:{password}
lt-cred-mech
stale-nonce={stale_nonce}
allow-loopback-peers
no-dtls
{more}
no-cli
no-software-attribute
log-file=stdout
simple-log
verbose
pidfile={folder}/pid
userdb={folder}/users
"""
_BINDING = bytes.fromhex("000100002112a442") + b"who-is-there"


@dataclass(frozen=True, slots=True)
class Coturn:
    """A running coturn: its ports, its process and its log."""

    port: int
    tls_port: int
    process: trio.Process
    log: Path

    @property
    def said(self) -> str:
        """What it has logged."""
        return self.log.read_text(errors="replace")


async def _answering(port: int, process: trio.Process, log: Path) -> None:
    with trio.fail_after(30), trio.socket.socket(type=trio.socket.SOCK_DGRAM) as asking:
        await asking.connect(("127.0.0.1", port))
        while True:
            assert process.poll() is None, log.read_text()[-2000:]
            with trio.move_on_after(0.2):
                try:
                    await asking.send(_BINDING)
                    if await asking.recv(1500):
                        return
                except ConnectionRefusedError:
                    await trio.sleep(0.05)


@asynccontextmanager
async def open_coturn(
    folder: Path,
    *,
    stale_nonce: int = 600,
    certificate: Path | None = None,
    alternate: int | None = None,
) -> AsyncIterator[Coturn]:
    """Start coturn in `folder` and end it on leaving.

    With a certificate, a PEM file with its key, it takes TLS too; with the port of another it
    sends all who come there.
    """
    port, tls_port = free_port(), free_port()
    config = folder / "turnserver.conf"
    values = {"port": port, "user": USER, "password": PASSWORD, "folder": folder}
    more = "no-tls"
    if certificate is not None:
        more = f"tls-listening-port={tls_port}\ncert={certificate}\npkey={certificate}"
    if alternate is not None:
        more += f"\nalternate-server=127.0.0.1:{alternate}"
    config.write_text(CONFIG.format(**values, stale_nonce=stale_nonce, more=more))
    path = folder / "coturn.log"
    async with running(["turnserver", "-c", str(config)], path) as process:
        await _answering(port, process, path)
        yield Coturn(port, tls_port, process, path)
