"""A data channel of a call: messages of text and bytes between two programs (RFC 8831)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, final

import trio
from trio.abc import Channel

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.errors.checks import checked_kind, checked_unicode, checked_whole, checked_within

if TYPE_CHECKING:
    from types import TracebackType

_LONGEST_LIFETIME: Final = 65.535
_MOST_RETRANSMITS: Final = 65_535


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """How a channel is; see `Call.create_data_channel`."""

    label: str
    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_lifetime: float | None = None
    id: int | None = None

    def __post_init__(self) -> None:
        for name in ("label", "protocol"):
            checked_unicode(getattr(self, name), f"{name} of a data channel")
        if self.max_retransmits is not None and self.max_packet_lifetime is not None:
            raise InvalidArgumentsError(
                "a data channel has max_retransmits or max_packet_lifetime, not both"
            )
        checked_kind(self.ordered, bool, "ordered")
        if self.max_retransmits is not None:
            checked_whole(self.max_retransmits, "max_retransmits", 0, _MOST_RETRANSMITS)
        if (lifetime := self.max_packet_lifetime) is not None:
            checked_within(lifetime, "max_packet_lifetime", 0.0, _LONGEST_LIFETIME, unit=" s")
        if self.id is not None:
            checked_whole(self.id, "the id of a negotiated data channel", 0, 1023)


class Carrier(Protocol):
    """What carries the messages of a channel: the call's session in the engine."""

    def send(self, channel: DataChannel, *, text: bool, data: bytes) -> bool:
        """Queue a message; False when too much is queued."""
        ...

    def take(self, channel: DataChannel) -> list[tuple[bool, bytes]]:
        """Take what has come."""
        ...

    def close(self, channel: DataChannel) -> None:
        """Close it."""
        ...

    def unsent(self, channel: DataChannel) -> int:
        """Return the bytes that are queued."""
        ...

    async def wait_low(self) -> None:
        """Wait until more may be queued, or the channel's end."""
        ...


@final
class DataChannel(Channel["str | bytes"]):
    """Messages to and from the far end, whole and, unless it was opened otherwise, in order.

    `async with channel:` waits until it is open and closes it at the end; iterate it for what is
    received. A `str` arrives as text, `bytes` as binary data, as in a browser. Any number of tasks
    may send and receive.

    Attributes:
        label: Its name, given by whoever opened it; more than one may have the same.
        protocol: What is spoken on it; "" if nothing was said.
        is_ordered: Messages arrive in the order they were sent in.
        max_retransmits: How often a lost message is sent again at most; None: no limit.
        max_packet_lifetime: Seconds for which that is tried; None: no limit.
    """

    def __init__(self, carrier: Carrier, options: ChannelOptions) -> None:
        self._carrier: Final = carrier
        self._options: Final = options
        self.label: Final = options.label
        self.protocol: Final = options.protocol
        self.is_ordered: Final = options.ordered
        self.max_retransmits: Final = options.max_retransmits
        self.max_packet_lifetime: Final = options.max_packet_lifetime
        self._received: Final[deque[str | bytes]] = deque()
        self._moved: Final = trio.lowlevel.ParkingLot()
        self._is_open = False
        self._is_closed = False
        """By the program."""
        self._end: str | None = None
        """Why it is over; "" when the far end has closed it."""

    def __repr__(self) -> str:
        return f"<DataChannel {self.label!r} {self.state}>"

    @property
    def state(self) -> str:
        """One of "connecting", "open", "closed"; the last messages of a closed one can be received."""
        if self._is_closed or self._end is not None:
            return "closed"
        return "open" if self._is_open else "connecting"

    @property
    def buffered_bytes(self) -> int:
        """Bytes that are queued and not acknowledged by the far end yet."""
        return 0 if self.state == "closed" else self._carrier.unsent(self)

    async def wait_open(self) -> None:
        """Wait until messages may be sent. Cancelling it has no effect on the channel.

        Raises:
            trio.ClosedResourceError: It was closed here.
            trio.BrokenResourceError: It is over: the far end takes no data channels, has closed it,
                or the call has ended. The message says which.
        """
        await trio.lowlevel.checkpoint()
        while not self._is_open:
            self._refuse_over()
            await self._moved.park()
        self._refuse_over()

    async def send(self, value: str | bytes) -> None:
        """Queue one message; waits while 1 MiB of the call's messages is on its way.

        If cancelled, the message is queued whole or not at all.

        Args:
            value: Text or bytes, at most what the far end takes: 256 KiB, or less if it says so.

        Raises:
            InvalidArgumentsError: It is neither, or longer than the far end takes.
            trio.ClosedResourceError, trio.BrokenResourceError: As for `wait_open`.
        """
        if not isinstance(value, str | bytes | bytearray | memoryview):
            raise InvalidArgumentsError(f"a message is a str or bytes, not {type(value).__name__}")
        is_text = isinstance(value, str)
        data = value.encode() if isinstance(value, str) else bytes(value)
        await self.wait_open()
        while not self._queue(data, is_text=is_text):
            await self._carrier.wait_low()
            self._refuse_over()

    def _queue(self, data: bytes, *, is_text: bool) -> bool:
        try:
            return self._carrier.send(self, text=is_text, data=data)
        except InvalidArgumentsError:
            raise
        except EngineError as error:
            raise trio.BrokenResourceError(f"{self!r} cannot be sent on: {error}") from error

    async def receive(self) -> str | bytes:
        """Wait for the next message. If cancelled, none is lost.

        Raises:
            trio.EndOfChannel: The far end has closed the channel, and all was received.
            trio.ClosedResourceError: It was closed here.
            trio.BrokenResourceError: It is over for another reason, and all was received.
        """
        await trio.lowlevel.checkpoint()
        while not self._received:
            if self._is_closed:
                raise trio.ClosedResourceError("this data channel was closed")
            if self._end == "":
                raise trio.EndOfChannel
            self._refuse_over()
            self._fetch()
            if not self._received:
                await self._moved.park()
        return self._received.popleft()

    def close(self) -> None:
        """Close it: what is queued is still sent, what was not received is lost. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._received.clear()
            if self._end is None:
                self._carrier.close(self)
            self._moved.unpark_all()

    async def aclose(self) -> None:
        """Close it, as `close()`; waits for nothing."""
        self.close()
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> DataChannel:
        try:
            await self.wait_open()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.aclose()

    # For calls.

    def _handle_open(self) -> None:
        self._is_open = True
        self._moved.unpark_all()

    def _handle_ready(self) -> None:
        self._moved.unpark_all()

    def _handle_end(self, reason: str) -> None:
        """Keep what has come to be received, and let nothing else come."""
        if self._end is None:
            if not self._is_closed:
                self._fetch()
            self._end = reason
            self._moved.unpark_all()

    def _fetch(self) -> None:
        if self._end is None:
            for is_text, data in self._carrier.take(self):
                self._received.append(data.decode(errors="replace") if is_text else data)

    def _refuse_over(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this data channel was closed")
        if self._end is not None:
            why = self._end or "the far end has closed it"
            raise trio.BrokenResourceError(f"data channel {self.label!r} is over: {why}")
