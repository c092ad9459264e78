"""Goodput under INVITE overload: calls completed a second at 1, 2, 5 and 10 times the capacity.

The server answers every call, with default settings; the callers keep to a UAC's timers. Beside the
flood, 100 established calls send INFO, re-INVITE and BYE. `generator_busy` and `late_ms` show that
the generator has time left: it sends when it means to. The capacity is measured before and after each
load, which is held against the mean of both: machines change their speed. `of_capacity` is in calls
a second of the clock, `of_capacity_by_cpu` in calls a second of the server's CPU, which is the one
to read when others use the machine. `of_peak` is of the best goodput of these callers at any load: a
closed loop never has a call too many, so no open one reaches it. `receive_share` is what the system
takes for the datagrams alone.
"""

from __future__ import annotations

from benches import process
from benches.flood import Flood
from benches.generator import Generator
from benches.report import Row
from benches.scenarios import door

ESTABLISHED = 100
CAPACITY_CALLS = 10_000
WINDOW = 128
SECONDS = 8.0
SETTLE = 2.0
LOADS = (1, 2, 5, 10)
SHARES = {"goodput": "of_capacity", "calls_per_cpu_second": "of_capacity_by_cpu"}


def run() -> list[Row]:
    """Measure the capacity and each load, each with a server of its own."""
    (costs,) = door.run()
    before = _capacity()
    rows = [Row("overload", "capacity, closed loop", before)]
    for load in LOADS:
        row = _overload(load, before["goodput"], costs.figures["receive_us"])
        after = _capacity()
        for figure, share in SHARES.items():
            row.figures[share] = row.figures[figure] * 2 / (before[figure] + after[figure])
        rows.append(row)
        before = after
    peak = max(row.figures["goodput"] for row in rows[1:])
    for row in rows[1:]:
        row.figures["of_peak"] = row.figures["goodput"] / peak
    return rows


def _capacity() -> dict[str, float]:
    with process.module("benches.servers.uas", core=1) as server:
        assert server.stdout is not None
        target = ("127.0.0.1", int(server.stdout.readline()))
        with Flood(target) as flood:
            flood.establish(ESTABLISHED)
            for calls in (500, CAPACITY_CALLS):
                before = process.usage(server.pid)
                with Generator(target) as generator:
                    load = generator.run(calls, WINDOW)
            used = process.usage(server.pid).cpu_seconds - before.cpu_seconds
    return {
        "goodput": load.completed / load.seconds,
        "calls_per_cpu_second": load.completed / used,
    }


def _overload(load: int, capacity: float, receive_us: float) -> Row:
    with process.module("benches.servers.uas", core=1) as server:
        assert server.stdout is not None
        target = ("127.0.0.1", int(server.stdout.readline()))
        with Generator(target) as warm_up:
            warm_up.run(500, WINDOW)
        with Flood(target) as flood:
            flood.establish(ESTABLISHED)
            flood.run(load * capacity, SETTLE)
            before = process.usage(server.pid)
            tally = flood.run(load * capacity, SECONDS - SETTLE)
            used = process.usage(server.pid).cpu_seconds - before.cpu_seconds
            seconds = SECONDS - SETTLE
            goodput, sent = tally.completed / seconds, tally.sent / seconds
            set_up = sorted(tally.set_up) or [0.0]
            tally = flood.finish()
    figures = {
        "offered": tally.begun / seconds,
        "goodput": goodput,
        "calls_per_cpu_second": goodput * seconds / used,
        "datagrams": sent,
        "receive_share": sent * receive_us / 1e6,
        "refused": tally.refused / seconds,
        "set_up_p99_ms": set_up[int(len(set_up) * 0.99)] * 1e3,
        "inside": tally.inside,
        "inside_lost": tally.inside_lost,
        "generator_busy": tally.busy / seconds,
        "late_ms": tally.late * 1e3,
    }
    return Row("overload", f"{load} x", figures)
