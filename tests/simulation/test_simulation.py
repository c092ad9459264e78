"""Thousands of calls in all kinds of weather, each from one seed: whatever happens, the rules hold.

Every run has a little of each weather; the marker `simulation` is for the long ones. A run that
fails prints the command that plays it again; `SIM_SEED=n` sets the seeds of the long runs.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from .figures import Figures
from .shape import WEATHER, Shape, on_real_sockets, replay
from .verdicts import judge
from .world import Outcome, simulate, simulate_for_real

ROOT = Path(__file__).parents[2]
SEED = int(os.environ.get("SIM_SEED", random.SystemRandom().randrange(1_000_000)))
LONG = {name: 50 if name == "bytewise" else 570 for name in WEATHER}
"""Calls of a long run: ten thousand in all."""


@pytest.fixture(autouse=True)
def _quiet_programs():
    """Planned exceptions of handlers and listeners are logged with their tracebacks; not here."""
    names = ("trivox.serve", "trivox.listeners", "trivox.client.account")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def _assert_good(name: str, outcome: Outcome) -> None:
    faults = judge(outcome)
    if faults:
        commands = (
            f"SIM_SEED={outcome.seed} python -m pytest tests/simulation -m simulation -k {name}",
            replay(name, outcome.seed, len(outcome.plans)),
        )
        head = f"{len(faults)} faults; play it again: {' or '.join(commands)}"
        pytest.fail("\n".join([head, *faults[:20]]), pytrace=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", WEATHER)
def test_calls_end_once_and_leave_nothing_in_any_weather(name):
    shape = dataclasses.replace(WEATHER[name], calls=10 if name == "bytewise" else 40)

    outcome = simulate(3, shape)

    _assert_good(name, outcome)
    assert len(outcome.plans) == shape.calls


@pytest.mark.simulation
@pytest.mark.parametrize("name", WEATHER)
def test_many_calls_end_once_and_leave_nothing_in_any_weather(name):
    _assert_good(name, simulate(SEED, dataclasses.replace(WEATHER[name], calls=LONG[name])))


@pytest.mark.simulation
@pytest.mark.parametrize(("loss", "access_loss", "most"), [(0.05, None, 0), (0.2, 0.2, 3)])
def test_loss_is_survived(loss, access_loss, most):
    shape = Shape(calls=500, loss=loss, access_loss=access_loss, patient=True, max_duration=120.0)
    figures = Figures()
    outcome = simulate(SEED, shape)

    figures.add(outcome, judge(outcome))

    print(f"\nloss {loss:.0%}: {figures}")
    assert figures.calls == 500
    assert (figures.lost_records, figures.doubled_records) == (0, 0)
    assert figures.failed <= most, replay("rough", SEED, 500)


@pytest.mark.simulation
@pytest.mark.parametrize("seed", [4711, 4712])
def test_an_answer_to_who_has_given_up_is_acknowledged_and_ended(seed):
    """Of these seeds several 2xx come after Timer B: half of all datagrams are lost, on three hops."""
    shape = Shape(
        calls=300,
        loss=0.5,
        per_second=5.0,
        max_duration=60.0,
        patient=True,
        watches=0,
        letters=0,
    )

    outcome = simulate(seed, shape)

    assert judge(outcome) == []
    assert any(side.end.sip_code == 408 for side in outcome.trace.sides if side.end)


@pytest.mark.slow
def test_same_seed_makes_the_same_trace_in_two_processes():
    command = [sys.executable, "-m", "tests.simulation", "--hash", "--seed", "7", "--calls", "100"]
    runs = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONHASHSEED": str(number)},
        )
        for number in (1, 2)
    ]

    hashes = [run.communicate()[0].decode().strip() for run in runs]

    assert len(hashes[0]) == 64
    assert hashes[0] == hashes[1]
    assert hashes[0] != simulate(8, Shape(calls=100)).trace.sha256


@pytest.mark.simulation
@pytest.mark.native
def test_the_same_scenario_runs_on_real_sockets():
    _assert_good("rough", simulate_for_real(5, on_real_sockets(20, "udp")))
