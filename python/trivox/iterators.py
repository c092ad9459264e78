"""What a program iterates over and closes, by itself or by leaving a `with` block."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

Item = TypeVar("Item")


class ClosableIterator(AsyncIterator[Item]):
    """An async iterator that subscribes to something, and so has to be closed.

    Not a generator: one that a `break` leaves half-way is closed only when its memory is reclaimed.
    """

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """End the subscription. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self
