"""The parties of a simulated world: two proxies, callers and callees that open, end and come back."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from trivox._native import Uri
from trivox.call.client_events import HandlerFailed, IncomingCall, ListenerFailed
from trivox.call.settings import CallSettings
from trivox.client.config import AccountConfig
from trivox.client.opening import open_client
from trivox.errors import TrivoxError
from trivox.switchboard.board import open_switchboard
from trivox.switchboard.location import Binding
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media

from .names import SimulatedDns
from .refreshers import Refreshers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from trivox._native import SipCore
    from trivox.call.call import Call
    from trivox.client.client import Client, ClientStatistics
    from trivox.net.transport import SocketFactory
    from trivox.switchboard.board import BoardAccount, Switchboard, SwitchboardStatistics

    from .shape import Shape
    from .trace import Trace

NUMBER = "X-Number"
EDGE, HOME = "10.0.0.2", "10.0.0.1"
"""Where the callers' proxy is, and the callees' registrar and proxy."""
EDGE_NAME, HOME_NAME = "edge.example", "home.example"
TEAM = "team"
"""The user that all callees are."""
PACKAGE = "message-summary"
"""The events that callees tell."""
WARM_UP = "warm-up"
"""The number of calls that belong to no plan."""
DOWN = 3.0
"""Seconds between the end of a program and its return."""


def number_of(call: Call) -> int:
    """Return which call it is; -1 when the weather has changed that."""
    text = call.remote_headers.get(NUMBER, "")
    return int(text) if text.isascii() and text.isdigit() else -1


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is alive in the world."""

    clients: tuple[ClientStatistics, ...]
    boards: tuple[SwitchboardStatistics, ...]
    engine: dict[str, int]
    tasks: int


