"""Sources that a program fills: by hand, from an iterable, from an async iterable, from a call."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.errors.checks import checked_iterable, checked_rate, checked_whole, checked_within
from trivox.media.frames import pcm_bytes
from trivox.media.native_engine import AudioFeed

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Iterator,
    )

    from typing_extensions import Buffer

_LOGGER: Final = logging.getLogger("trivox.media")
_LONGEST: Final = 60
_CHUNK: Final = 1.0
"""Seconds an iterable is asked for at a time, in a thread."""
_AHEAD: Final = 0.2
"""Seconds an async iterable may be ahead of what is played."""
_LEAST_WAIT: Final = 0.02
"""A packet: nothing leaves in less."""
_LONGEST_REASON: Final = 400
_LOOK: Final = 0.5
"""Seconds an iterable may be waited for in vain once its playback is over."""


@final
class PushSource:
    """Audio that the program sends, to be played in one call or in several.

    Nothing leaves before a call plays it; what is sent until then waits, as far as there is room.
    With several calls the one that is furthest sets the pace.

    Args:
        rate: Samples a second, 8000 to 48 000.
        channels: 1 or 2; two are mixed down.
        buffer: Seconds that may wait, 0.02 to 60.
        feed: What holds it; None: one of its own, which outlives the calls that play it.
    """

    __slots__ = ("_channels", "feed", "rate")

    def __init__(
        self,
        rate: int = 16_000,
        channels: int = 1,
        buffer: float = 0.2,
        *,
        feed: AudioFeed | None = None,
    ) -> None:
        checked_rate(rate)
        checked_whole(channels, "channels", 1, 2)
        checked_within(buffer, "buffer", 0.02, 60.0, unit=" seconds")
        self.rate: Final = rate
        self._channels: Final = channels
        self.feed: Final = feed or AudioFeed(rate, buffer)

    @property
    def queued(self) -> float:
        """Seconds that wait to be played."""
        return self.feed.queued

    @property
    def underruns(self) -> int:
        """How often a call found less than a packet."""
        return self.feed.underruns

    async def send(self, frame: Buffer) -> None:
        """Queue int16 or float32 samples whole; waits while there is no room.

        A block that is longer than the buffer is queued once half of it is left. On cancellation
        nothing is queued.

        Raises:
            trio.ClosedResourceError: It was closed.
            InvalidArgumentsError: Another format, or more than 60 seconds at once.
        """
        data = self._checked(frame)
        await trio.lowlevel.checkpoint_if_cancelled()
        while (excess := self._write(data)) > 0.0:  # noqa: ASYNC110 (time, not an event)
            # What has to leave leaves in real time, so its length is how long to wait.
            await trio.sleep(max(excess, _LEAST_WAIT))
        await trio.lowlevel.cancel_shielded_checkpoint()

    def send_nowait(self, frame: Buffer) -> None:
        """Queue samples whole, or raise trio.WouldBlock where `send` would wait."""
        if self._write(self._checked(frame)) > 0.0:
            raise trio.WouldBlock

    async def wait_played(self) -> None:
        """Wait until all that was sent has been taken by a call."""
        await trio.lowlevel.checkpoint()
        while (queued := self.feed.queued) > 0.0:  # noqa: ASYNC110 (as above)
            await trio.sleep(max(queued, _LEAST_WAIT))

    def clear(self) -> float:
        """Drop what waits and return its seconds."""
        return self.feed.clear()

    def close(self) -> None:
        """Say that nothing more comes: calls play what waits, then their playback ends."""
        self.feed.close()

    def _checked(self, frame: Buffer) -> bytes:
        data = pcm_bytes(frame)
        if self._channels == 2:
            data = _mixed_down(data)
        if len(data) > 2 * self.rate * _LONGEST:
            raise InvalidArgumentsError(f"a block has at most {_LONGEST} s: send it in pieces")
        return data

    def _write(self, data: bytes) -> float:
        if self.feed.is_closed:
            raise trio.ClosedResourceError("this source is closed: make another")
        return self.feed.write(data)


def _mixed_down(data: bytes) -> bytes:
    if len(data) % 4:
        raise InvalidArgumentsError("two channels of int16 come four bytes at a time")
    pairs = memoryview(data).cast("h")
    left, right = pairs[::2].tolist(), pairs[1::2].tolist()
    mean = ((one + other) // 2 for one, other in zip(left, right, strict=True))
    return b"".join(value.to_bytes(2, "little", signed=True) for value in mean)


class Pumped(Protocol):
    """A source that needs a task which fills it."""

    @property
    def source(self) -> PushSource:
        """What is played."""
        ...

    def take_pump(self) -> Callable[[], Awaitable[None]] | None:
        """Return the task to be started, once; None when it has been."""
        ...


@final
class IterSource:
    """Samples of an iterable of blocks, which is asked in a worker thread, a second at a time.

    It is read once, from its first playback on; what it raises ends the playback, which raises EngineError from it.

    Args:
        iterable: Blocks of int16 or float32 mono samples, of any length.
        rate: Samples a second.
    """

    __slots__ = ("_blocks", "_is_taken", "error", "source")

    def __init__(self, iterable: Iterable[Buffer], rate: int = 16_000) -> None:
        checked_rate(rate)
        self._blocks: Final = iter(checked_iterable(iterable, "iterable"))
        self._is_taken = False
        self.source: Final = PushSource(rate, feed=AudioFeed(rate, 2 * _CHUNK, once=True))
        self.error: Exception | None = None
        """What the iterable raised."""

    def take_pump(self) -> Callable[[], Awaitable[None]] | None:
        """Return the task that fills it, the first time."""
        was_taken, self._is_taken = self._is_taken, True
        return None if was_taken else partial(while_played, self.source, self._fill, self._note)

    async def _fill(self) -> None:
        size = int(2 * _CHUNK * self.source.rate)
        # Its own: iterables that block must not take the threads that names are resolved in.
        limiter = trio.CapacityLimiter(1)
        pull = partial(_pull, self._blocks, size)
        error: Exception | None = None
        while error is None:
            data, error = await trio.to_thread.run_sync(
                pull, abandon_on_cancel=True, limiter=limiter
            )
            if data:
                await self.source.send(data)
            elif error is None:
                return
        raise error

    def _note(self, error: Exception) -> None:
        self.error = error
        _LOGGER.error("an IterSource ended early", exc_info=error)


async def while_played(
    source: PushSource,
    fill: Callable[[], Awaitable[None]],
    failed: Callable[[Exception], None],
) -> None:
    """Fill a source until its playback is over: a block that is waited for then may never come.

    What `fill` raises ends the playback behind what was sent, and `failed` is told.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_leave_when_closed, source.feed, nursery.cancel_scope)
        try:
            await fill()
        except Exception as error:
            if not (source.feed.is_closed and isinstance(error, trio.ClosedResourceError)):
                failed(error)
                source.feed.fail(_reason(error))
        finally:
            source.close()
        nursery.cancel_scope.cancel()


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
    return text[:_LONGEST_REASON]


