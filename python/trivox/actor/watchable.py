"""Values that can be read at any time, watched, and waited for."""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Generic, TypeVar, final

import trio

from trivox.actor.isolation import LOGGED, Isolation
from trivox.actor.observers import Observers, Waiter, WatchOptions
from trivox.actor.readers import Changes, Transitions
from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")
U = TypeVar("U")


class ReadonlyWatchable(Generic[T]):
    """A value of ours that a program may read, watch and wait for, and not set.

    `value` and `old_value` are plain reads, good in any thread; all else belongs to the Trio
    thread. A change is told in this order: waiters and iterators, at once; then the callbacks.
    The value may have changed again by the time a waiting task runs, so waits return the value
    that matched.
    """

    __slots__ = ("__weakref__", "_isolation", "_observers", "_old_value", "_value")

    def __init__(self, value: T, *, isolation: Isolation = LOGGED) -> None:
        self._value = value
        self._old_value = value
        self._isolation = isolation
        self._observers: Observers[T] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value!r}>"

    def __bool__(self) -> bool:
        """Refuse: a watchable is always an object, and its truth would always be True."""
        msg = "a watchable has no truth value: write `if x.value:`, or wait with x.wait_value(…)"
        raise TypeError(msg)

    @property
    def value(self) -> T:
        """The present value."""
        return self._value

    @property
    def old_value(self) -> T:
        """The value before the last change; the first value when there was none."""
        return self._old_value

    def watch(
        self, callback: Callable[[T, T], object], options: WatchOptions[T] | None = None
    ) -> Callable[[], None]:
        """Call back with (new, old) on each change; returns a function that stops it.

        Callbacks run in the client's loop, in the order they were registered, and must not block:
        over 10 ms is counted and logged. What they raise goes to the listener error policy. An
        equal callback is registered once.

        Raises:
            InvalidArgumentsError: The callback is asynchronous.
        """
        if inspect.iscoroutinefunction(callback):
            msg = f"{callback!r} is asynchronous: use changes() or transitions() in a task instead"
            raise InvalidArgumentsError(msg)
        if not callable(callback):
            raise InvalidArgumentsError(
                f"{callback!r} cannot be called: give a function of (new, old)"
            )
        observers = self.observers()
        watcher = observers.add(callback, options or WatchOptions())
        if watcher.options.immediate:
            observers.call(watcher, self.value, self.old_value)
        return lambda: self.unwatch(callback)

    def unwatch(self, callback: Callable[[T, T], object]) -> None:
        """Stop calling back, at once; nothing when the callback is not registered."""
        if self._observers is not None:
            self._observers.remove(callback)

    def clear(self) -> None:
        """Remove all callbacks but those registered with clearable=False."""
        if self._observers is not None:
            self._observers.clear()

    async def wait_value(self, value: T | Callable[[T], bool], *, held_for: float = 0) -> T:
        """Wait until the value matches, and return the value that did.

        Level-triggered: a match now returns at once. A value that lives for less than one turn of
        the scheduler is not missed. Cancellation has no effect on anything else.

        Args:
            value: The value, or a predicate, called when a value is set, in the setter's context.
            held_for: Seconds the match must last without a break.

        Raises:
            CallEndedError: The call has ended, so the value can no longer match.
        """
        matches = _predicate(value)
        if held_for > 0:
            return await self._wait_held(matches, held_for)
        present = self.value
        if matches(present):
            await trio.lowlevel.checkpoint()
            return present
        new, _ = await self.wait_transition(lambda new, _old: matches(new))
        return new

    async def wait_transition(self, predicate: Callable[[T, T], bool] | None = None) -> tuple[T, T]:
        """Wait for the next change that the predicate accepts; return it as (new, old).

        Edge-triggered: the present value does not count. Cancellation has no effect on anything
        else.

        Raises:
            CallEndedError: The call has ended, so no change can come.
        """
        observers = self.observers()
        if observers.error is not None:
            await trio.lowlevel.checkpoint()
            observers.raise_closed()
        try:
            return await Waiter(predicate, observers.taps).wait()
        except trio.EndOfChannel:
            pass
        observers.raise_closed()
        raise AssertionError("a wait ends by a change or by closing")

    def changes(self, *, initial: bool = False) -> AsyncIterator[T]:
        """Iterate over the newest value: conflated, values may be skipped.

        Args:
            initial: Yield the present value first.
        """
        observers = self.observers()
        reader = Changes(self, self.value, initial=initial, closed=observers.error is not None)
        observers.readers.append(weakref.ref(reader))
        return reader

    def transitions(self, *, maxsize: int = 64) -> AsyncIterator[tuple[T, T]]:
        """Iterate over every change as (new, old).

        A reader more than `maxsize` changes behind gets EventOverflowError at its next read.
        """
        observers = self.observers()
        reader: Transitions[T] = Transitions(self, maxsize, closed=observers.error is not None)
        observers.readers.append(weakref.ref(reader))
        return reader

    def map(self, function: Callable[[T], U]) -> ReadonlyWatchable[U]:
        """Return a watchable of what the function makes of the value."""
        return _Mapped(self, function, self._isolation)

    async def _wait_held(self, matches: Callable[[T], bool], held_for: float) -> T:
        hold = _Hold(matches, self.value)
        taps = self.observers().taps
        taps[hold] = None
        try:
            return await hold.wait(held_for, self.observers())
        finally:
            taps.pop(hold, None)

    def observers(self) -> Observers[T]:
        """Return the observers, made when first needed. Internal."""
        if self._observers is None:
            self._observers = Observers(self._isolation)
        return self._observers


