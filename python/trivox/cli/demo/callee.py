"""The callee: registers, answers, records, presses keys, replies. In this process or its own.

As a process of its own (`python -m trivox.cli.demo.callee`) it reads one line of JSON, its orders,
from standard input, and writes what it sees as lines of JSON to standard output. It ends when its
input ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.cli.demo.options import (
    CALLER_SPEECH,
    DIGITS,
    LEAD,
    PLAN_HEADER,
    REPLY_SPEECH,
    WRONG_DIGITS,
    seconds_of,
)
from trivox.cli.demo.progress import Snapshot, figures_of, first_of, follow
from trivox.client.config import AccountConfig
from trivox.client.opening import open_client
from trivox.errors import CallError
from trivox.net.target import parse_endpoint

if TYPE_CHECKING:
    from trivox.call.call import Call

_LISTEN: Final = "sip:127.0.0.1:0;transport=udp"
_TAIL: Final = 0.8
"""Seconds the callee listens on after the speech should be over."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeOrders:
    """What the callee is told; plain values."""

    uri: str
    password: str = field(repr=False)
    registrar: str
    proxy: str
    out: str
    wrong_digits: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeReady:
    """The callee is registered; `address` is where its SIP comes from."""

    host: str
    port: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeResult:
    """One call is over at the callee.

    `error` is empty when all went as planned. `recording_began` is on the system's monotonic clock:
    Trio's differs from process to process.
    """

    call: str
    statistics: dict[str, object]
    end: str
    recording_began: float = 0.0
    error: str = ""


Report = Callable[[CalleeReady | CalleeResult | Snapshot], None]
_KINDS: Final = {kind.__name__: kind for kind in (CalleeReady, CalleeResult, Snapshot)}


async def run_callee(orders: CalleeOrders, report: Report) -> None:
    """Register and answer calls until cancelled."""
    account = AccountConfig(
        orders.uri, password=orders.password, registrar=orders.registrar, proxy=orders.proxy
    )
    async with open_client(listen=[_LISTEN], accounts=[account]) as client:
        async with client.accounts[orders.uri].registered():
            _, host, port = parse_endpoint(client.listening_on[0])
            report(CalleeReady(host=host, port=port))
            await client.serve(_Handler(orders, report).handle)


def encode(message: CalleeReady | CalleeResult | Snapshot) -> bytes:
    """Write a message as one line."""
    return json.dumps([type(message).__name__, asdict(message)]).encode() + b"\n"


def decode(line: bytes) -> CalleeReady | CalleeResult | Snapshot:
    """Read a line that `encode` wrote."""
    name, values = json.loads(line)
    message: CalleeReady | CalleeResult | Snapshot = _KINDS[name](**values)
    return message


@final
class _Handler:
    """Answers one call after the other."""

    def __init__(self, orders: CalleeOrders, report: Report) -> None:
        self._orders = orders
        self._report = report

    async def handle(self, call: Call) -> None:
        """Answer, record, listen, press the keys, reply; leaving hangs up."""
        name = call.remote_headers.get(PLAN_HEADER) or "unknown"
        error, began = "", 0.0
        async with call:
            try:
                await call.progress(180)
                await call.answer()
                began = await self._talk(name, call)
            except* CallError as failures:
                error = first_of(failures)
        self._report(
            CalleeResult(
                call=name,
                statistics=figures_of(call.statistics()),
                end=str(call.end),
                recording_began=began,
                error=error,
            )
        )

    async def _talk(self, name: str, call: Call) -> float:
        """Do the callee's part; return when its recording began."""
        recording = Path(self._orders.out) / name / "callee.wav"
        digits = WRONG_DIGITS if self._orders.wrong_digits else DIGITS
        async with call.recording(recording), trio.open_nursery() as nursery:
            began = time.monotonic()
            nursery.start_soon(follow, "callee", name, call, self._report)
            await trio.sleep(LEAD + seconds_of(CALLER_SPEECH) + _TAIL)
            await call.send_dtmf(digits).wait()
            await call.play(REPLY_SPEECH)
            await trio.sleep(_TAIL)
            nursery.cancel_scope.cancel()
        return began


async def _main() -> None:
    """Be the callee of another process."""
    commands = trio.lowlevel.FdStream(sys.stdin.fileno())
    line = b""
    while not line.endswith(b"\n"):
        received = await commands.receive_some()
        if not received:
            return
        line += received
    orders = CalleeOrders(**json.loads(line))
    out = sys.stdout.buffer

    def report(message: CalleeReady | CalleeResult | Snapshot) -> None:
        out.write(encode(message))
        out.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_callee, orders, report)
        while await commands.receive_some():
            pass
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_main, strict_exception_groups=True)
