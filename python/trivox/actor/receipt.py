"""What a synchronous send returns: a handle on an outcome that nobody has to wait for."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Receipt(Generic[T]):
    """The outcome of something already under way.

    Dropping a receipt, or being cancelled in `wait()`, changes nothing about it.
    """

    __slots__ = ("__weakref__", "_cancel", "_done", "_error", "_judge", "_value", "_waiters")

    def __init__(
        self,
        *,
        cancel: Callable[[], None] | None = None,
        judge: Callable[[T], Exception | None] | None = None,
    ) -> None:
        self._cancel = cancel
        self._judge = judge
        self._done = False
        self._value: T | None = None
        self._error: Exception | None = None
        self._waiters: trio.lowlevel.ParkingLot | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'done' if self._done else 'under way'}>"

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._done

    async def wait(self) -> T:
        """Wait for the outcome and return it, whatever it is. Cancellation changes nothing.

        Raises:
            CallEndedError: The call ended first.
            ConnectionTimeoutError: No response came in time (Timer F, RFC 3261 §17.1.2).
        """
        await trio.lowlevel.checkpoint()
        while not self._done:
            if self._waiters is None:
                self._waiters = trio.lowlevel.ParkingLot()
            await self._waiters.park()
        if self._error is not None:
            raise copy.copy(self._error)
        return self._value  # type: ignore[return-value]  # done without error: it was resolved

    async def check(self) -> T:
        """Wait for the outcome and return it if it is a good one. Cancellation changes nothing.

        Raises:
            SipResponseError: The response is 300 or more.
        """
        value = await self.wait()
        error = self._judge(value) if self._judge is not None else None
        if error is not None:
            raise error
        return value

    def cancel(self) -> None:
        """Stop what can still be stopped: tones not begun. A request that is sent goes on."""
        if not self._done and self._cancel is not None:
            self._cancel()


class OpenReceipt(Receipt[T]):
    """The side that settles the outcome; the first word counts, later ones are ignored."""

    __slots__ = ()

    def resolve(self, value: T) -> None:
        """Settle with a value."""
        if not self._done:
            self._value = value
            self._settle()

    def fail(self, error: Exception) -> None:
        """Settle with an error, raised by each `wait()`."""
        if not self._done:
            self._error = error
            self._settle()

    def _settle(self) -> None:
        self._done = True
        self._cancel = None
        if self._waiters is not None:
            self._waiters.unpark_all()
