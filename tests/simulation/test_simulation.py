"""A thousand calls on a bad network, from one seed: whatever happens, the rules hold.

A run that fails names its seed; `SIM_SEED=n pytest tests/simulation` plays it again.
"""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from .verdicts import judge
from .world import Outcome, Shape, simulate

ROOT = Path(__file__).parents[2]
FRESH = random.SystemRandom().randrange(1_000_000)
SEEDS = [int(os.environ["SIM_SEED"])] if "SIM_SEED" in os.environ else [1, 2, 3, FRESH]


@pytest.fixture(autouse=True)
def _quiet_handlers():
    """Planned exceptions of handlers are logged with their tracebacks; not here."""
    logger = logging.getLogger("trivox.serve")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


def _assert_good(outcome: Outcome) -> None:
    faults = judge(outcome)
    replay = f"SIM_SEED={outcome.seed} python -m pytest tests/simulation"
    if faults:
        pytest.fail("\n".join([f"{len(faults)} faults; {replay}", *faults[:20]]), pytrace=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_thousand_calls_each_end_once_and_leave_nothing(seed):
    outcome = simulate(seed, Shape(calls=1000))

    _assert_good(outcome)
    assert len(outcome.plans) == 1000


@pytest.mark.slow
def test_calls_over_streams_cut_anywhere_each_end_once_and_leave_nothing():
    shape = Shape(calls=250, transport="tcp", largest_piece=600)

    _assert_good(simulate(SEEDS[-1], shape))


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "outage"), [(0.4, 0.0), (0.1, 45.0)])
def test_calls_end_once_where_messages_are_lost_for_good(loss, outage):
    shape = Shape(calls=250, per_second=5.0, loss=loss, outage=outage, max_duration=60.0)

    outcome = simulate(SEEDS[-1], shape)

    _assert_good(outcome)
    ways = {side.end.reason for side in outcome.trace.sides}
    assert len(ways) > 3


@pytest.mark.slow
def test_same_seed_makes_the_same_trace_in_two_processes():
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.world", "7", "150"],
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
    assert hashes[0] != simulate(8, Shape(calls=150)).trace.sha256
