"""Places in what a program sends, and whether the far end has heard up to them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final
from weakref import WeakSet

import trio

from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_kind

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_KEPT: Final = 1024
"""As many marks as the engine lets wait; a reader that is slower loses the oldest."""


@final
class Mark:
    """A place in the audio that was sent, made by `AudioPort.mark`.

    Attributes:
        name: What the program calls it.
        is_past: The place was passed, or will never be.
        was_heard: What lies before it left in packets to the far end. False while it is not past,
            and where that was muted, kept back by a hold, cleared, or cut off by the end.
    """

    __slots__ = ("is_past", "name", "was_heard")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_past = False
        self.was_heard = False

    def __repr__(self) -> str:
        state = "heard" if self.was_heard else "unheard" if self.is_past else "waiting"
        return f"<Mark {self.name} {state}>"


@final
class PassedMarks:
    """Iterate it for marks in the order they pass, heard or not; ends with the port."""

    def __init__(self, has_ended: Callable[[], bool]) -> None:
        self._has_ended = has_ended
        self._marks: Final[deque[Mark]] = deque(maxlen=_MOST_KEPT)
        self._moved: Final = trio.lowlevel.ParkingLot()

    def __aiter__(self) -> PassedMarks:
        return self

    async def __anext__(self) -> Mark:
        """Return the next mark that is past."""
        await trio.lowlevel.checkpoint()
        while not self._marks:
            if self._has_ended():
                raise StopAsyncIteration
            await self._moved.park()
        return self._marks.popleft()

    def wake(self, mark: Mark | None = None) -> None:
        """Take a mark that is past; None: look whether the port has ended."""
        if mark is not None:
            self._marks.append(mark)
        self._moved.unpark_all()


@final
class Marks:
    """The marks of one port: those that wait, and who waits for them."""

    def __init__(self) -> None:
        self._waiting: Final[dict[int, Mark]] = {}
        self._moved: Final = trio.lowlevel.ParkingLot()
        self._readers: Final[WeakSet[PassedMarks]] = WeakSet()
        self._has_ended = False

    def add(self, number: int, mark: Mark) -> None:
        """Note a mark under the engine's number."""
        self._waiting[number] = mark

    def subscribe(self) -> PassedMarks:
        """Return an iterator of the marks that pass from now on."""
        reader = PassedMarks(lambda: self._has_ended)
        self._readers.add(reader)
        return reader

    def take(self, text: str) -> None:
        """Take what the engine says of a mark: its number, and " heard" where it was."""
        number, _, heard = text.partition(" ")
        mark = self._waiting.pop(int(number), None)
        if mark is not None:
            self._pass(mark, was_heard=bool(heard))

    def end(self) -> None:
        """Pass all that wait, unheard: the port is closed."""
        self._has_ended = True
        while self._waiting:
            self._pass(self._waiting.pop(next(iter(self._waiting))), was_heard=False)
        for reader in self._readers:
            reader.wake()
        self._readers.clear()

    async def wait(self, mark: Mark) -> bool:
        """Wait until a mark is past; whether it was heard.

        Raises:
            InvalidArgumentsError: It is no mark, or one of another port.
        """
        checked_kind(mark, Mark, "mark")
        if not mark.is_past and not any(mark is one for one in self._waiting.values()):
            raise InvalidArgumentsError(f"{mark!r} is a mark of another port: wait there")
        await trio.lowlevel.checkpoint()
        while not mark.is_past:
            await self._moved.park()
        return mark.was_heard

    def _pass(self, mark: Mark, *, was_heard: bool) -> None:
        mark.is_past, mark.was_heard = True, was_heard
        self._moved.unpark_all()
        for reader in self._readers:
            reader.wake(mark)
