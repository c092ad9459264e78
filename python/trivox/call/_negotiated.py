"""What follows when both ends have described their media."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call._data import settle_data
from trivox.call._trickle import settle_candidates
from trivox.call._values import CallValues
from trivox.call._video import settle_video
from trivox.call._wishes import emit_hold
from trivox.call.codec_info import codecs_of
from trivox.call.events import MediaNegotiated, Originator
from trivox.call.sdp import is_holding
from trivox.errors import EngineError, StreamError

if TYPE_CHECKING:
    from trivox.call._core import CallCore


def note_negotiated(call: CallCore) -> None:
    """Tell what both ends have agreed on, and let each line of media go by it."""
    note_hold(call, call._leg.remote_sdp.encode())
    if call._watchables:
        call._tell("_audio_codec")
    if call._hears(MediaNegotiated):
        call._hand_out(
            MediaNegotiated,
            Originator.REMOTE,
            local_sdp=call._leg.local_sdp,
            remote_sdp=call._leg.remote_sdp,
            codecs=tuple(codec.name for codec in codecs_of(call._leg)),
        )
    leg = call._leg
    leg.note_events_agreed()
    if leg.video is not None:
        settle_video(call)
    if leg.data is not None:
        settle_data(call)
    if leg.is_ice:
        settle_candidates(call)


def note_hold(call: CallCore, sdp: bytes) -> None:
    """Tell whether the far end holds the call."""
    is_held = is_holding(sdp)
    if is_held != CallValues.is_remotely_held.of(call):
        call._tell(is_remotely_held=is_held)
        emit_hold(call, Originator.REMOTE)


def take_late_answer(call: CallCore, body: bytes) -> bool:
    """Take the answer to an offer that was out; False for one that cannot be."""
    try:
        call._leg.take_answer(body, "")
    except (StreamError, EngineError):
        return False
    note_hold(call, body)
    return True