async def _leave_when_closed(feed: AudioFeed, scope: trio.CancelScope) -> None:
    while not feed.is_closed:  # noqa: ASYNC110 (it is closed by the engine, without an event)
        await trio.sleep(_LOOK)
    scope.cancel()


def _pull(blocks: Iterator[Buffer], size: int) -> tuple[bytes, Exception | None]:
    """Take blocks until there are `size` bytes, or none; what it raises comes behind them."""
    data = bytearray()
    try:
        while len(data) < size:
            block = next(islice(blocks, 1), None)
            if block is None:
                break
            data += pcm_bytes(block)
    except Exception as error:
        return bytes(data), error
    return bytes(data), None


@final
class AsyncIterSource:
    """Samples of an async iterable of blocks, which is asked by a task of the client.

    It is read once, from its first playback on; what it raises ends the playback, which raises EngineError from it.

    Args:
        iterable: Blocks of int16 or float32 mono samples, up to 60 seconds each.
        rate: Samples a second.
    """

    __slots__ = ("_blocks", "_is_taken", "error", "source")

    def __init__(self, iterable: AsyncIterable[Buffer], rate: int = 16_000) -> None:
        checked_rate(rate)
        if not hasattr(iterable, "__aiter__"):
            raise InvalidArgumentsError(
                f"{iterable!r} is no async iterable: give IterSource a list"
            )
        self._blocks: Final = iterable
        self._is_taken = False
        self.source: Final = PushSource(rate, feed=AudioFeed(rate, _AHEAD, once=True))
        self.error: Exception | None = None
        """What the iterable raised."""

    def take_pump(self) -> Callable[[], Awaitable[None]] | None:
        """Return the task that fills it, the first time."""
        was_taken, self._is_taken = self._is_taken, True
        return None if was_taken else partial(while_played, self.source, self._fill, self._note)

    async def _fill(self) -> None:
        async with _closing(self._blocks):
            async for block in self._blocks:
                await self.source.send(block)

    def _note(self, error: Exception) -> None:
        self.error = error
        _LOGGER.error("an AsyncIterSource ended early", exc_info=error)


@asynccontextmanager
async def _closing(blocks: AsyncIterable[Buffer]) -> AsyncIterator[None]:
    """Close a generator at the end: its own cleaning up must not wait for the collector."""
    try:
        yield
    finally:
        if isinstance(blocks, AsyncGenerator):
            await blocks.aclose()


class Heard(Protocol):
    """A stream that is received: what a `RemoteSource` relays."""

    def relay_to(self, feed: AudioFeed) -> None:
        """Give what is heard to a feed. Raises CallEndedError."""
        ...


@final
class RemoteSource:
    """What the far end of a call says, relayed into others without Python on the way.

    It is decoded once and mixed with whatever else those calls send; 20 to 60 ms are added. It ends
    with the call it comes from.

    Args:
        stream: One of `call.remote_streams`.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: Heard) -> None:
        if not hasattr(stream, "relay_to"):
            raise InvalidArgumentsError("a RemoteSource relays one of call.remote_streams")
        self._stream: Final = stream

    def open(self) -> AudioFeed:
        """Return a feed of what is heard from now on."""
        feed = AudioFeed(48_000, 0.1, relay=True)
        self._stream.relay_to(feed)
        return feed