@final
class Watchable(ReadonlyWatchable[T]):
    """A watchable that its owner sets. Setting an equal value is no change."""

    __slots__ = ()

    @property
    def value(self) -> T:
        """The present value; assigning is `set()`."""
        return self._value

    @value.setter
    def value(self, value: T) -> None:
        assign(self, value)

    def set(self, value: T) -> None:
        """Change the value and tell all observers before returning.

        Within a watch callback the value changes at once, and the other callbacks are told after
        all have been told of the change before.
        """
        assign(self, value)

    def close(self, error: Exception) -> None:
        """Say that the value is final: waits that do not match end with this error."""
        self.observers().close(error)


def assign(watchable: ReadonlyWatchable[T], value: T) -> None:
    """Set a watchable for its owner, who hands it out as one that cannot be set."""
    old = watchable._value  # noqa: SLF001 (the one way in)
    if value is old or value == old:
        return
    watchable._value, watchable._old_value = value, old  # noqa: SLF001
    observers = watchable._observers  # noqa: SLF001
    if observers is not None:
        observers.tell(value, old)


@final
class _Hold(Generic[T]):
    """Since when a value matches without a break, kept at the time values are set."""

    __slots__ = ("_changed", "_ended", "_error", "_matches", "_since", "_value")

    def __init__(self, matches: Callable[[T], bool], value: T) -> None:
        self._matches = matches
        self._value = value
        self._since = trio.current_time() if matches(value) else None
        self._changed = trio.Event()
        self._error: Exception | None = None
        self._ended = False

    async def wait(self, seconds: float, observers: Observers[T]) -> T:
        """Return the value when it has matched for so long."""
        while True:
            if self._error is not None:
                raise self._error
            if self._ended or observers.error is not None:
                await trio.lowlevel.checkpoint()
                if self._since is not None:
                    return self._value
                observers.raise_closed()
            since, self._changed = self._since, trio.Event()
            with trio.move_on_at(float("inf") if since is None else since + seconds):
                await self._changed.wait()
                continue
            return self._value

    def changed(self, new: T, _old: T) -> None:
        """Take a change; only a break or a new match wakes the task."""
        try:
            matches = self._matches(new)
        except Exception as error:
            self._error = error
            self._changed.set()
            return
        if matches:
            self._value = new
        if matches != (self._since is not None):
            self._since = trio.current_time() if matches else None
            self._changed.set()

    def closed(self) -> None:
        """Take note of the end: a value that matches now will match for ever."""
        self._ended = True
        self._changed.set()


@final
class _Mapped(ReadonlyWatchable[U], Generic[T, U]):
    """Follows another watchable through a function; costs nothing until it is observed.

    From the first observer on it is one of the source's taps and keeps a value of its own.
    """

    __slots__ = ("_function", "_source")

    def __init__(
        self, source: ReadonlyWatchable[T], function: Callable[[T], U], isolation: Isolation
    ) -> None:
        super().__init__(function(source.value), isolation=isolation)
        self._source = source
        self._function = function

    @property
    def value(self) -> U:
        """What the function makes of the source's present value."""
        return self._function(self._source.value) if self._observers is None else self._value

    @property
    def old_value(self) -> U:
        """What it was before the last change that was seen here."""
        if self._observers is None:
            return self._function(self._source.old_value)
        return self._old_value

    def observers(self) -> Observers[U]:
        """Return the observers; the first call attaches to the source."""
        if self._observers is None:
            self._value, self._old_value = self.value, self.old_value
            self._observers = Observers(self._isolation)
            source = self._source.observers()
            source.taps[self] = None
            self._observers.error = source.error
        return self._observers

    def changed(self, new: T, _old: T) -> None:
        """Take a change of the source."""
        old = self._value
        try:
            value = self._function(new)
        except Exception as error:
            self._isolation.report(self._function, None, error)
            return
        if value is old or value == old:
            return
        self._value, self._old_value = value, old
        self.observers().tell(value, old)

    def closed(self) -> None:
        """Take note of the source's end."""
        error = self._source.observers().error
        assert error is not None, "taps are closed after the error is set"
        self.observers().close(error)


def _predicate(value: T | Callable[[T], bool]) -> Callable[[T], bool]:
    """Return what tells whether a value matches."""
    if callable(value):
        return value
    return lambda present: present is value or present == value
