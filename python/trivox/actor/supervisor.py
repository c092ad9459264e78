"""The one task under which everything else of a client runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from trivox.actor.nursery import PlainNursery

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable
    from types import TracebackType


@final
class Supervisor:
    """Owns the tasks behind a public context manager, out of reach of what happens to its body.

    Entering opens a nursery with one child: a task that holds a shielded cancel scope with another
    nursery inside, where all tasks run. So a cancellation from outside, or Ctrl-C, reaches the body
    and leaves writers and receive loops at work until the owner has said its goodbyes and calls
    `stop()`. A shield on the outer nursery would shield the body too.

    A task that crashes cancels the body, and its exception comes out of the `async with`, unwrapped
    when it is the only one; so do exceptions of the body.
    """

    __slots__ = ("_manager", "_nursery", "_scope")

    def __init__(self) -> None:
        self._manager = PlainNursery()
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope(shield=True)

    async def __aenter__(self) -> Supervisor:
        outer = await self._manager.__aenter__()
        outer.start_soon(_protected, self._run, name="trivox supervisor")
        while self._nursery is None:  # not start(): a cancelled body must still leave through here
            await trio.lowlevel.cancel_shielded_checkpoint()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Stop what still runs and let the one error there is come out as itself."""
        self.stop()
        return await self._manager.__aexit__(kind, error, traceback)

    def start_soon(
        self,
        task: Callable[..., Awaitable[object]],
        *args: object,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> None:
        """Start a task, protected from KeyboardInterrupt, in a copy of a context."""
        nursery = self._nursery
        assert nursery is not None, "tasks are started inside the supervisor's `async with`"
        if context is None:
            nursery.start_soon(_protected, task, *args, name=name or task)
        else:
            context.copy().run(nursery.start_soon, _protected, task, *args, name=name or task)

    async def start(self, task: Callable[..., Awaitable[object]], *args: object) -> object:
        """Start a task and wait until it calls `task_status.started(value)`; returns the value."""
        nursery = self._nursery
        assert nursery is not None, "tasks are started inside the supervisor's `async with`"
        return await nursery.start(_protected_start, task, *args)

    def crash(self, error: BaseException) -> None:
        """End everything with this error: the body is cancelled, `async with` raises it."""
        self.start_soon(_raise, error, name="trivox crash")

    def stop(self) -> None:
        """Cancel all tasks; they end when the `async with` is left at the latest."""
        self._scope.cancel()

    async def _run(self) -> None:
        failure: BaseException
        try:
            with self._scope:
                async with trio.open_nursery(strict_exception_groups=True) as nursery:
                    self._nursery = nursery
                    await trio.sleep_forever()
            return
        except BaseExceptionGroup as group:
            if len(group.exceptions) != 1:
                raise
            failure = group.exceptions[0]
        raise failure


@trio.lowlevel.enable_ki_protection
async def _protected(task: Callable[..., Awaitable[object]], *args: object) -> None:
    """Run a task so that Ctrl-C is raised elsewhere: inside a drain loop it would lose events."""
    await task(*args)


@trio.lowlevel.enable_ki_protection
async def _protected_start(
    task: Callable[..., Awaitable[object]],
    *args: object,
    task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
) -> None:
    await task(*args, task_status=task_status)


async def _raise(error: BaseException) -> None:
    raise error
