"""One playback, from its start to what was heard of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox.errors import EngineError
from trivox.media.engine import EngineEventKind
from trivox.media.sources import error_of, pumps_of, start_playback

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from trivox.call.media_leg import MediaLeg
    from trivox.media.sources import AudioSource


@final
@dataclass(frozen=True, slots=True)
class Played:
    """What `play` did: `seconds` of the source were really sent."""

    seconds: float


def begin_playback(
    leg: MediaLeg, source: AudioSource | str | PathLike[str], place: str = "queue"
) -> int:
    """Play a source on a call and start what fills it; returns the playback's number."""
    number = start_playback(leg.sessions, leg.session, source, place)
    for pump in pumps_of(source):
        leg.start_soon(pump, name="trivox source")
    return number


async def play_out(
    leg: MediaLeg, source: AudioSource | str | PathLike[str], ended: Callable[[], Exception]
) -> Played:
    """Play a source to its end; on cancellation it stops within a packet time."""
    number = begin_playback(leg, source)
    pending = leg.expect(EngineEventKind.PLAYBACK_ENDED, number)
    try:
        text = await pending.wait()
    finally:
        if not pending.is_done and leg.is_open:
            leg.sessions.stop_playback(leg.session, number)
    if text is None:
        raise ended()
    failure = failure_of(text, source)
    if failure is not None:
        raise failure
    return Played(float(text.partition(" ")[0] or 0.0))


def failure_of(text: str | None, source: AudioSource | str | PathLike[str]) -> EngineError | None:
    """Return why a playback broke off, by what the engine told of its end; None if it did not."""
    seconds, _, error = (text or "").partition(" ")
    if not error:
        return None
    failure = EngineError(f"the source failed after {float(seconds):.3f} s: {error}")
    failure.__cause__ = error_of(source)
    return failure
