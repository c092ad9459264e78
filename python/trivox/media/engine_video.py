"""What the engine does with video: lines beside the audio, what feeds them, encoded frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class VideoSessions(Protocol):
    """The part of `MediaSessions` that is about video; all numbers are the engine's own."""

    def prepare_video(self, session: int, codecs: Sequence[str], *, receive: bool) -> None:
        """Choose the codecs, most wanted first, and whether offered video is taken."""
        ...

    def open_line(self, session: int, kind: str) -> int:
        """Wish to send on a line of "video" or "screen" from the next description on."""
        ...

    def close_line(self, session: int, line: int) -> None: ...
    def video_lines(self, session: int) -> list[tuple[int, str, str]]:
        """Number, kind and agreed direction of each line; "" where none is agreed."""
        ...

    def play_video(self, session: int, line: int, path: str, loop: bool, rate: float) -> int: ...
    def relay_video(self, session: int, line: int, source: int, source_line: int) -> None:
        """Send on a line what another session receives on one, packet by packet."""
        ...

    def choose_layer(
        self, session: int, line: int, layer: str, most_bps: int = 0, most_height: int = 0
    ) -> None:
        """Choose the simulcast layer of what is relayed; "" and zeros: the largest."""
        ...

    def choose_tap_layer(self, tap: int, layer: str, most_bps: int, most_height: int) -> None:
        """Choose the simulcast layer of a subscription."""
        ...

    def video_layers(self, session: int, line: int) -> list[tuple[str, int, int, int, bool]]:
        """Name, width, height (0: not known), bits a second and whether it is sent, of each layer."""
        ...

    def stop_video(self, session: int, line: int) -> None: ...
    def open_video_push(self, session: int, line: int) -> int: ...
    def push_video(
        self, line: int, push: int, codec: str, pts: float, frame: bytes, rotation: int = 0
    ) -> bool: ...
    def open_video_tap(self, session: int, line: int) -> int: ...
    def close_video_tap(self, tap: int) -> None: ...
    def start_video_recording(
        self, session: int, line: int, path: str, side: str, file_format: str, layer: str = ""
    ) -> int:
        """Record to "mkv" or "ivf"; line 0 is the first that shows something, `side` the sound's, or "none"."""
        ...

    def want_key_frame(self, session: int, line: int) -> None:
        """Ask the far end for a key frame, at most twice a second."""
        ...

    def take_encoded(
        self, tap: int, limit: int
    ) -> tuple[list[tuple[str, float, bool, bytes, int]], int]:
        """Frames (codec, pts, is key, bytes, rotation), oldest first, and how many were lost."""
        ...
