"""Who listens to what: the registrations of one emitter, in order."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar, final

import trio

from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

E = TypeVar("E")
F = TypeVar("F", bound="Callable[..., object]")


def event_class(event: object, base: type[E], example: str) -> type[E]:
    """Return the class of events that a class, or an enum name of one, stands for.

    Raises:
        InvalidArgumentsError: It is none of this emitter's.
    """
    kind = event.value if isinstance(event, Enum) else event
    if isinstance(kind, type) and issubclass(kind, base):
        return kind
    raise InvalidArgumentsError(f"{event!r} is no event here: give a class such as {example}")


class ListenerFields(TypedDict, total=False):
    """The fields of `ListenerOptions` as keywords."""

    once: bool
    guard: Callable[..., bool] | None
    concurrent: bool
    until: trio.Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerOptions:
    """How a listener is called.

    Attributes:
        once: Remove it before its first call.
        guard: Called with the event first; a false result skips the listener, and `once` stays.
        concurrent: Run an asynchronous listener in a task of its own, so that later listeners do
            not wait for it.
        until: The listener is gone once this is set.
    """

    once: bool = False
    guard: Callable[..., bool] | None = None
    concurrent: bool = False
    until: trio.Event | None = None

    def __post_init__(self) -> None:
        if self.guard is not None and not callable(self.guard):
            raise InvalidArgumentsError(f"guard is {self.guard!r}; give a function of the event")
        if self.until is not None and not isinstance(self.until, trio.Event):
            raise InvalidArgumentsError(f"until is {self.until!r}; give a trio.Event")


@final
class Registration(Generic[E]):
    """One listener for one kind of event."""

    __slots__ = ("active", "after", "context", "kind", "listener", "options")

    def __init__(
        self,
        kind: type[E],
        listener: Callable[[E], object],
        options: ListenerOptions,
        after: int,
    ) -> None:
        self.kind = kind
        self.listener = listener
        self.options = options
        self.after = after
        """Only events with a greater number are for it: none that was under way when it came."""
        self.active = True
        self.context = contextvars.copy_context() if options.concurrent else None

    @property
    def is_live(self) -> bool:
        """Whether it still counts."""
        until = self.options.until
        return self.active and not (until is not None and until.is_set())


@final
class ListenerHandle:
    """Removes a listener: by `remove()`, or by leaving a `with` block."""

    __slots__ = ("_remove",)

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove = remove

    def remove(self) -> None:
        """Remove the listener, at once; a second time does nothing."""
        self._remove()

    def __enter__(self) -> ListenerHandle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()


def added_or_decorator(
    add: Callable[[Callable[..., object]], ListenerHandle], listener: Callable[..., object] | None
) -> ListenerHandle | Callable[[F], F]:
    """Add a listener; without one, return a decorator that does and gives the function back."""
    if listener is not None:
        return add(listener)

    def register(function: F) -> F:
        add(function)
        return function

    return register


@final
class Registry(Generic[E]):
    """Registrations in order, one for each pair of event class and listener (by `==`)."""

    __slots__ = ("registrations",)

    def __init__(self) -> None:
        self.registrations: list[Registration[E]] = []

    def __bool__(self) -> bool:
        return bool(self.registrations)

    def add(
        self, kind: type[E], listener: Callable[[E], object], options: ListenerOptions, after: int
    ) -> Registration[E]:
        """Register; a pair that is registered already stays as it is.

        Raises:
            InvalidArgumentsError: The listener cannot be called, or the options are none.
        """
        if not callable(listener):
            raise InvalidArgumentsError(f"{listener!r} is no listener: give a function of an event")
        if not isinstance(options, ListenerOptions):
            raise InvalidArgumentsError(f"{options!r} are no options: give ListenerOptions(…)")
        for registration in self.registrations:
            if (
                registration.kind is kind
                and registration.listener == listener
                and registration.is_live
            ):
                return registration
        added = Registration(kind, listener, options, after)
        self.registrations.append(added)
        return added

    def remove(self, kind: type[E], listener: Callable[[E], object]) -> None:
        """Remove a pair; unknown ones are ignored."""
        for registration in self.registrations:
            if registration.kind is kind and registration.listener == listener:
                self.drop(registration)
                return

    def drop(self, registration: Registration[E]) -> None:
        """Remove one registration."""
        if registration.active:
            registration.active = False
            self.registrations.remove(registration)

    def clear(self) -> None:
        """Remove all."""
        for registration in self.registrations:
            registration.active = False
        self.registrations.clear()

    def matching(self, event: E, number: int) -> Iterator[Registration[E]]:
        """Yield those the event is for, in order; each is looked at only when its turn comes."""
        for registration in tuple(self.registrations):
            if not registration.is_live:
                if registration.active:
                    self.drop(registration)  # its `until` was set
            elif registration.after < number and isinstance(event, registration.kind):
                yield registration
