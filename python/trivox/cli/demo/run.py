"""The demo from beginning to end."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.cli.demo.callee import (
    CalleeOrders,
    CalleeReady,
    CalleeResult,
    decode,
    run_callee,
)
from trivox.cli.demo.caller import CallerResult, place_call
from trivox.cli.demo.judge import measure
from trivox.cli.demo.options import DIGITS, DemoOptions, Fault, Plan
from trivox.cli.demo.progress import Snapshot
from trivox.cli.demo.report import CallReport, DemoReport, write_evidence
from trivox.cli.demo.verdict import judge
from trivox.client.config import AccountConfig
from trivox.client.opening import open_client
from trivox.errors import TrivoxError
from trivox.net.target import parse_endpoint
from trivox.observe.records import MessageRecorder
from trivox.switchboard import open_switchboard

if TYPE_CHECKING:
    from pathlib import Path

    from trivox.cli.demo.view import View
    from trivox.client.client import Client
    from trivox.net.transport import Address
    from trivox.switchboard import Switchboard

_LISTEN: Final = "sip:127.0.0.1:0;transport=udp"
_SETTLE: Final = 10.0
"""Seconds the callee may take to report a call, or to register."""


async def run_demo(options: DemoOptions, view: View) -> DemoReport:
    """Make the calls, judge them, and write the evidence. Takes about 15 s a call."""
    report = DemoReport(options.out)
    for plan in options.plans:
        await trio.to_thread.run_sync(partial(_make_folder, options.out / plan.name))
    recorder = MessageRecorder()
    passwords = {name: secrets.token_urlsafe(12) for name in ("caller", "callee")}
    async with open_switchboard(listen=[_LISTEN], users=passwords, trace=recorder.record) as board:
        view.note(f"switchboard listens on {board.listening_on[0]}")
        parties = {_address_of(board): "switchboard"}
        async with trio.open_nursery() as nursery:
            callee = Callee(board.account("callee").uri, view)
            nursery.start_soon(_run_callee, _orders(board, options), callee, options)
            account = AccountConfig(**asdict(board.account("caller")))
            async with open_client(listen=[_LISTEN], accounts=[account]) as client:
                parties = {_address_of(client): "caller", **parties}
                await _make_calls(client, callee, options, view, report, parties)
            nursery.cancel_scope.cancel()
    write_evidence(report, recorder, parties)
    return report


def _make_folder(folder: Path) -> None:
    """Make a call's folder, without evidence of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("caller.wav", "callee.wav", "call.json", "ladder.txt"):
        (folder / name).unlink(missing_ok=True)


def _orders(board: Switchboard, options: DemoOptions) -> CalleeOrders:
    return CalleeOrders(
        **asdict(board.account("callee")),
        out=str(options.out),
        wrong_digits=options.fault is Fault.DIGITS,
    )


def _address_of(listener: Client | Switchboard) -> Address:
    """Return where its SIP comes from."""
    _, host, port = parse_endpoint(listener.listening_on[0])
    return host, port


async def _make_calls(
    client: Client,
    callee: Callee,
    options: DemoOptions,
    view: View,
    report: DemoReport,
    parties: dict[Address, str],
) -> None:
    """Register the caller, wait for the callee, and make one call after the other."""
    (account,) = client.accounts.values()
    try:
        async with account.registered():
            view.note("caller is registered")
            if (callee_address := await callee.ready()) is None:
                report.faults.append(callee.failure or "the callee did not register in time")
                return
            parties[callee_address] = "callee"
            view.note("callee is registered")
            for plan in options.plans:
                report.calls.append(await _one_call(client, callee, plan, options, view))
    except TrivoxError as error:
        report.faults.append(str(error))


async def _one_call(
    client: Client, callee: Callee, plan: Plan, options: DemoOptions, view: View
) -> CallReport:
    view.note(f"{plan.title}: caller dials {callee.uri}")
    caller = await place_call(client, callee.uri, plan, options, view.show)
    result = await callee.result(plan.name)
    report = await trio.to_thread.run_sync(_judged, plan, options, caller, result)
    view.judged(report)
    return report


def _judged(
    plan: Plan, options: DemoOptions, caller: CallerResult, callee: CalleeResult | None
) -> CallReport:
    """Measure the callee's recording and judge it; reads whole files."""
    heard = verdict = None
    error = ""
    if callee is not None:
        try:
            heard = measure(options.out / plan.name, caller, callee)
            verdict = judge(plan, heard, DIGITS)
        except TrivoxError as failure:
            error = f"the recording cannot be judged: {failure}"
    if error and not caller.error:
        caller.error = error
    return CallReport(plan=plan, caller=caller, callee=callee, heard=heard, verdict=verdict)


@final
class Callee:
    """The other side, as the demo sees it: wherever it runs, it reports here."""

    def __init__(self, uri: str, view: View) -> None:
        self.uri = uri
        self._view = view
        self._ready: Address | None = None
        self._results: dict[str, CalleeResult] = {}
        self._moved = trio.Event()
        self.failure = ""
        """Why it is gone, if it is."""

    def take(self, message: CalleeReady | CalleeResult | Snapshot) -> None:
        """Take one of its reports."""
        match message:
            case Snapshot():
                self._view.show(message)
                return
            case CalleeReady():
                self._ready = (message.host, message.port)
            case CalleeResult():
                self._results[message.call] = message
        self._moved.set()
        self._moved = trio.Event()

    def fail(self, failure: str) -> None:
        """Take note that it is gone."""
        self.failure = failure
        self._moved.set()
        self._moved = trio.Event()

    async def ready(self) -> Address | None:
        """Wait until it is registered, and return its address; None when it fails to."""
        with trio.move_on_after(_SETTLE):
            while self._ready is None and not self.failure:
                await self._moved.wait()
        return self._ready

    async def result(self, call: str) -> CalleeResult | None:
        """Wait for its report of a call; None when it does not come."""
        with trio.move_on_after(_SETTLE):
            while call not in self._results and not self.failure:
                await self._moved.wait()
        return self._results.get(call)


async def _run_callee(orders: CalleeOrders, callee: Callee, options: DemoOptions) -> None:
    """Run the callee in this task or in a process; a failure of it is part of the report."""
    try:
        if options.processes:
            await _run_process(orders, callee)
            callee.fail("the callee's process ended")
        else:
            await run_callee(orders, callee.take)
    except TrivoxError as error:
        callee.fail(f"the callee failed: {error}")


async def _run_process(orders: CalleeOrders, callee: Callee) -> None:
    """Run the callee as a process of its own; closing its input ends it."""
    command = [sys.executable, "-m", "trivox.cli.demo.callee"]
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None, "a pipe was asked for"
    assert process.stdout is not None, "a pipe was asked for"
    try:
        await process.stdin.send_all(json.dumps(asdict(orders)).encode() + b"\n")
        rest = b""
        async for piece in process.stdout:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                callee.take(decode(line))
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _SETTLE):
            await process.stdin.aclose()
            await process.wait()
        process.kill()
