"""Audio of a call in the hands of the program: frames in, samples out, several per wake-up."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.media.frames import AudioFrame, pcm_bytes

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Buffer

    from trivox.media.engine import MediaSessions

SEND_LIMIT: Final = 2.0
"""Seconds the engine queues ahead before `send` waits; the engine enforces the same figure."""
_TAKE: Final = 50


@final
@dataclass(frozen=True, slots=True)
class Cleared:
    """What was heard of what `AudioPort.clear` has cut short.

    Attributes:
        heard: Seconds that were really sent since the last clear().
    """

    heard: float

    @property
    def heard_ms(self) -> int:
        """The same in whole milliseconds, as model interfaces ask for it."""
        return round(self.heard * 1000)


@final
class AudioPort:
    """Iterate it for what is heard; `send` what is to be said. int16 mono at `rate` both ways.

    The engine keeps what is heard and not yet taken for 2 seconds, then drops the oldest. Close it
    (or leave its `with` block) when done; closing the call closes it too.
    """

    def __init__(
        self,
        sessions: MediaSessions,
        session: int,
        *,
        rate: int = 16_000,
        frame: float = 0.02,
        batch: int = 1,
    ) -> None:
        if not math.isfinite(frame):
            raise InvalidArgumentsError(f"frame is {frame}; it must be 0.01 to 0.12 seconds")
        self._sessions: Final = sessions
        self.rate: Final = rate
        self.number: Final = sessions.open_audio(session, rate, round(frame * 1000), batch)
        self._frames: Final[deque[AudioFrame]] = deque()
        self._ready: Final = trio.lowlevel.ParkingLot()
        self._room: Final = trio.lowlevel.ParkingLot()
        self._queued = 0.0
        self._dry_at = -math.inf
        self._is_closed = False
        self._has_ended = False

    @property
    def is_playing(self) -> bool:
        """Whether some of what was sent is still to be heard, going by the clock."""
        is_open = not self._is_closed and not self._has_ended
        return is_open and trio.current_time() < self._dry_at

    def __enter__(self) -> AudioPort:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> AudioPort:
        return self

    async def __anext__(self) -> AudioFrame:
        """Return the next frame; the iteration ends with the call or with close()."""
        await trio.lowlevel.checkpoint()
        while not self._frames:
            if not self._is_closed:
                self._take()
            if not self._frames:
                if self._is_closed or self._has_ended:
                    raise StopAsyncIteration
                await self._ready.park()
        return self._frames.popleft()

    async def send(self, samples: Buffer) -> None:
        """Queue int16 or float32 mono samples; waits while 2 seconds are queued ahead.

        More than a second is queued in pieces of a second. On cancellation a piece is either
        queued whole or not at all.

        Raises:
            trio.ClosedResourceError: The port or its call was closed.
            InvalidArgumentsError: The samples have another format.
        """
        data = pcm_bytes(samples)
        piece = 2 * self.rate
        for start in range(0, max(len(data), 1), piece):
            await trio.lowlevel.checkpoint_if_cancelled()
            while not self._is_closed and not self._has_ended and self._queued >= SEND_LIMIT:
                await self._room.park()
            self._send(data[start : start + piece])
        await trio.lowlevel.cancel_shielded_checkpoint()

    def send_nowait(self, samples: Buffer) -> None:
        """Queue at most 2 seconds of samples, or raise trio.WouldBlock while 2 seconds wait.

        Raises:
            BufferOverflowError: More than 2 seconds at once while others wait.
        """
        if not self._is_closed and not self._has_ended and self._queued >= SEND_LIMIT:
            raise trio.WouldBlock
        self._send(pcm_bytes(samples))

    def clear(self, *, fade: float = 0.0) -> Cleared:
        """Drop what is queued, fading out over `fade` seconds; return what was really sent.

        Counted since the last clear(): what the far end may have heard, for barge-in. Nothing on a
        closed port.

        Raises:
            InvalidArgumentsError: The fade is negative or not finite.
        """
        if not 0.0 <= fade < math.inf:
            raise InvalidArgumentsError(f"fade is {fade}; it must be 0 or more seconds")
        if self._is_closed or self._has_ended:
            return Cleared(0.0)
        heard = self._sessions.clear_audio(self.number, fade)
        self._queued = 0.0
        self._dry_at = -math.inf
        self._room.unpark_all()
        return Cleared(heard)

    def close(self) -> None:
        """Stop the subscription and drop what is queued. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            if not self._has_ended:
                self._sessions.close_audio(self.number)
            self._ready.unpark_all()
            self._room.unpark_all()

    def handle_engine_event(self, kind: int) -> None:
        """Take FRAMES_READY or AUDIO_LOW of this port; the call passes them on."""
        if kind == EngineEventKind.FRAMES_READY:
            self._ready.unpark_all()
        elif kind == EngineEventKind.AUDIO_LOW:
            self._queued = 0.0
            self._room.unpark_all()

    def handle_end(self) -> None:
        """Note that the session is closed: what was taken can be read, then iteration ends.

        Call it before the session is closed, so that the last frames are not lost.
        """
        if not self._is_closed and not self._has_ended:
            self._take()
            self._has_ended = True
            self._ready.unpark_all()
            self._room.unpark_all()

    def _take(self) -> None:
        for pts, level, flags, data in self._sessions.take_frames(self.number, _TAKE):
            self._frames.append(AudioFrame(data, self.rate, pts, level, flags))

    def _send(self, data: bytes) -> None:
        if self._is_closed or self._has_ended:
            raise trio.ClosedResourceError(
                "this audio port is closed: open a new one on a live call"
            )
        self._queued = self._sessions.send_audio(self.number, data)
        self._dry_at = trio.current_time() + self._queued
