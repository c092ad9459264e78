"""Audio of a call in the hands of the program: frames in, samples out, several per wake-up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.errors import EngineError, EventOverflowError
from trivox.errors.checks import checked_rate, checked_whole, checked_within
from trivox.iterators import ClosableIterator
from trivox.media.engine import EngineEventKind
from trivox.media.frames import pcm_bytes
from trivox.media.marks import Mark, Marks, PassedMarks

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from trivox.media.engine import MediaSessions
    from trivox.media.frames import AudioFrame

_TAKE: Final = 200
_MOST_WAITING: Final = 60.0
_ALL: Final = 6000
"""A minute of the shortest frames: more never wait in the engine."""


@final
@dataclass(frozen=True, slots=True)
class Cleared:
    """What was heard of what `AudioPort.clear` has cut short.

    Attributes:
        heard: Seconds of sent audio that left in packets to the far end since the last clear(): not
            what was muted or kept back by a hold, and not the fade. The encoder's delay (Opus:
            6.5 ms) and the way to the far end's loudspeaker are not in it.
    """

    heard: float

    @property
    def heard_ms(self) -> int:
        """The same in whole milliseconds, as model interfaces ask for it."""
        return round(self.heard * 1000)


@final
class PortEndedError(trio.ClosedResourceError):
    """The call of a port has ended; the program did not close it."""


@final
class AudioPort(ClosableIterator["AudioFrame"]):
    """Iterate it for what is heard; `send` what is to be said. int16 mono at `rate` both ways.

    The engine keeps what is heard and not yet taken for 2 seconds, or `most_waiting` frames, then
    drops the oldest; `lost` counts. Close it (or leave its `with` block) when done; closing the
    call closes it too.

    Attributes:
        rate: Samples a second, both ways.
        ahead: Seconds that may be queued before `send` waits.
        number: The engine's number for it.
        lost: Frames that were dropped before they were read.
    """

    def __init__(
        self,
        sessions: MediaSessions,
        session: int,
        *,
        rate: int = 16_000,
        frame: float = 0.02,
        batch: int = 1,
        ahead: float = 0.2,
        most_waiting: int | None = None,
        raises_lost: bool = False,
    ) -> None:
        checked_rate(rate)
        checked_within(frame, "frame", 0.01, 0.12, unit=" seconds")
        checked_whole(batch, "batch", 1, 50, unit=" frames")
        checked_within(ahead, "ahead", 0.02, 10.0, unit=" seconds")
        if most_waiting is not None:
            longest = int(_MOST_WAITING / frame)
            checked_whole(most_waiting, "maxlen", batch, longest, unit=" frames, a minute at most")
        self._sessions: Final = sessions
        self.rate: Final = rate
        self.ahead: Final = ahead
        self.number: Final = sessions.open_audio(session, rate, round(frame * 1000), batch, ahead)
        if most_waiting is not None:
            sessions.bound_audio(self.number, most_waiting, keeps_oldest=raises_lost)
        # What waits here is not bounded by the engine any more.
        self._most_taken: Final = _TAKE if most_waiting is None else batch
        self._raises_lost: Final = raises_lost
        self._next_pts = 0.0
        self.lost = 0
        self._frames: Final[deque[AudioFrame]] = deque()
        self._ready: Final = trio.lowlevel.ParkingLot()
        self._room: Final = trio.lowlevel.ParkingLot()
        self._marks: Final = Marks()
        self._is_closed = False
        self._has_ended = False

    @property
    def is_closed(self) -> bool:
        """Whether it was closed by the program."""
        return self._is_closed

    @property
    def queued(self) -> float:
        """Seconds that were sent and have not left yet; 0.0 on a closed port."""
        return self._state()[0]

    @property
    def is_playing(self) -> bool:
        """Whether some of what was sent has not left yet."""
        return self._state()[0] > 0.0

    @property
    def underruns(self) -> int:
        """How often the queue ran dry in the middle of a packet; 0 on a closed port."""
        return self._state()[1]

    async def __anext__(self) -> AudioFrame:
        """Return the next frame; the iteration ends with the call or with close().

        Raises:
            EventOverflowError: Frames are missing before it, if that was asked for; then it goes on.
        """
        await trio.lowlevel.checkpoint()
        while not self._frames:
            if not self._is_closed:
                self._take(self._most_taken)
            if not self._frames:
                if self._is_closed or self._has_ended:
                    raise StopAsyncIteration
                await self._ready.park()
        frame = self._frames[0]
        missing = self._note_missing(frame)
        if missing and self._raises_lost:
            raise EventOverflowError(f"{missing} frames were lost", lost=missing)
        self._next_pts += frame.duration
        return self._frames.popleft()

    async def send(self, samples: Buffer) -> None:
        """Queue int16 or float32 mono samples; waits while they do not fit into `ahead` seconds.

        A block is queued whole or not at all, also on cancellation. One that is longer than `ahead`
        is queued once half of `ahead` is left, so that nothing runs dry.

        Raises:
            trio.ClosedResourceError: The port or its call was closed.
            InvalidArgumentsError: Another format, or more than 60 seconds at once.
        """
        data = pcm_bytes(samples)
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            while not self._send(data):
                await self._room.park()
        except trio.ClosedResourceError:
            # Whose scope ends with the call is cancelled and sees no error.
            await trio.lowlevel.checkpoint()
            raise
        await trio.lowlevel.cancel_shielded_checkpoint()

    def send_nowait(self, samples: Buffer) -> None:
        """Queue samples whole, or raise trio.WouldBlock where `send` would wait."""
        if not self._send(pcm_bytes(samples)):
            raise trio.WouldBlock

    def mark(self, name: str = "") -> Mark:
        """Put a mark behind what was sent so far, to be told when that has been heard.

        Raises:
            trio.ClosedResourceError: The port or its call was closed.
            BufferOverflowError: 1024 marks wait.
        """
        self._refuse_closed()
        mark = Mark(name)
        self._marks.add(self._sessions.mark_audio(self.number), mark)
        return mark

    async def played(self, mark: Mark) -> bool:
        """Wait until a mark is past; True when what lies before it was sent to the far end.

        False when that was muted, kept back by a hold, cleared, or cut off by the end of the call.
        """
        return await self._marks.wait(mark)

    def played_marks(self) -> PassedMarks:
        """Iterate this for the marks that pass from now on, in order, heard or not."""
        return self._marks.subscribe()

    async def wait_played(self) -> bool:
        """Wait until all that was sent so far is past; True when it was heard to its end."""
        return await self.played(self.mark())

    def clear(self, *, fade: float = 0.02) -> Cleared:
        """Drop what is queued and return what was really sent of it, for barge-in.

        What was being heard fades to silence over `fade` seconds: with the default it stops within
        one frame. Marks that wait are past, unheard. A `send` that waits goes on afterwards.

        Raises:
            InvalidArgumentsError: The fade is not from 0 to 1 second.
        """
        checked_within(fade, "fade", 0.0, 1.0, unit=" seconds")
        if self._is_closed or self._has_ended:
            return Cleared(0.0)
        heard = self._sessions.clear_audio(self.number, fade)
        self._room.unpark_all()
        return Cleared(heard)

    def close(self) -> None:
        """Stop the subscription and drop what is queued. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            if not self._has_ended:
                self._sessions.close_audio(self.number)
            self._wake_all()

    def finish(self) -> None:
        """Stop the subscription as `close` does, but let what has come be read to its end."""
        if not self._is_closed and not self._has_ended:
            self._take(_ALL)
        self.close()

    def handle_engine_event(self, kind: int, text: str = "") -> None:
        """Take an event of this port; the call passes them on."""
        if kind == EngineEventKind.FRAMES_READY:
            self._ready.unpark_all()
        elif kind == EngineEventKind.AUDIO_LOW:
            self._room.unpark_all()
        else:
            self._marks.take(text)

    def handle_end(self) -> None:
        """Note that the session is closed: what was taken can be read, then iteration ends.

        Call it before the session is closed, so that the last frames are not lost.
        """
        if not self._is_closed and not self._has_ended:
            self._take(_ALL)
            self._has_ended = True
            self._wake_all()

    def _wake_all(self) -> None:
        self._marks.end()
        self._ready.unpark_all()
        self._room.unpark_all()

    def _take(self, most: int) -> None:
        self._frames.extend(self._sessions.take_frames(self.number, most))

    def _note_missing(self, frame: AudioFrame) -> int:
        """Count the frames that were dropped before this one: time goes on without them."""
        missing = round((frame.pts - self._next_pts) / frame.duration)
        self._next_pts = frame.pts
        self.lost += missing
        return missing

    def _refuse_closed(self) -> None:
        if self._is_closed or self._has_ended:
            kind = trio.ClosedResourceError if self._is_closed else PortEndedError
            raise kind("this audio port is closed: open a new one on a live call")

    def _send(self, data: bytes) -> bool:
        self._refuse_closed()
        return self._sessions.send_audio(self.number, data) is not None

    def _state(self) -> tuple[float, int]:
        if self._is_closed or self._has_ended:
            return (0.0, 0)
        try:
            return self._sessions.audio_state(self.number)
        except EngineError:  # the session has ended this instant
            return (0.0, 0)
