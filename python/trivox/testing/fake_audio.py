"""Audio ports of a FakeEngine: frames of silence in, times instead of samples out."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.media.frames import AudioFrame
from trivox.media.native_engine import AudioFeed, AudioShare, file_seconds
from trivox.media.sources import SAMPLE_BYTES
from trivox.testing.fake_core import FakeCore
from trivox.testing.fake_session import check_audio, find

if TYPE_CHECKING:
    from trivox.media.engine_audio import AudioPart
    from trivox.testing.fake_session import FakeSession

_LONGEST_BLOCK: Final = 60.0
_MOST_KEPT: Final = 60.0
_NEAR: Final = 1e-6


@dataclass(slots=True)
class FakePort:
    """An audio port: what is queued, as a time, and what was taken, as a count."""

    session: int
    rate: int
    frame: float
    batch: int
    ahead: float
    queued_until: float = 0.0
    sent_since_clear: float = 0.0
    most: float = math.inf
    keeps_oldest: bool = False
    made: int = 0
    waiting: deque[int] = field(default_factory=deque)
    opened: float = 0.0
    marks: deque[int] = field(default_factory=deque)
    awaited: float = math.nan


@dataclass(slots=True)
class FakeShare:
    """What many sessions play together: how long it lasts, since when, and its playbacks."""

    key: AudioShare
    seconds: float
    feeds: list[AudioFeed]
    begun: float = math.nan
    playbacks: list[int] = field(default_factory=list)


class FakeAudio(FakeCore):
    """The part of a FakeEngine that is about samples."""

    _ports: dict[int, FakePort]
    _taps: list[tuple[FakeSession, AudioFeed]]
    _shares: list[FakeShare]

    @abstractmethod
    def _plays(self, playback: int) -> bool: ...
    @abstractmethod
    def _play(self, session: int, duration: float, place: str) -> int: ...
    @abstractmethod
    def _elapsed(self, playback: int) -> float: ...
    @abstractmethod
    def _end_playback(self, number: int, error: str = "") -> None: ...

    def open_audio(
        self, session: int, rate_hz: int, frame_ms: int, batch: int, ahead: float = 0.2
    ) -> int:
        """Open a port; frames of silence come once the session is connected."""
        self._session(session)
        check_audio(rate_hz, frame_ms, batch, ahead)
        number = next(self._numbers)
        port = FakePort(session, rate_hz, frame_ms / 1000, batch, ahead, opened=self._now)
        self._ports[number] = port
        self._at(self._now + batch * frame_ms / 1000, lambda: self._tick_port(number))
        return number

    def bound_audio(self, port: int, most: int, *, keeps_oldest: bool) -> None:
        """Say how many frames of silence wait, and which of more are dropped."""
        own = self._port(port)
        if most < own.batch or most * own.frame > _MOST_KEPT:
            raise InvalidArgumentsError("frames that wait are a batch to 60 s")
        own.most, own.keeps_oldest = most, keeps_oldest

    def close_audio(self, port: int) -> None:
        """Close a port. A closed one is ignored."""
        self._ports.pop(port, None)

    def send_audio(self, port: int, samples: bytes) -> float | None:
        """Queue samples, if they fit; they play out in time."""
        own = self._port(port)
        seconds = len(samples) / 2 / own.rate
        if seconds > _LONGEST_BLOCK:
            raise InvalidArgumentsError("a block has at most 60 s: send a longer one in pieces")
        queued = max(0.0, own.queued_until - self._now)
        room = own.ahead - seconds if seconds <= own.ahead else own.ahead / 2
        if queued > room + _NEAR:
            own.awaited = room
            moment = own.queued_until - room
            self._at(moment, lambda: self._report_low(port))
            return None
        own.queued_until = max(own.queued_until, self._now) + seconds
        own.sent_since_clear += seconds
        return queued + seconds

    def clear_audio(self, port: int, fade: float) -> float:
        """Drop what is queued; returns the seconds sent since the last clear."""
        del fade
        own = self._port(port)
        heard = own.sent_since_clear - max(0.0, own.queued_until - self._now)
        own.queued_until, own.sent_since_clear = self._now, 0.0
        while own.marks:
            self._emit(own.session, EngineEventKind.MARK_PASSED, port, str(own.marks.popleft()))
        return heard

    def mark_audio(self, port: int) -> int:
        """Put a mark behind what is queued."""
        own = self._port(port)
        mark = next(self._numbers)
        own.marks.append(mark)
        self._at(max(self._now, own.queued_until), lambda: self._pass_mark(port, mark))
        return mark

    def audio_state(self, port: int) -> tuple[float, int]:
        """Return the seconds queued; a fake never runs dry."""
        return (max(0.0, self._port(port).queued_until - self._now), 0)

    def take_frames(self, port: int, limit: int) -> list[AudioFrame]:
        """Return the frames of silence since the last take."""
        own = self._ports.get(port)
        if own is None:
            return []
        start = max(own.opened, self._sessions[own.session].connected)
        if math.isnan(start):
            return []
        whole = int((self._now - start) / own.frame + _NEAR)
        for number in range(own.made, whole):
            if len(own.waiting) >= own.most:
                if own.keeps_oldest:
                    break
                own.waiting.popleft()
            own.waiting.append(number)
        own.made = whole
        silence = bytes(2 * round(own.rate * own.frame))
        numbers = [own.waiting.popleft() for _ in range(min(limit, len(own.waiting)))]
        return [AudioFrame(silence, own.rate, number * own.frame, -127.0, 0) for number in numbers]

    def play_part(self, session: int, part: AudioPart, *, place: str = "queue") -> int:
        """Take a source by its length; a feed lasts until it is closed, and is taken in time."""
        if isinstance(part, AudioShare):
            return self._play_share(session, self._share(part), place)
        number = self._play(session, _seconds(part), place)
        if feeds := _feeds(part):
            self._drink(number, feeds, _seconds_beside(part))
        return number

    def share(self, part: AudioPart) -> AudioShare:
        """Take a source that several sessions play together."""
        self._shares = [own for own in self._shares if not self.is_share_over(own.key)]
        own = FakeShare(AudioShare(), _seconds(part), _feeds(part))
        self._shares.append(own)
        return own.key

    def is_share_over(self, share: AudioShare) -> bool:
        """Return whether its time is over, or nobody plays it any more."""
        own = self._share(share)
        is_left = bool(own.playbacks) and not any(map(self._plays, own.playbacks))
        return is_left or own.begun + own.seconds <= self._now

    def _share(self, key: AudioShare) -> FakeShare:
        found = next((own for own in self._shares if own.key is key), None)
        return found or FakeShare(key, 0.0, [], begun=self._now)

    def _play_share(self, session: int, own: FakeShare, place: str) -> int:
        """Play what is left of it; the first who plays begins it."""
        connected = self._session(session).connected
        begins = self._now if math.isnan(connected) else max(self._now, connected)
        if math.isnan(own.begun):
            own.begun = begins
        left = max(0.0, own.begun + own.seconds - begins)
        number = self._play(session, left, place)
        feeds, own.feeds = own.feeds, []
        own.playbacks.append(number)
        for feed in feeds:
            self._drink_together(own, feed)
        return number

    def _drink_together(self, own: FakeShare, feed: AudioFeed) -> None:
        """Take 20 ms of a feed for as long as anybody plays it."""
        own.playbacks = [number for number in own.playbacks if self._plays(number)] or [0]
        if own.playbacks == [0]:
            feed.play_out()
            return
        if feed.is_closed and feed.queued == 0.0:
            for number in own.playbacks:
                self._end_playback(number, feed.error or "")
            return
        if own.begun <= self._now:
            feed.skip(0.02)
        self._at(self._now + 0.02, lambda: self._drink_together(own, feed))

    def tap(self, session: int, feed: AudioFeed) -> None:
        """Relay nothing until the session ends: a fake hears no sound."""
        self._taps.append((self._session(session), feed))

    def set_listening(
        self, session: int, *, voice: bool, hang_over: float, level_interval: float
    ) -> None:
        """Check what is to be listened for; `hear` says what is heard."""
        del voice
        self._session(session)
        if not 0.02 <= hang_over <= 10.0 or not (level_interval == 0 or level_interval >= 0.1):
            raise InvalidArgumentsError("the hang-over is 0.02 to 10 s, the interval 0.1 to 60 s")

    def hear(
        self, session: int, kind: EngineEventKind, number: float = 0.0, text: str = ""
    ) -> None:
        """Let a session hear what a detector of the engine would tell of."""
        self._emit(session, kind, number, text)

    def _drink(self, playback: int, feeds: list[AudioFeed], least: float) -> None:
        """Take 20 ms of feeds for as long as they play; beside them other parts of a mix may."""
        if not self._plays(playback):
            for feed in feeds:
                feed.play_out()
            return
        elapsed = self._elapsed(playback)
        if not math.isnan(elapsed):
            if elapsed >= least - _NEAR and all(map(_is_drained, feeds)):
                errors = (feed.error for feed in feeds)
                self._end_playback(playback, next(filter(None, errors), ""))
                return
            for feed in feeds:
                feed.skip(0.02)
        self._at(self._now + 0.02, lambda: self._drink(playback, feeds, least))

    def _close_taps(self, own: FakeSession) -> None:
        for session, feed in self._taps:
            if session is own:
                feed.close()
        self._taps = [entry for entry in self._taps if entry[0] is not own]

    def _port(self, number: int) -> FakePort:
        return find(self._ports, number, "port")

    def _tick_port(self, number: int) -> None:
        port = self._ports.get(number)
        if port is None:
            return
        if self._sessions[port.session].connected <= self._now:
            self._emit(port.session, EngineEventKind.FRAMES_READY, number)
        self._at(self._now + port.batch * port.frame, lambda: self._tick_port(number))

    def _report_low(self, number: int) -> None:
        port = self._ports.get(number)
        if port is not None and port.queued_until - self._now <= port.awaited + _NEAR:
            port.awaited = math.nan
            self._emit(port.session, EngineEventKind.AUDIO_LOW, number)

    def _pass_mark(self, number: int, mark: int) -> None:
        port = self._ports.get(number)
        if port is not None and mark in port.marks:
            port.marks.remove(mark)
            self._emit(port.session, EngineEventKind.MARK_PASSED, number, f"{mark} heard")


def _seconds(part: AudioPart) -> float:
    """Return how long a part lasts."""
    match part:
        case (str() as path, bool() as loop, float() as start):
            length = file_seconds(path)
            return math.inf if loop else max(0.0, length - start)
        case (str() as path, bool() as loop, float() as start, (str() as name, *figures)):
            length = _bytes_of(path) / math.prod((SAMPLE_BYTES[name], *figures))
            return math.inf if loop else max(0.0, length - start)
        case (_, _, float() as duration, _):
            return duration
        case list():
            return max(_seconds(each) for each in part)
        case float():
            return part
        case _:
            return math.inf


def _seconds_beside(part: AudioPart) -> float:
    """Return how long a part lasts without its feeds."""
    if isinstance(part, AudioFeed):
        return 0.0
    if isinstance(part, list):
        return max(map(_seconds_beside, part))
    return _seconds(part)


def _is_drained(feed: AudioFeed) -> bool:
    return feed.is_closed and feed.queued == 0.0


def _bytes_of(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise EngineError(f"cannot play {path}: {error}") from None


def _feeds(part: AudioPart) -> list[AudioFeed]:
    if isinstance(part, AudioFeed):
        return [part]
    return [feed for each in part for feed in _feeds(each)] if isinstance(part, list) else []
