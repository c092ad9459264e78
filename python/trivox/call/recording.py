"""A recording of a call, as long as its block lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox.call.recording_file import RecordingFile
from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

    from trivox.call.media_leg import MediaLeg

_OF_VIDEO: Final = ("mkv", "ivf")
_FORMATS: Final = ("wav", "ogg", *_OF_VIDEO)
_SIDES: Final = ("both", "received", "sent", "none")


@final
class Recording(RecordingFile):
    """Made by `Call.recording`; records while inside `async with`.

    `error` and `lost_blocks` are told by `RecordingFailed` and `RecordingBehind` too.
    """

    def __init__(
        self,
        leg: MediaLeg,
        path: str | os.PathLike[str],
        side: str,
        format: str | None,  # noqa: A002 (as others call it)
        begin: Callable[[], Awaitable[None]],
        line: int = 0,
        layer: str = "",
    ) -> None:
        super().__init__(path, format, _FORMATS)
        if side not in _SIDES:
            raise InvalidArgumentsError(f'side is {side!r}; it is "both", "received" or "sent"')
        if (line or side == "none") and self.format not in _OF_VIDEO:
            raise InvalidArgumentsError(
                f"{self.path!r} would be sound: video is recorded to .mkv or .ivf"
            )
        self._leg = leg
        self._side = side
        self._begin = begin
        self._line = line
        self._layer = layer

    async def __aenter__(self) -> Recording:
        """Wait until media flows and begin."""
        await self._begin()
        leg = self._leg
        number = self._start(leg)
        self._note_begun(number, leg.expect(EngineEventKind.RECORDING_ENDED, number))
        return self

    def _start(self, leg: MediaLeg) -> int:
        if self.format in _OF_VIDEO:
            return leg.sessions.start_video_recording(
                leg.session, self._line, self.path, self._side, self.format, self._layer
            )
        return leg.sessions.start_recording(leg.session, self.path, self._side, self.format)

    def _stop(self, number: int) -> float:
        leg = self._leg
        return leg.sessions.stop_recording(leg.session, number) if leg.is_open else 0.0
