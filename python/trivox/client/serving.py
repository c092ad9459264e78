"""`serve`: one task for each incoming call, and nothing a handler does can hurt another."""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.actor.correlation import call_id, log_fields
from trivox.actor.nursery import PlainNursery
from trivox.call.call import Call
from trivox.call.client_events import HandlerFailed
from trivox.errors import (
    CallEndedError,
    CallError,
    EngineExhaustedError,
    InvalidArgumentsError,
    MediaNegotiationError,
)
from trivox.media.port import PortEndedError

if TYPE_CHECKING:
    from trivox.client.arrivals import Arrivals

Handler = Callable[[Call], Awaitable[object]]
"""An async function of one call."""

_LOGGER: Final = logging.getLogger("trivox.serve")
_EXCUSED: Final = (MediaNegotiationError, EngineExhaustedError, PortEndedError)


async def serve(
    arrivals: Arrivals,
    handler: Handler,
    *,
    max_calls: int | None,
    task_status: trio.TaskStatus[None],
) -> None:
    """Run the handler for each call until the client drains; see `Client.serve`."""
    if not callable(handler):
        raise InvalidArgumentsError(
            f"{handler!r} is no handler: give the async function itself, not its result"
        )
    async with PlainNursery() as nursery:
        server = _Server(arrivals, handler, nursery, max_calls)
        arrivals.takers.add(server)
        try:
            if arrivals.is_closed:
                server.close()
            task_status.started()
            await server.closed.wait()
        finally:
            server.close()
            arrivals.takers.remove(server)


@final
class _Server:
    """The taker behind `serve`."""

    def __init__(
        self, arrivals: Arrivals, handler: Handler, nursery: trio.Nursery, max_calls: int | None
    ) -> None:
        self._arrivals = arrivals
        self._handler = handler
        self._nursery = nursery
        self._max_calls = max_calls
        self._context = contextvars.copy_context()
        self._running = 0
        self.closed = trio.Event()

    @property
    def is_free(self) -> bool:
        """Whether one more handler may run."""
        return not self.closed.is_set() and (
            self._max_calls is None or self._running < self._max_calls
        )

    def take(self, call: Call) -> None:
        """Start the handler of a call."""
        self._running += 1
        call._note_taken()
        # The caller's context, not that of whoever made room: another call's handler, or the drain.
        self._context.run(self._start, call)

    def withdraw(self, call: Call) -> None:
        """Do nothing: a handler takes its call at once, none waits here."""

    def close(self) -> None:
        """Take no more."""
        self.closed.set()

    def _start(self, call: Call) -> None:
        self._nursery.start_soon(self._handle, call, name=f"call {call.id}")

    async def _handle(self, call: Call) -> None:
        call_id.set(call.id)
        try:
            # As `async with call`, but a task that begins or ends here needs no checkpoint more.
            await trio.lowlevel.checkpoint_if_cancelled()
            answer = self._handler(call)
            if not inspect.isawaitable(answer):
                raise InvalidArgumentsError(
                    f"the handler {self._handler!r} is not async: write `async def`"
                )
            await answer
            if call.end is None:
                await call.aclose()
            call._raise_of_listener()
        except Exception as error:
            call._exit(error)
            self._report(call, error)
        except BaseExceptionGroup as group:
            call._exit(group)
            ours, rest = group.split(Exception)
            if ours is not None:
                self._report(call, ours)
            if rest is not None:
                raise rest from None
        except BaseException as error:
            call._exit(error)
            raise
        finally:
            self._running -= 1
            self._arrivals.takers.note_free()

    def _report(self, call: Call, error: Exception) -> None:
        """Log and emit what a handler raised; that its own call ended is no failure."""
        fields = log_fields(call.id)
        if _is_end_of(call, error):
            _LOGGER.debug("call %s ended under its handler: %s", call.id, error, extra=fields)
            return
        _LOGGER.error("the handler of call %s raised", call.id, exc_info=error, extra=fields)
        client = self._arrivals.client
        client._emit(HandlerFailed(at=trio.current_time(), call=call, error=error))


def _is_end_of(call: Call, error: Exception) -> bool:
    """Whether this, or all that a nursery of the handler gathered, only says that the call ended."""
    if isinstance(error, ExceptionGroup):
        return all(_is_end_of(call, one) for one in error.exceptions)
    # One that is being hung up, for want of media or by its longest duration, has no `end` yet.
    if call.end is None and not isinstance(error, CallEndedError):
        return False
    # An offer of no use is the far end's doing, and was refused with 488; a call there was no
    # descriptor for was refused with 503 and logged.
    is_of_call = isinstance(error, CallError) and error.call_id == call.id
    return is_of_call or isinstance(error, _EXCUSED)
