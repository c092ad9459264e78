"""One playback, from its start to what was heard of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox.media.engine import EngineEventKind
from trivox.media.sources import start_playback

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


async def play_out(
    leg: MediaLeg, source: AudioSource | str | PathLike[str], ended: Callable[[], Exception]
) -> Played:
    """Play a source to its end; on cancellation it stops within a packet time."""
    number = start_playback(leg.sessions, leg.session, source)
    pending = leg.expect(EngineEventKind.PLAYBACK_ENDED, number)
    try:
        text = await pending.wait()
    finally:
        if not pending.is_done and leg.is_open:
            leg.sessions.stop_playback(leg.session, number)
    if text is None:
        raise ended()
    return Played(float(text or 0.0))
