"""A nursery for the inside of our own functions, whose single error comes out as itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

if TYPE_CHECKING:
    from types import TracebackType


@final
class PlainNursery:
    """`async with PlainNursery() as nursery:` never wraps one exception in a group.

    Callers of `serve` see what went wrong, not that a nursery was involved.
    """

    def __init__(self) -> None:
        self._manager = trio.open_nursery(strict_exception_groups=True)

    async def __aenter__(self) -> trio.Nursery:
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Wait for the tasks; raise their error, unwrapped when it is the only one."""
        only: BaseException
        try:
            return bool(await self._manager.__aexit__(kind, value, traceback))
        except BaseExceptionGroup as group:
            if len(group.exceptions) != 1:
                raise
            only = group.exceptions[0]
        if only is value or _is_copy(only, value):
            return False
        context = only.__context__
        try:
            raise only
        finally:
            only.__context__ = context


def _is_copy(found: BaseException, error: BaseException | None) -> bool:
    """Whether one is the group the other was before Trio split cancellations off it."""
    return (
        isinstance(found, BaseExceptionGroup)
        and isinstance(error, BaseExceptionGroup)
        and found.message == error.message
        and [*map(id, found.exceptions)] == [*map(id, error.exceptions)]
    )
