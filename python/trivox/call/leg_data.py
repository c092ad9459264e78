"""The data channels of one call in the engine, by their numbers there."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call.data_channel import ChannelOptions, DataChannel
from trivox.errors import EngineError, TrivoxError
from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.media_leg import MediaLeg

_TAKE: Final = 64
_OWN: Final = frozenset(
    {
        EngineEventKind.CHANNEL_OPENED,
        EngineEventKind.CHANNEL_CLOSED,
        EngineEventKind.DATA_READY,
        EngineEventKind.DATA_LOW,
    }
)


@final
class LegData:
    """Data channels of a call that has some; others have none of these.

    Args:
        leg: The call's media.
        opened: Told of each channel the far end has opened.
    """

    def __init__(self, leg: MediaLeg, opened: Callable[[DataChannel], None]) -> None:
        self._leg: Final = leg
        self._opened = opened
        self._numbers: dict[DataChannel, int] = {}
        self._waiting: list[DataChannel] = []
        """Created before there was a session."""
        self._low: Final = trio.lowlevel.ParkingLot()
        self.accepts = False
        """Whether channels of the far end are taken."""
        self.is_offered = False
        """The offer that is out has a line for channels that wait."""

    @property
    def channels(self) -> tuple[DataChannel, ...]:
        """Those that are not over, oldest first."""
        all_made = (*self._numbers, *self._waiting)
        return tuple(channel for channel in all_made if channel.state != "closed")

    def create(self, options: ChannelOptions) -> DataChannel:
        """Make a channel; it is opened when there is a session. Raises EngineError."""
        channel = DataChannel(self, options)
        if self._leg.is_open:
            self._open(channel)
        else:
            self._waiting.append(channel)
        return channel

    def begin(self, *, accepts: bool) -> None:
        """Take channels of the far end or not, and open those that wait for the session."""
        if not self._leg.is_open:
            return
        if accepts != self.accepts:
            self.accepts = accepts
            self._leg.sessions.accept_channels(self._leg.session, accepts)
        waiting, self._waiting = self._waiting, []
        for channel in waiting:
            try:
                self._open(channel)
            except TrivoxError as error:
                channel._handle_end(str(error))  # noqa: SLF001 (shared by the package)

    def _open(self, channel: DataChannel) -> None:
        options = channel._options  # noqa: SLF001 (shared by the package)
        lifetime = options.max_packet_lifetime
        number = self._leg.sessions.open_channel(
            self._leg.session,
            options.label,
            protocol=options.protocol,
            ordered=options.ordered,
            max_retransmits=-1 if options.max_retransmits is None else options.max_retransmits,
            max_lifetime_ms=-1 if lifetime is None else round(lifetime * 1000),
            id=-1 if options.id is None else options.id,
        )
        self._numbers[channel] = number

    @property
    def needs_line(self) -> bool:
        """Whether channels wait for a line in the descriptions."""
        if not self._numbers or not self._leg.is_open:
            return False
        try:
            return not self._leg.sessions.has_data_line(self._leg.session)
        except EngineError:
            return False  # the session has failed this instant: the event under way says so

    def note_offered(self, is_offered: bool) -> None:  # noqa: FBT001 (what is noted)
        """Note whether the offer that is out has the line."""
        self.is_offered = is_offered

    def give_up(self, reason: str) -> None:
        """End the channels that wait for a line: the far end has refused the offer of it."""
        self.is_offered = False
        for channel in tuple(self._numbers) if self.needs_line else ():
            channel._handle_end(reason)  # noqa: SLF001 (shared by the package)
            self._leg.sessions.close_channel(self._leg.session, self._numbers[channel])

    def handle(self, kind: int, number: float, text: str) -> bool:
        """Take an event of a channel; False for others."""
        if kind not in _OWN:
            return False
        if kind == EngineEventKind.DATA_LOW:
            self._low.unpark_all()
            return True
        known = (one for one, own in self._numbers.items() if own == int(number))
        channel = next(known, None)
        if channel is None:
            if kind == EngineEventKind.CHANNEL_OPENED and self._leg.is_open:
                self._take_opened(int(number))
        elif kind == EngineEventKind.CHANNEL_OPENED:
            channel._handle_open()  # noqa: SLF001 (shared by the package)
        elif kind == EngineEventKind.DATA_READY:
            channel._handle_ready()  # noqa: SLF001 (as above)
        else:
            channel._handle_end(text)  # noqa: SLF001 (as above)
            self.take(channel)  # the engine forgets what was read to its end
            del self._numbers[channel]
            self._low.unpark_all()
        return True

    def _take_opened(self, number: int) -> None:
        try:
            facts = self._leg.sessions.channel_facts(self._leg.session, number)
        except EngineError:
            return  # the session has failed this instant
        label, protocol, ordered, retransmits, lifetime_ms, *_ = facts
        options = ChannelOptions(
            label=label,
            protocol=protocol,
            ordered=ordered,
            max_retransmits=None if retransmits < 0 else min(retransmits, 65_535),
            max_packet_lifetime=None if lifetime_ms < 0 else min(lifetime_ms, 65_535) / 1000,
        )
        channel = DataChannel(self, options)
        self._numbers[channel] = number
        channel._handle_open()  # noqa: SLF001 (shared by the package)
        self._opened(channel)

    def release(self) -> None:
        """End all channels: the call is over. What has come can be received."""
        for channel in (*self._numbers, *self._waiting):
            channel._handle_end("the call has ended")  # noqa: SLF001 (shared by the package)
        self._numbers.clear()
        self._waiting.clear()
        self._low.unpark_all()

    # What a channel asks of its carrier.

    def send(self, channel: DataChannel, *, text: bool, data: bytes) -> bool:
        """Queue a message; False when too much is queued. Raises EngineError."""
        number = self._numbers[channel]
        return self._leg.sessions.send_on_channel(self._leg.session, number, text, data)

    def take(self, channel: DataChannel) -> list[tuple[bool, bytes]]:
        """Take what has come, to its end."""
        taken: list[tuple[bool, bytes]] = []
        number = self._numbers.get(channel)
        if number is None or not self._leg.is_open:
            return taken
        with suppress(EngineError):  # the session is gone, and what it had with it
            while some := self._leg.sessions.take_from_channel(self._leg.session, number, _TAKE):
                taken += some
                if len(some) < _TAKE:
                    break
        return taken

    def close(self, channel: DataChannel) -> None:
        """Close a channel; its end is told by an event."""
        if channel in self._waiting:
            self._waiting.remove(channel)
            return
        number = self._numbers.get(channel)
        if number is not None and self._leg.is_open:
            with suppress(EngineError):  # as above
                self._leg.sessions.close_channel(self._leg.session, number)

    def unsent(self, channel: DataChannel) -> int:
        """Return the bytes that are queued and not acknowledged."""
        number = self._numbers.get(channel)
        if number is None or not self._leg.is_open:
            return 0
        try:
            return self._leg.sessions.channel_facts(self._leg.session, number)[-1]
        except EngineError:
            return 0

    async def wait_low(self) -> None:
        """Wait until more may be queued, or a channel's end."""
        await self._low.park()
