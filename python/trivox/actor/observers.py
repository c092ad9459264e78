"""Those who look at one watchable: callbacks, waiters and readers, and the order they are told in."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, final

import outcome
import trio

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

    from trivox.actor.isolation import Isolation

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Tap(Protocol[T_contra]):
    """Is told of every change at the time it is set, and of the end."""

    def changed(self, new: T_contra, old: T_contra) -> None:
        """Take a change, without waiting and without raising."""
        ...

    def closed(self) -> None:
        """Take note that no more changes come."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions(Generic[T]):
    """How a watch callback is called.

    Attributes:
        once: Remove it before its first call.
        guard: Called with (new, old) first; a false result skips the callback.
        immediate: Also call it with the present value, inside `watch()`.
        clearable: Whether `clear()` removes it.
    """

    once: bool = False
    guard: Callable[[T, T], bool] | None = None
    immediate: bool = False
    clearable: bool = True


@final
class Watcher(Generic[T]):
    """One registered callback."""

    __slots__ = ("active", "callback", "options")

    def __init__(self, callback: Callable[[T, T], object], options: WatchOptions[T]) -> None:
        self.callback = callback
        self.options = options
        self.active = True


@final
class Waiter(Generic[T]):
    """A task that waits for one change; the predicate runs in the setter's context."""

    __slots__ = ("_predicate", "_taps", "_task")

    def __init__(self, predicate: Callable[[T, T], bool] | None, taps: dict[Tap[T], None]) -> None:
        self._predicate = predicate
        self._task: trio.lowlevel.Task | None = None
        self._taps = taps

    async def wait(self) -> tuple[T, T]:
        """Return the first change, from now on, that the predicate accepts."""
        self._task = trio.lowlevel.current_task()
        self._taps[self] = None
        found: tuple[T, T] = await trio.lowlevel.wait_task_rescheduled(self._abort)
        return found

    def changed(self, new: T, old: T) -> None:
        """Evaluate the predicate; what it raises goes to the task that waits."""
        try:
            if self._predicate is not None and not self._predicate(new, old):
                return
        except Exception as error:
            self._resume(outcome.Error(error))
        else:
            self._resume(outcome.Value((new, old)))

    def closed(self) -> None:
        """End the wait; the caller raises the reason."""
        self._resume(outcome.Error(trio.EndOfChannel()))

    def _resume(self, result: outcome.Outcome[tuple[T, T]]) -> None:
        del self._taps[self]
        assert self._task is not None, "a waiter is in the table only while its task waits"
        trio.lowlevel.reschedule(self._task, result)

    def _abort(self, _raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        del self._taps[self]
        return trio.lowlevel.Abort.SUCCEEDED


@final
class Observers(Generic[T]):
    """The observers of one watchable; made when the first of them comes.

    All are told in the setter's context, before it goes on: waiters, then readers, then callbacks.
    Telling is breadth first: a change made by a callback is told when everybody has been told of
    the one before, so all see the same changes in the same order.
    """

    __slots__ = ("_isolation", "_pending", "_running", "_watchers", "error", "readers", "taps")

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._watchers: list[Watcher[T]] = []
        self._pending: deque[tuple[T, T] | None] = deque()
        self._running = False
        self.taps: dict[Tap[T], None] = {}
        """Told in the order they came; strongly held."""
        self.readers: list[weakref.ref[Tap[T]]] = []
        """Told after the taps; weakly held, so that a dropped iterator leaves nothing behind."""
        self.error: Exception | None = None

    def add(self, callback: Callable[[T, T], object], options: WatchOptions[T]) -> Watcher[T]:
        """Register a callback; one that is equal to a registered one replaces its options."""
        watcher = Watcher(callback, options)
        for index, other in enumerate(self._watchers):
            if other.callback == callback:
                other.active = False  # a call in progress must not call it a second time
                self._watchers[index] = watcher
                return watcher
        self._watchers.append(watcher)
        return watcher

    def remove(self, callback: Callable[[T, T], object]) -> None:
        """Remove a callback, at once; nothing when it is not there."""
        for watcher in self._watchers:
            if watcher.callback == callback:
                self._drop(watcher)
                return

    def clear(self) -> None:
        """Remove all callbacks but those registered as not clearable."""
        for watcher in tuple(self._watchers):
            if watcher.options.clearable:
                self._drop(watcher)

    def tell(self, new: T, old: T) -> None:
        """Tell everybody of a change, after all have been told of those before."""
        self._pending.append((new, old))
        self._run()

    def call(self, watcher: Watcher[T], new: T, old: T) -> None:
        """Call one callback: its guard first, then `once` is consumed, then the call."""
        guard = watcher.options.guard
        if guard is not None and not self._isolation.call(None, guard, new, old):
            return
        if watcher.options.once:
            self._drop(watcher)
        self._isolation.call(None, watcher.callback, new, old)

    def close(self, error: Exception) -> None:
        """Say that no more changes come; waits end with the error."""
        self.error = error
        self._pending.append(None)
        self._run()

    def raise_closed(self) -> None:
        """Raise the error it was closed with, if it was; a copy, as several tasks may raise it."""
        if self.error is not None:
            raise copy.copy(self.error)

    def _run(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            while self._pending:
                change = self._pending.popleft()
                if change is None:
                    self._tell_closed()
                else:
                    self._tell(*change)
        finally:
            self._pending.clear()
            self._running = False

    def _tell(self, new: T, old: T) -> None:
        for tap in tuple(self.taps):
            if tap in self.taps:
                tap.changed(new, old)
        for reader in self._live_readers():
            reader.changed(new, old)
        for watcher in tuple(self._watchers):
            if watcher.active:
                self.call(watcher, new, old)

    def _tell_closed(self) -> None:
        for tap in tuple(self.taps):
            tap.closed()
        for reader in self._live_readers():
            reader.closed()

    def _drop(self, watcher: Watcher[T]) -> None:
        watcher.active = False
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def _live_readers(self) -> list[Tap[T]]:
        live = [(ref, reader) for ref in self.readers if (reader := ref()) is not None]
        self.readers = [ref for ref, _ in live]
        return [reader for _, reader in live]