class Stage:
    """Opens the parties and keeps them alive."""

    def __init__(
        self,
        seed: int,
        shape: Shape,
        trace: Trace,
        handle: Callable[[int, Call], Awaitable[None]],
        *,
        is_real: bool = False,
    ) -> None:
        self.seed = seed
        self.shape = shape
        self.trace = trace
        self.is_real = is_real
        self._handle = handle
        self.link = Link(
            seed,
            delay=shape.delay,
            jitter=shape.delay / 2,
            largest_piece=shape.largest_piece,
            names={EDGE_NAME: EDGE},
        )
        self.media, self.engine = fake_media(set_up=0.03)
        self.clients: dict[str, Client] = {}
        self.boards: dict[str, Switchboard] = {}
        self._lives: dict[str, trio.CancelScope] = {}
        self._is_over = False
        self.attend: Callable[[str, Client], None] = lambda _party, _client: None
        """Told of each program that has begun."""
        self.restarted: list[tuple[float, str]] = []
        """Who ended, and when."""
        self.addresses: dict[str, str] = {}
        self.users: dict[str, list[str]] = {}
        self.dns: list[SimulatedDns] = []
        self.refreshers = Refreshers(self.link, shape) if shape.callee_refreshes else None

    @property
    def callers(self) -> list[Client]:
        """The clients that call."""
        return [client for name, client in self.clients.items() if name.startswith("caller")]

    @property
    def callees(self) -> list[Client]:
        """The clients that are called."""
        return [client for name, client in self.clients.items() if name.startswith("callee")]

    @property
    def cores(self) -> list[SipCore]:
        """The SIP cores of all parties, in an order that repeats."""
        endpoints = [client._wiring.endpoint for client in self.clients.values()]
        endpoints += [board._endpoint for board in self.boards.values()]
        return [endpoint.core for endpoint in endpoints]

    async def open(self, stack: AsyncExitStack) -> trio.Nursery:
        """Open everybody; they live until the nursery is cancelled."""
        callers = [f"caller{number}" for number in range(self.shape.callers)]
        callees = [f"callee{number}" for number in range(self.shape.callees)]
        self.users = {"home": [*callees, TEAM], "edge": [*callers, *callees, TEAM]}
        boards = await stack.enter_async_context(trio.open_nursery())
        stack.callback(boards.cancel_scope.cancel)
        for name, address in (("home", HOME), ("edge", EDGE)):
            await boards.start(self._live, name, self._host_of(address))
        nursery = await stack.enter_async_context(trio.open_nursery())
        for index, name in enumerate([*callers, *callees]):
            await nursery.start(self._live, name, self.address_of(index))
        return nursery

    def close(self, nursery: trio.Nursery) -> None:
        """End everybody for good."""
        self._is_over = True
        nursery.cancel_scope.cancel()

    def address_of(self, index: int) -> str:
        """Return the address of a program."""
        return "127.0.0.1" if self.is_real else f"10.0.1.{index + 1}"

    def restart(self, name: str) -> None:
        """Take a party's network away and end it; it comes back by itself."""
        self.restarted.append((trio.current_time(), name))
        self.link.unplug(self.addresses[name])
        self._lives[name].cancel()

    def holdings(self) -> Holdings:
        """Return what is alive."""
        return Holdings(
            tuple(client.statistics() for client in self.clients.values()),
            tuple(board.statistics() for board in self.boards.values()),
            self.engine.counts(),
            trio.lowlevel.current_statistics().tasks_living,
        )

    def _host_of(self, address: str) -> str:
        return "127.0.0.1" if self.is_real else address

    def _sockets(self, address: str) -> SocketFactory | None:
        return None if self.is_real else self.link.host(address)

    def _listen(self, address: str) -> list[str]:
        port = 0 if self.is_real else 5060
        return [f"sip:{self._host_of(address)}:{port};transport={self.shape.transport}"]

    def _seed_of(self, name: str) -> bytes:
        return f"{self.seed} {name}".encode().ljust(32, b".")

    def _board(self, name: str, address: str, incarnation: int):
        return open_switchboard(
            listen=self._listen(address),
            users={user: f"secret of {user}" for user in self.users[name]},
            domain=f"{name}.example",
            guests=True,
            sockets=self._sockets(address),
            trace=self.trace.hook(name),
            seed=self._seed_of(f"{name}.{incarnation}"),
        )

    def _lead_home(self, user: str) -> None:
        """Let the callers' proxy find a callee at the other one, as a route of its operator's."""
        edge, home = self.boards["edge"], Uri.parse(self.boards["home"].listening_on[0])
        contact = f"sip:{user}@{home.host}:{home.port};transport={self.shape.transport}"
        flow = next(iter(edge._endpoint._flows._flows), 0)
        binding = Binding(
            contact=contact,
            uri=Uri.parse(contact),
            flow=flow,
            is_connection=False,
            transport=self.shape.transport,
            destination=(home.host, home.port or 5060),
            expires_at=math.inf,
            call_id="",
            cseq=0,
            hop=contact,
        )
        edge._location.replace(user, [binding])

    async def _live(
        self,
        name: str,
        address: str,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run a party, and again after each restart."""
        run = self._serve_board if name in ("home", "edge") else self._run_program
        self.addresses[name] = address
        for incarnation in itertools.count():
            if self._is_over:
                return
            with trio.CancelScope() as life:
                self._lives[name] = life
                await run(name, address, incarnation, task_status)
            await trio.sleep(DOWN)
            self.link.unplug(address, unplugged=False)

    async def _serve_board(
        self, name: str, address: str, incarnation: int, task_status: trio.TaskStatus[None]
    ) -> None:
        async with self._board(name, address, incarnation) as board:
            self.boards[name] = board
            if name == "edge":
                # Callers and callees know the callees by one name, so that a Refer-To means the same.
                board._identity.add_address((HOME_NAME, 5060))
                for user in self.users["home"]:
                    self._lead_home(user)
            if incarnation == 0:
                task_status.started()
            await trio.sleep_forever()

    async def _run_program(
        self, name: str, address: str, incarnation: int, task_status: trio.TaskStatus[None]
    ) -> None:
        async with self._client(name, address, incarnation) as client:
            self.clients[name] = client
            self._watch(name, client)
            self.attend(name, client)
            if incarnation == 0:
                await self._register(client)
                task_status.started()
            await self._work(name, client)

    async def _work(self, name: str, client: Client) -> None:
        if name.startswith("callee"):
            await client.serve(partial(self._handle, int(name.removeprefix("callee"))))
        else:
            await trio.sleep_forever()

    async def _register(self, client: Client) -> None:
        for account in client.accounts.values():
            if account.config.registrar:
                try:
                    await account.register()
                except TrivoxError as error:
                    raise AssertionError(f"the weather is still good: {error}") from error

    def _client(self, name: str, address: str, incarnation: int):
        is_callee = name.startswith("callee")
        board = self.boards["home" if is_callee else "edge"]
        names = (name, TEAM) if is_callee else (name,)
        return open_client(
            listen=self._listen(address),
            accounts=[self._account(board.account(each)) for each in names],
            engine=self.media,
            sockets=self._sockets(address),
            trace=self.trace.hook(name),
            dns=self._dns(name, incarnation) if self.shape.dns and not is_callee else None,
            seed=self._seed_of(f"{name}.{incarnation}"),
            event_packages=(PACKAGE,) if is_callee else (),
        )

    def _dns(self, name: str, incarnation: int) -> SimulatedDns:
        draw = random.Random(f"dns {self.seed} {name} {incarnation}")
        dns = SimulatedDns(EDGE_NAME, f"sip.{EDGE_NAME}", EDGE, draw)
        self.dns.append(dns)
        return dns

    def _account(self, known: BoardAccount) -> AccountConfig:
        shape = self.shape
        settings = CallSettings(
            max_duration=shape.max_duration, session_expires=shape.session_expires
        )
        is_caller = known.uri.startswith("sip:caller")
        proxy = known.proxy
        if shape.by_name and is_caller:
            # With the port only its address is asked for (RFC 3263 §4.2).
            proxy = proxy.replace(f"{EDGE}:5060" if shape.dns else EDGE, EDGE_NAME)
        return AccountConfig(
            known.uri,
            password=known.password,
            # Callers are called by nobody.
            registrar="" if is_caller else known.registrar,
            proxy=proxy,
            expires=shape.registered,
            settings=settings,
        )

    def _watch(self, party: str, client: Client) -> None:
        def note(event: IncomingCall) -> None:
            if event.call.remote_headers.get(NUMBER) != WARM_UP:
                self.trace.watch(party, number_of(event.call), event.call)

        def count(event: HandlerFailed | ListenerFailed) -> None:
            self.trace.failures[type(event).__name__] += 1

        client.on(IncomingCall, note)
        client.on(HandlerFailed, count)
        client.on(ListenerFailed, count)
