"""Watchables of a call that cost nothing until somebody looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, cast, final, overload

from trivox.actor.watchable import ReadonlyWatchable, assign

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.actor.isolation import Isolation

T = TypeVar("T")


class Watched(Protocol):
    """What has watchables: values that were set, and the watchables made so far."""

    _values: dict[str, Any]
    """Those that differ from the first value."""
    _watchables: dict[str, ReadonlyWatchable[Any]]

    def _watch_isolation(self) -> Isolation: ...
    def _final_error(self) -> Exception | None:
        """The error that ends waits, once the values are final."""
        ...


@final
class WatchedValue(Generic[T]):
    """A descriptor: reading it gives the watchable, made at the first access.

    Thousands of calls have a dozen watchables each, of which programs look at one or two.
    """

    __slots__ = ("_first", "_made", "_name")

    def __init__(self, *, first: T, made: Callable[[Any], T] | None = None) -> None:
        """Take the first value, and what makes the value of a holder that has set none."""
        self._first = first
        self._made = made
        self._name = ""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: Watched, owner: type[object]) -> ReadonlyWatchable[T]: ...
    def __get__(self, holder: Watched | None, owner: type[object]) -> Self | ReadonlyWatchable[T]:
        if holder is None:
            return self
        watchable = holder._watchables.get(self._name)
        if watchable is None:
            watchable = ReadonlyWatchable(self.of(holder), isolation=holder._watch_isolation())
            holder._watchables[self._name] = watchable
            error = holder._final_error()
            if error is not None:
                watchable.observers().close(error)
        return cast("ReadonlyWatchable[T]", watchable)

    def of(self, holder: Watched) -> T:
        """Return the present value without making the watchable."""
        if self._made is not None and self._name not in holder._values:
            return self._made(holder)
        value: T = holder._values.get(self._name, self._first)
        return value

    def set(self, holder: Watched, *, to: T) -> None:
        """Set the value and tell who watches."""
        holder._values[self._name] = to
        watchable = holder._watchables.get(self._name)
        if watchable is not None:
            assign(watchable, to)
