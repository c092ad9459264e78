"""Video lines of a FakeEngine: who sends and receives what, and no picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.media.video import ROTATIONS
from trivox.testing.fake_core import FakeCore
from trivox.testing.fake_session import find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivox.testing.fake_session import FakeSession

_KINDS: Final = ("video", "screen")


@dataclass(slots=True)
class FakeLine:
    """A line: its wish to send, and what was agreed."""

    kind: str
    sends: bool
    peer: FakeLine | None = None
    is_received: bool = False


@dataclass(slots=True)
class FakeVideoOf:
    """The video of one session."""

    codecs: tuple[str, ...] = ()
    receives: bool = False
    lines: dict[int, FakeLine] = field(default_factory=dict)


class FakeVideo(FakeCore):
    """The part of a FakeEngine that is about video: lines are agreed on, frames go nowhere."""

    _videos: dict[int, FakeVideoOf]

    def prepare_video(self, session: int, codecs: Sequence[str], *, receive: bool) -> None:
        """Choose codecs, and whether offered video is taken."""
        video = self._video(session)
        video.codecs, video.receives = tuple(codecs), receive

    def open_line(self, session: int, kind: str) -> int:
        """Wish to send on a line."""
        video = self._video(session)
        if kind not in _KINDS:
            raise InvalidArgumentsError(f'a line is of "video" or "screen", not {kind!r}')
        if not video.codecs:
            raise EngineError("the session has no video codecs: name some in its settings")
        for number, line in video.lines.items():
            if line.kind == kind and not line.sends:
                line.sends = True
                return number
        number = len(video.lines) + 1
        video.lines[number] = FakeLine(kind, sends=True)
        return number

    def close_line(self, session: int, line: int) -> None:
        """Wish to send no longer."""
        if line in self._video(session).lines:
            self._video(session).lines[line].sends = False

    def video_lines(self, session: int) -> list[tuple[int, str, str]]:
        """Return what is agreed."""
        lines = self._video(session).lines.items()
        return [(number, line.kind, direction_of(line)) for number, line in lines]

    def play_video(
        self,
        session: int,
        line: int,
        path: str,
        loop: bool,  # noqa: FBT001 - the engine's signature
        rate: float,
    ) -> int:
        """Take a file; it never ends."""
        del path, loop, rate
        return self._fed(session, line)

    def relay_video(self, session: int, line: int, source: int, source_line: int) -> None:
        """Check that both lines are there."""
        self._fed(session, line)
        find(self._video(source).lines, source_line, "video line")

    def choose_layer(
        self, session: int, line: int, layer: str, most_bps: int = 0, most_height: int = 0
    ) -> None:
        """Check that the line is there."""
        del layer, most_bps, most_height
        self._fed(session, line)

    def choose_tap_layer(self, tap: int, layer: str, most_bps: int, most_height: int) -> None:
        """Choose nothing: no frame comes."""

    def video_layers(self, session: int, line: int) -> list[tuple[str, int, int, int, bool]]:
        """Return none: the far session sends one picture."""
        find(self._video(session).lines, line, "video line")
        return []

    def stop_video(self, session: int, line: int) -> None:
        """Check that the line is there."""
        self._fed(session, line)

    def open_video_push(self, session: int, line: int) -> int:
        """Return a number."""
        return self._fed(session, line)

    def push_video(
        self, line: int, push: int, codec: str, pts: float, frame: bytes, rotation: int = 0
    ) -> bool:
        """Take a frame, and lose it."""
        del line, push, codec
        if rotation not in ROTATIONS:
            raise InvalidArgumentsError(f"a rotation is 0, 90, 180 or 270, not {rotation}")
        if not frame or not 0.0 <= pts < 1e9:
            raise InvalidArgumentsError("a frame has 1 to 4194304 bytes and a time of 0 s or more")
        return True

    def open_video_tap(self, session: int, line: int) -> int:
        """Return a number; no frame comes."""
        return self._fed(session, line)

    def start_video_recording(
        self, session: int, line: int, path: str, side: str, file_format: str, layer: str = ""
    ) -> int:
        """Start a recording; its file holds no pictures when it is stopped."""
        del layer
        own = self._session(session)
        if side not in {"received", "sent", "both", "none"}:
            raise InvalidArgumentsError('the side is "received", "sent", "both" or "none"')
        if file_format not in {"mkv", "ivf"}:
            raise InvalidArgumentsError('video is recorded as "mkv" or "ivf"')
        if line:
            find(self._video(session).lines, line, "video line")
        if not Path(path).parent.is_dir():
            raise EngineError(f"cannot record to {path}: no such folder")
        number = next(self._numbers)
        own.recordings[number] = (path, "none", self._now)
        return number

    def want_key_frame(self, session: int, line: int) -> None:
        """Check that the line is there."""
        find(self._video(session).lines, line, "video line")

    def close_video_tap(self, tap: int) -> None:
        """Forget nothing: there was nothing."""

    def take_encoded(
        self, tap: int, limit: int
    ) -> tuple[list[tuple[str, float, bool, bytes, int]], int]:
        """Return that there is none."""
        del tap, limit
        return [], 0

    def _fed(self, session: int, line: int) -> int:
        find(self._video(session).lines, line, "video line")
        return next(self._numbers)

    def _video(self, session: int) -> FakeVideoOf:
        self._session(session)
        return self._videos.setdefault(session, FakeVideoOf())

    def _meet_video(self, own: FakeSession) -> None:
        """Agree with the far session on lines; both have described themselves."""
        peers = (one for one in self._sessions.values() if one.port == own.remote_port)
        peer = next(peers, None)
        if peer is None or not (own.number in self._videos or peer.number in self._videos):
            return
        one, other = self._video(own.number), self._video(peer.number)
        _pair(one, other)
        _pair(other, one)
        for session, video in ((own.number, one), (peer.number, other)):
            self._tell_video(session, video)

    def _tell_video(self, session: int, video: FakeVideoOf) -> None:
        for number, line in video.lines.items():
            receives = line.peer is not None and line.peer.sends
            if receives != line.is_received:
                line.is_received = receives
                kind = EngineEventKind.VIDEO_ADDED if receives else EngineEventKind.VIDEO_REMOVED
                text = f"{line.kind} {video.codecs[0]}" if receives else line.kind
                self._emit(session, kind, number, text)


def _pair(one: FakeVideoOf, other: FakeVideoOf) -> None:
    """Give each line of one side that sends its line of the other, if that takes video."""
    for line in one.lines.values():
        if not line.sends or line.peer is not None or not other.codecs:
            continue
        free = (
            their
            for their in other.lines.values()
            if their.kind == line.kind and their.peer is None
        )
        their = next(free, None)
        if their is None:
            if not other.receives:
                continue
            their = other.lines[len(other.lines) + 1] = FakeLine(line.kind, sends=False)
        line.peer, their.peer = their, line


def direction_of(line: FakeLine) -> str:
    """Return the direction a line has agreed on; "" for none."""
    if line.peer is None:
        return ""
    names = {
        (True, True): "sendrecv",
        (True, False): "sendonly",
        (False, True): "recvonly",
        (False, False): "inactive",
    }
    return names[line.sends, line.peer.sends]
