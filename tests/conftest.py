"""What every test is held to: no task and no thread of it is left when it is over."""

from __future__ import annotations

import functools
import inspect
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


TURNS = 100
"""Rounds of the scheduler in which cancelled tasks have to end; closing a connection takes some."""

# No example is timed: how long one takes is up to what else the machine does.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make each asynchronous test check that its tasks are gone."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _checked(item.obj)


@pytest.fixture
async def nursery() -> AsyncIterator[trio.Nursery]:
    """Tasks beside the test. Cancelling them leaves the test alone: it goes on to its assertions.

    The fixture of pytest-trio by this name waits inside of its own nursery; to cancel that one is
    to end the test there and then, and a test that ended so has passed.
    """
    async with trio.open_nursery() as outer:
        yield await outer.start(_hold)
        outer.cancel_scope.cancel()


async def _hold(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    async with trio.open_nursery() as held:
        task_status.started(held)
        await trio.sleep_forever()


def _checked(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> None:
        before = _tasks()

        await test(*args, **kwargs)

        for _ in range(TURNS):
            if not _tasks() - before:
                break
            await trio.lowlevel.checkpoint()
        left = sorted(task.name for task in _tasks() - before)
        assert not left, f"tasks left behind: {left}"

    return run


def _tasks() -> set[trio.lowlevel.Task]:
    """Return all tasks of this Trio run."""
    root = trio.lowlevel.current_root_task()
    found = {root} if root else set()
    waiting = list(found)
    while waiting:
        for nursery in waiting.pop().child_nurseries:
            found |= nursery.child_tasks
            waiting += nursery.child_tasks
    return found


@pytest.fixture(autouse=True)
def _threads_back_to_base() -> Iterator[None]:
    """Fail a test that leaves a thread; Trio's cached workers do not count."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while left := _named(set(threading.enumerate()) - before):
        # One that was abandoned may need a moment to return.
        assert time.monotonic() < deadline, f"threads left behind: {left}"
        time.sleep(0.01)


def _named(threads: set[threading.Thread]) -> list[str]:
    return sorted(thread.name for thread in threads if not thread.name.startswith("Trio"))
