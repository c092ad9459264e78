"""Programs under attack, on real sockets: a switchboard, a server behind it and a caller."""

from __future__ import annotations

import gc
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from trivox._native import Uri
from trivox.call.settings import CallSettings
from trivox.client.config import AccountConfig
from trivox.client.opening import open_client
from trivox.switchboard.board import open_switchboard
from trivox.testing.fake_engine import fake_media

from .corpus import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trivox.call.call import Call
    from trivox.client.client import Client
    from trivox.net.statistics import EndpointStatistics
    from trivox.switchboard.board import Switchboard

TRANSPORTS = ("udp", "tcp", "ws")
_ANYWHERE = tuple(f"sip:127.0.0.1:0;transport={transport}" for transport in TRANSPORTS)
_LIVE = ("transactions", "dialogs", "timers")


@dataclass(slots=True)
class Stage:
    """What a test attacks, and what it asks afterwards."""

    clock: trio.testing.MockClock
    board: Switchboard
    server: Client
    caller: Client
    prober: Client
    """Has no account, so that it asks directly."""
    trace: list[bytes] = field(default_factory=list)

    def port(self, target: str, transport: str) -> int:
        """Return the port that `board` or `server` listens on."""
        uris = (self.board if target == "board" else self.server).listening_on
        parsed = [Uri.parse(uri) for uri in uris]
        (port,) = [uri.port for uri in parsed if uri.parameters["transport"] == transport]
        assert port is not None
        return port

    def uri(self, target: str, transport: str, user: str = "") -> str:
        """Return the URI of a target, or of a user there."""
        port = self.port(target, transport)
        return f"sip:{user}{'@' if user else ''}127.0.0.1:{port};transport={transport}"

    async def call(self, destination: str = "server") -> None:
        """Make one good call, with a message in it."""
        account = next(iter(self.caller.accounts.values()))
        async with self.caller.dial(destination, account=account) as call:
            await call.send_message("still there?").check()

    async def calls_while(self, attack, *arguments: object) -> int:
        """Make one good call after the other while an attack runs; return how many."""
        made = 0
        is_over = trio.Event()

        async def run() -> None:
            await attack(*arguments)
            is_over.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            while not is_over.is_set() or made < 3:
                await self.call()
                made += 1
                await trio.sleep(0.02)
        return made

    async def answers(self, target: str) -> list[int]:
        """Ask OPTIONS by each transport; return the statuses."""
        uris = [self.uri(target, transport) for transport in TRANSPORTS]
        return [(await self.prober.request("OPTIONS", uri)).status for uri in uris]

    async def settle(self) -> None:
        """Let every timer of signalling run out, sixty times as fast as the wall clock."""
        self.clock.rate = 60.0
        with trio.fail_after(400):
            while any(self.live().values()):
                await trio.sleep(5)
        self.clock.rate = 1.0

    def live(self) -> dict[str, int]:
        """Return what must be gone when all is quiet."""
        endpoints = self.endpoints()
        live = {
            f"{name} {what}": endpoint.core[what]
            for name, endpoint in endpoints.items()
            for what in _LIVE
        }
        for name, client in (("server", self.server), ("caller", self.caller)):
            figures = client.statistics()
            live[f"{name} calls"] = figures.calls
            live[f"{name} tokens"] = figures.tokens - 1
            live[f"{name} sessions"] = figures.engine["sessions"]
        live["requests of the board"] = self.board.statistics().requests
        return live

    def endpoints(self) -> dict[str, EndpointStatistics]:
        """Return the statistics of all three."""
        return {
            "board": self.board.statistics().endpoint,
            "server": self.server.statistics().sip,
            "caller": self.caller.statistics().sip,
        }


async def _serve(call: Call) -> None:
    await call.answer()
    await call.wait_ended()


@asynccontextmanager
async def open_stage(clock: trio.testing.MockClock) -> AsyncIterator[Stage]:
    """Open everything; both clients are registered at the switchboard."""
    clock.rate = 1.0
    users = {"server": SECRET, "caller": SECRET}
    media, _ = fake_media(now=trio.current_time())
    async with open_switchboard(listen=_ANYWHERE, users=users, domain="127.0.0.1") as board:

        def account(name: str) -> AccountConfig:
            known = board.account(name)
            return AccountConfig(
                known.uri,
                password=known.password,
                registrar=known.registrar,
                proxy=known.proxy,
                settings=CallSettings(max_duration=60.0),
            )

        trace: list[bytes] = []
        async with (
            open_client(listen=_ANYWHERE, accounts=[account("server")], engine=media) as server,
            open_client(
                listen=_ANYWHERE[:1],
                accounts=[account("caller")],
                engine=media,
                trace=lambda *message: trace.append(message[-1]),
            ) as caller,
            open_client(listen=_ANYWHERE[:1], engine=media) as prober,
            trio.open_nursery() as nursery,
        ):
            for client in (server, caller):
                for each in client.accounts.values():
                    await each.register()
            await nursery.start(server.serve, _serve)
            yield Stage(clock, board, server, caller, prober, trace)
            nursery.cancel_scope.cancel()


def open_descriptors() -> int:
    """Return how many files and sockets this process has open."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (the names are enough)
