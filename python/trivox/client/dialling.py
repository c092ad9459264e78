"""`async with client.dial(…) as call:` connected on entry, hung up on exit."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from trivox.call.events import EndReason
from trivox.errors import CallEndedError

if TYPE_CHECKING:
    from types import TracebackType

    from trivox.call.call import Call


@final
class Dialling:
    """Made by `Client.dial`. Not entered, it does nothing."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def __aenter__(self) -> Call:
        """Call and wait until connected.

        A callee that answers and hangs up at once was reached: the block is entered, and
        `call.end` says that it is over. So it is when its BYE is here before media is set up.

        If cancelled or failing, the call is ended before the exception leaves: CANCEL, or ACK and
        BYE if a 2xx crosses it.
        """
        call = self._call
        try:
            await call.start()
            await call.wait_connected()
        except CallEndedError as error:
            if not self._was_reached():
                call._exit(error)
                raise
        except BaseException as error:
            call._exit(error)
            raise
        return call

    def _was_reached(self) -> bool:
        """Whether the callee has answered the call, and ended it."""
        end = self._call.end
        is_theirs = end is not None and end.reason is EndReason.REMOTE_ENDED
        return is_theirs and self._call.timings.answered is not None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up, as leaving `async with call` does."""
        await self._call.__aexit__(kind, value, traceback)
