"""Run a Trio program in virtual time, with the same order of tasks for the same seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import trio
import trio.testing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_Result = TypeVar("_Result")


def run_repeatably(
    program: Callable[..., Awaitable[_Result]], *arguments: object, seed: int = 0
) -> _Result:
    """Run `program` under an autojump clock with Trio's scheduler seeded.

    Trio shuffles the tasks that can run, so that programs do not rely on an order. With the order
    drawn from `seed`, two runs take the same steps, in two processes too.

    Args:
        program: An async function.
        arguments: Given to it.
        seed: Chooses the order of tasks.

    Returns:
        What `program` returns.
    """
    scheduler = vars(trio._core._run)  # noqa: SLF001 (Trio has no public way to seed its scheduler)
    names = ("_ALLOW_DETERMINISTIC_SCHEDULING", "_r")
    before = {name: scheduler[name] for name in names}
    scheduler.update(zip(names, (True, random.Random(seed)), strict=True))
    try:
        clock = trio.testing.MockClock(autojump_threshold=0)
        return trio.run(program, *arguments, clock=clock)
    finally:
        scheduler.update(before)
