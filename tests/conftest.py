"""What every test is held to: no task and no thread of it is left when it is over."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make each asynchronous test check that its tasks are gone."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _checked(item.obj)


def _checked(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> None:
        before = _tasks()

        await test(*args, **kwargs)

        for _ in range(3):
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
    new = set(threading.enumerate()) - before
    left = sorted(thread.name for thread in new if not thread.name.startswith("Trio"))
    assert not left, f"threads left behind: {left}"
