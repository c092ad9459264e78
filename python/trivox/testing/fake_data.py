"""Data channels of a FakeEngine: messages between its sessions, without a packet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.testing.fake_core import FakeCore
from trivox.testing.fake_session import find

if TYPE_CHECKING:
    from trivox.media.engine_data import ChannelFacts
    from trivox.testing.fake_session import FakeSession

_MOST_CHANNELS: Final = 64
_MOST_UNSENT: Final = 1 << 20
_LOW: Final = 1 << 18
_LONGEST: Final = 1 << 18


@dataclass(slots=True)
class FakeChannel:
    """One end of a channel."""

    facts: tuple[str, str, bool, int, int]
    id: int
    state: str = "waiting"
    peer: tuple[int, int] | None = None
    inbox: deque[tuple[bool, bytes]] = field(default_factory=deque)


@dataclass(slots=True)
class FakeDataOf:
    """The data channels of one session."""

    accepts: bool = False
    has_line: bool = False
    is_full: bool = False
    channels: dict[int, FakeChannel] = field(default_factory=dict)


class FakeData(FakeCore):
    """The part of a FakeEngine that is about data channels; what is sent has arrived."""

    _datas: dict[int, FakeDataOf]

    def accept_channels(self, session: int, accepts: bool) -> None:  # noqa: FBT001 - the engine's
        """Take channels of the far end, or no longer."""
        self._data(session).accepts = accepts

    def open_channel(
        self,
        session: int,
        label: str,
        *,
        protocol: str,
        ordered: bool,
        max_retransmits: int,
        max_lifetime_ms: int,
        id: int,  # noqa: A002 - the engine's name
    ) -> int:
        """Open a channel as soon as there is a line for it."""
        data = self._data(session)
        if self._session(session).transport != "ice":
            raise EngineError('data channels go over ICE and DTLS: the call needs media="webrtc"')
        if max(len(label.encode()), len(protocol.encode())) > 1024:
            raise InvalidArgumentsError("a channel's label and protocol have at most 1024 bytes")
        if len(data.channels) >= _MOST_CHANNELS:
            raise EngineError(f"a call has at most {_MOST_CHANNELS} data channels")
        number = next(self._numbers)
        facts = (label, protocol, ordered, max_retransmits, max_lifetime_ms)
        data.channels[number] = FakeChannel(facts, id)
        self._join_channels(session)
        return number

    def has_data_line(self, session: int) -> bool:
        """Tell whether both sides have agreed on data."""
        return self._data(session).has_line

    def send_on_channel(
        self,
        session: int,
        channel: int,
        text: bool,  # noqa: FBT001 - the engine's signature
        data: bytes,
    ) -> bool:
        """Put a message into the far inbox."""
        own = find(self._data(session).channels, channel, "data channel")
        if own.state != "open" or own.peer is None:
            raise EngineError(f"the data channel is {own.state}: send while it is open")
        if len(data) > _LONGEST:
            raise InvalidArgumentsError(f"a message is longer than {_LONGEST} bytes")
        unsent = self._unsent(session)
        if unsent and unsent + len(data) > _MOST_UNSENT:
            self._data(session).is_full = True
            return False
        far_session, far = own.peer
        inbox = self._data(far_session).channels[far].inbox
        inbox.append((text, data))
        if len(inbox) == 1:
            self._emit(far_session, EngineEventKind.DATA_READY, far)
        return True

    def take_from_channel(self, session: int, channel: int, limit: int) -> list[tuple[bool, bytes]]:
        """Take from the inbox."""
        channels = self._data(session).channels
        own = channels.get(channel)
        if own is None:
            return []
        taken = [own.inbox.popleft() for _ in range(min(limit, len(own.inbox)))]
        if own.state == "closed" and not own.inbox:
            del channels[channel]
        if own.peer is not None:
            self._tell_low(own.peer[0])
        return taken

    def close_channel(self, session: int, channel: int) -> None:
        """Close both ends."""
        own = self._data(session).channels.get(channel)
        if own is None:
            return
        own.inbox.clear()
        if own.state == "closed":
            del self._data(session).channels[channel]
            return
        self._close_end(session, channel, "")
        if own.peer is not None:
            self._close_end(*own.peer, "")

    def channel_facts(self, session: int, channel: int) -> ChannelFacts:
        """Return how a channel is."""
        own = find(self._data(session).channels, channel, "data channel")
        unsent = 0
        if own.peer is not None and own.peer[0] in self._datas:
            far = self._datas[own.peer[0]].channels.get(own.peer[1])
            unsent = sum(len(data) for _, data in far.inbox) if far is not None else 0
        return (*own.facts, own.id, own.state, unsent)

    def _data(self, session: int) -> FakeDataOf:
        self._session(session)
        return self._datas.setdefault(session, FakeDataOf())

    def _close_end(self, session: int, number: int, reason: str) -> None:
        data = self._datas.get(session)
        own = data.channels.get(number) if data is not None else None
        if own is not None and own.state != "closed":
            own.state = "closed"
            self._emit(session, EngineEventKind.CHANNEL_CLOSED, number, reason)

    def _unsent(self, session: int) -> int:
        numbers = self._data(session).channels
        return sum(self.channel_facts(session, number)[-1] for number in numbers)

    def _tell_low(self, session: int) -> None:
        data = self._datas.get(session)
        if data is not None and data.is_full and self._unsent(session) <= _LOW:
            data.is_full = False
            self._emit(session, EngineEventKind.DATA_LOW)

    def _peer_of(self, own: FakeSession) -> FakeSession | None:
        peers = (one for one in self._sessions.values() if one.port == own.remote_port)
        return next(peers, None)

    def _meet_data(self, own: FakeSession) -> None:
        """Agree with the far session on a line, if the one who offered wants it."""
        peer = self._peer_of(own)
        if peer is None or own.number not in self._datas or own.transport != "ice":
            return
        one, other = self._data(own.number), self._data(peer.number)
        if not one.channels or one.has_line:
            return
        if other.accepts or other.channels:
            one.has_line = other.has_line = True
            self._join_channels(own.number)
            self._join_channels(peer.number)
            return
        for number in tuple(one.channels):
            self._close_end(own.number, number, "the far end takes no data channels")

    def _join_channels(self, session: int) -> None:
        """Give channels that wait their other end."""
        data, peer = self._data(session), self._peer_of(self._session(session))
        if peer is None or not data.has_line:
            return
        far = self._data(peer.number)
        for number, own in tuple(data.channels.items()):
            if own.state != "waiting":
                continue
            twins = (n for n, one in far.channels.items() if one.id == own.id >= 0)
            twin = next(twins, None)
            if twin is None and own.id >= 0:
                continue
            if twin is None and not far.accepts:
                self._close_end(session, number, "")
                continue
            if twin is None:
                twin = next(self._numbers)
                far.channels[twin] = FakeChannel(own.facts, -1)
            far.channels[twin].peer, own.peer = (session, number), (peer.number, twin)
            far.channels[twin].state = own.state = "open"
            self._emit(session, EngineEventKind.CHANNEL_OPENED, number)
            self._emit(peer.number, EngineEventKind.CHANNEL_OPENED, twin)

    def _drop_data(self, session: int) -> None:
        """Close the far ends of a session that is over."""
        data = self._datas.pop(session, None)
        for own in data.channels.values() if data is not None else ():
            if own.peer is not None:
                self._close_end(*own.peer, "the far end has ended the data channels' association")
