"""Simulated worlds by hand: replay a failed one, many of them, figures, or on real sockets.

python -m tests.simulation --seed 7 --calls 1000 --weather rough
python -m tests.simulation --worlds 100 --calls 1000          every weather in turn, fresh seeds
python -m tests.simulation --figures 0.05 --worlds 50 --calls 2000
python -m tests.simulation --real --calls 30
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import logging
import random
import sys
import time

from .figures import Figures
from .shape import WEATHER, Shape, on_real_sockets, replay
from .verdicts import judge
from .world import Outcome, simulate, simulate_for_real


def main() -> int:
    """Run what the arguments say; 1 when something was wrong."""
    arguments = _arguments()
    for name in ("trivox.serve", "trivox.listeners", "trivox"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    if arguments.real:
        return _run_for_real(arguments)
    if arguments.hash:
        shape = dataclasses.replace(WEATHER[arguments.weather or "rough"], calls=arguments.calls)
        print(simulate(arguments.seed, shape).trace.sha256)
        return 0
    return _run_worlds(arguments)


def _run_worlds(arguments: argparse.Namespace) -> int:
    figures, bad = Figures(), 0
    names = itertools.cycle([arguments.weather] if arguments.weather else WEATHER)
    for number in range(arguments.worlds):
        name = next(names)
        shape = dataclasses.replace(WEATHER[name], calls=arguments.calls)
        if arguments.figures is not None:
            name, shape = "figures", _figures_shape(arguments)
        seed = arguments.seed + number
        began = time.process_time()
        outcome = simulate(seed, shape)
        faults = judge(outcome)
        figures.add(outcome, faults)
        bad += bool(faults)
        _report(name, outcome, faults, time.process_time() - began)
        if faults:
            print(f"  replay: {_replay(arguments, name, seed)}")
    print(figures)
    return int(bad > 0)


def _figures_shape(arguments: argparse.Namespace) -> Shape:
    """Every call is answered and nobody gives up; three lossy hops, or one as at home."""
    loss = arguments.figures
    is_one_hop = arguments.one_hop
    return Shape(
        calls=arguments.calls,
        loss=loss,
        access_loss=loss if is_one_hop else None,
        patient=True,
        max_duration=120.0,
        watches=0,
        letters=0,
    )


def _report(name: str, outcome: Outcome, faults: list[str], seconds: float) -> None:
    counts = ", ".join(f"{what} {count}" for what, count in sorted(outcome.happened.items()))
    print(
        f"{name} seed {outcome.seed}: {len(outcome.plans)} calls, "
        f"{len(outcome.trace.messages)} messages, {seconds:.1f} s, {len(faults)} faults; {counts}",
        flush=True,
    )
    for fault in faults[:20]:
        print(f"  {fault[:600]}")


def _replay(arguments: argparse.Namespace, name: str, seed: int) -> str:
    if arguments.figures is None:
        return replay(name, seed, arguments.calls)
    hops = " --one-hop" if arguments.one_hop else ""
    return (
        f"python -m tests.simulation --figures {arguments.figures}{hops} "
        f"--seed {seed} --calls {arguments.calls}"
    )


def _run_for_real(arguments: argparse.Namespace) -> int:
    shape = on_real_sockets(arguments.calls, arguments.transport)
    outcome = simulate_for_real(arguments.seed, shape)
    faults = judge(outcome)
    _report("real", outcome, faults, time.process_time())
    return int(bool(faults))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    fresh = random.SystemRandom().randrange(1_000_000)
    parser.add_argument("--seed", type=int, default=fresh, help="of the first world")
    parser.add_argument("--calls", type=int, default=1000, help="in each world")
    parser.add_argument("--worlds", type=int, default=1)
    parser.add_argument("--weather", choices=sorted(WEATHER))
    parser.add_argument("--figures", type=float, metavar="LOSS")
    parser.add_argument("--one-hop", action="store_true", help="only the callers' links lose")
    parser.add_argument("--hash", action="store_true", help="print the hash of the trace only")
    parser.add_argument("--real", action="store_true", help="on this machine's sockets")
    parser.add_argument("--transport", choices=("udp", "tcp"), default="udp")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
