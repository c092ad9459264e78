"""The sound of a received stream on its way into a sink, as long as its block lasts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call.recording import Recording
from trivox.call.recording_file import DISK_LIMIT
from trivox.media.port import AudioPort
from trivox.media.sinks import FileSink

if TYPE_CHECKING:
    from types import TracebackType

    from trivox.call.media_leg import MediaLeg
    from trivox.media.sinks import AudioSink, CallbackSink, PipeSink

_LOGGER: Final = logging.getLogger("trivox.media")


@final
class Sinking:
    """Made by `RemoteStream.into`; sound flows while inside `async with`.

    A pipe that breaks, or a function that raises, ends it alone; the call goes on.
    """

    def __init__(self, leg: MediaLeg, sink: AudioSink) -> None:
        self.sink: Final = sink
        self.error: Exception | None = None
        """What the pipe or the function raised."""
        self._leg = leg
        self._recording: Recording | None = None
        self._port: AudioPort | None = None
        self._scope = trio.CancelScope()
        self._done = trio.Event()

    @property
    def is_active(self) -> bool:
        """Whether sound still flows: it was entered, and nothing has ended it."""
        if self._recording is not None:
            return self._leg.is_open
        return self._port is not None and not self._done.is_set()

    async def __aenter__(self) -> Sinking:
        """Begin. Raises EngineError where a file cannot be created."""
        leg, sink = self._leg, self.sink
        if isinstance(sink, FileSink):
            begin = trio.lowlevel.checkpoint
            self._recording = Recording(leg, sink.path, "received", sink.format, begin)
            await self._recording.__aenter__()
            return self
        await trio.lowlevel.checkpoint()
        self._port = AudioPort(leg.sessions, leg.session, rate=sink.rate, frame=sink.chunk)
        leg.add_port(self._port)
        port = self._port
        leg.start_soon(lambda: self._pour(port, sink), name="trivox sink")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it; leaving normally waits up to 5 s until all that was heard is out.

        Raises:
            Exception: What the function or the pipe raised.
            EngineError: The file could not be written.
        """
        if self._recording is not None:
            await self._recording.__aexit__(kind, value, traceback)
            return
        assert self._port is not None, "left without having been entered"
        self._port.finish()
        if kind is None:
            with trio.move_on_after(DISK_LIMIT):
                await self._done.wait()
        self._scope.cancel()
        if kind is None and self.error is not None:
            raise self.error

    async def _pour(self, port: AudioPort, sink: PipeSink | CallbackSink) -> None:
        try:
            with self._scope:
                async for frame in port:
                    await sink.take(frame)
        except Exception as error:
            self.error = error
            _LOGGER.error("a %s ended early", type(sink).__name__, exc_info=error)
        finally:
            port.close()
            self._done.set()
