"""Running what a program gave us so that its errors cannot hurt a call."""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from trivox.actor.correlation import log_fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_LOGGER: Final = logging.getLogger("trivox.listeners")

SLOW_CALLBACK: Final = 0.010
"""Seconds a synchronous callback may hold up the client's loop before it is counted and logged."""


class ListenerErrorPolicy(StrEnum):
    """What happens when a listener or a watch callback raises."""

    LOG = "log"
    """Log the traceback and report it on the client; all else goes on."""
    FAIL_CALL = "fail_call"
    """Besides, hang up; the error becomes `call.end.error`."""
    RAISE = "raise"
    """Besides, cancel the client; the error comes out of `async with` of the client. For tests."""


@final
class Isolation:
    """The place where exceptions of a program's callbacks end, and what is done with them.

    One for each call or client. Only `Exception` ends here; `Cancelled` and `KeyboardInterrupt`
    pass, also out of a group, whose exceptions are split off first.

    Args:
        policy: What to do besides logging.
        owner: Text for the log: which call or client it was.
        call: Id of the call, for log records; "" for a client.
        failed: Told of each error as (callback, event or None, error).
        fail_call: Hangs up; used by FAIL_CALL.
        crash: Ends the client with the error; used by RAISE.
    """

    __slots__ = ("_call", "_crash", "_fail_call", "_failed", "_owner", "_policy", "slow_callbacks")

    def __init__(
        self,
        policy: ListenerErrorPolicy = ListenerErrorPolicy.LOG,
        owner: str = "",
        call: str = "",
        failed: Callable[[object, object, Exception], None] | None = None,
        fail_call: Callable[[Exception], None] | None = None,
        crash: Callable[[Exception], None] | None = None,
    ) -> None:
        self._policy = policy
        self._owner = owner
        self._call = call
        self._failed = failed
        self._fail_call = fail_call
        self._crash = crash
        self.slow_callbacks = 0
        """Synchronous callbacks that held up the loop for more than `SLOW_CALLBACK`."""

    def call(self, event: object, callback: Callable[..., object], *args: object) -> object:
        """Call back synchronously; return its result, or None when it raised."""
        began = time.perf_counter()
        try:
            return callback(*args)
        except Exception as error:
            self.report(callback, event, error)
        except BaseExceptionGroup as group:
            self._split(callback, event, group)
        finally:
            seconds = time.perf_counter() - began
            if seconds > SLOW_CALLBACK:
                self._report_slow(callback, seconds)
        return None

    async def wait(self, event: object, callback: object, result: Awaitable[object]) -> None:
        """Wait for what an asynchronous callback returned; its errors end here."""
        try:
            await result
        except Exception as error:
            self.report(callback, event, error)
        except BaseExceptionGroup as group:
            self._split(callback, event, group)

    def report(self, callback: object, event: object, error: Exception) -> None:
        """Log an error and do what the policy says."""
        _LOGGER.error(
            "%s: %r raised",
            self._owner or "listener",
            callback,
            exc_info=error,
            extra=log_fields(self._call),
        )
        if self._failed is not None:
            self._failed(callback, event, error)
        if self._policy is ListenerErrorPolicy.FAIL_CALL and self._fail_call is not None:
            self._fail_call(error)
        elif self._policy is ListenerErrorPolicy.RAISE and self._crash is not None:
            self._crash(error)

    def _split(
        self, callback: object, event: object, group: BaseExceptionGroup[BaseException]
    ) -> None:
        """Report the exceptions of a group and raise the rest on."""
        ours, rest = group.split(Exception)
        if ours is not None:
            self.report(callback, event, ours)
        if rest is not None:
            raise rest

    def _report_slow(self, callback: object, seconds: float) -> None:
        self.slow_callbacks += 1
        _LOGGER.warning(
            "%s: %r held up all calls for %.0f ms; do such work in a task",
            self._owner or "listener",
            callback,
            seconds * 1000,
            extra=log_fields(self._call),
        )


LOGGED: Final = Isolation()
"""For watchables of a program's own: errors are logged and nothing else."""
