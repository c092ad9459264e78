"""The block that does not outlive its call."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from trivox.errors import CallEndedError, CallFailedError

if TYPE_CHECKING:
    from types import TracebackType

    from trivox.call.call import Call


@final
class CancelOnEnd:
    """Made by `Call.cancel_on_end`."""

    def __init__(self, call: Call, *, raises: bool) -> None:
        self._call = call
        self._raises = raises
        self._scope = trio.CancelScope()

    async def __aenter__(self) -> None:
        await trio.lowlevel.checkpoint()
        self._call._watch_end(self._scope)  # noqa: SLF001 (its other half)
        self._scope.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._call._unwatch_end(self._scope)  # noqa: SLF001 (as above)
        # What waits on the call itself may hear of its end before the cancellation reaches it.
        other = self._without_the_end(value)
        is_quiet = bool(self._scope.__exit__(type(other) if other else None, other, traceback))
        if other is None and value is not None:
            is_quiet = True
            # The news may come while the far end has not answered our BYE.
            await self._call.wait_ended()
        if is_quiet and self._raises:
            raise CallEndedError(end=self._call.end, call_id=self._call.id)
        if value is None:
            await trio.lowlevel.checkpoint()
        return is_quiet

    def _without_the_end(self, value: BaseException | None) -> BaseException | None:
        """Return what is left of an error when the news of this call's end is taken out of it."""
        if isinstance(value, BaseExceptionGroup):
            return value.split(lambda error: self._is_the_end(error))[1]
        return None if value is None or self._is_the_end(value) else value

    def _is_the_end(self, error: BaseException) -> bool:
        kinds = (CallEndedError, CallFailedError)
        return isinstance(error, kinds) and error.call_id == self._call.id
