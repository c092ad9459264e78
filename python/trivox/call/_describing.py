"""What a call describes its media with: which transports it offers, and what it answers."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.actor.correlation import log_fields
from trivox.call._data import prepare_data
from trivox.call._endings import fail, refuse
from trivox.call._gathering import gather_addresses
from trivox.call._kinds import choice_of, may_be_offered_ice, offered_kinds
from trivox.call._trickle import answers_by_fragments
from trivox.call.events import Originator
from trivox.call.states import Trigger
from trivox.call.transports import TransportChoice, choice_for_answer, choice_for_offer
from trivox.errors import (
    AudioStreamRequiredError,
    EngineError,
    EngineExhaustedError,
    StreamError,
)

if TYPE_CHECKING:
    from trivox.call._core import CallCore

_LOGGER: Final = logging.getLogger("trivox.call")


def local_description(call: CallCore) -> bytes:
    """Open the media session; return our answer to their offer, or ours where there is none."""
    assert call._route is not None, "media is opened on the route of the call"
    if call._leg.is_open and call._leg.local_sdp:
        return call._leg.local_sdp.encode()  # early media has answered the offer
    open_media(call)
    offer = call._remote_offer
    _prepare_lines(call)
    call._tell(media_state="connecting")
    return call._leg.answer(offer, "") if offer else call._leg.offer()


def _prepare_lines(call: CallCore) -> None:
    """Take the lines beside the audio that the settings ask for."""
    if call.settings.receive_video:
        call._video().prepare()
    prepare_data(call)


def _look_into_offer(call: CallCore) -> None:
    """Let the engine see an offer whose answer waits for servers.

    What lines by themselves need is asked for with the rest then.
    """
    offer, leg = call._remote_offer, call._leg
    is_waiting = call._host.ice_servers and leg.is_ice and not leg.local_sdp
    if offer and is_waiting and not answers_by_fragments(call):
        _prepare_lines(call)
        leg.look_into(offer)


def open_media(call: CallCore) -> None:
    """Open the media session, unless it is; it takes the transport of their offer."""
    offer, kind = call._remote_offer, call.settings.media
    if not call._leg.is_open:
        if offer:
            _open_leg(call, choice_for_answer(kind, offer))
        else:
            _open_to_offer(call)
    elif offer and call._leg.is_ice:
        choice = choice_for_answer(kind, offer)
        if choice.transport != "ice":
            call._leg.change_transport(choice)


def _open_to_offer(call: CallCore) -> None:
    """Open the media session before anybody has described itself."""
    if call.settings.delayed_offer and may_be_offered_ice(call):
        _open_leg(call, choice_for_offer("webrtc", is_open=False))
        return
    first, *others = offered_kinds(call)
    # What is offered after a refusal has the same addresses to choose from.
    _open_leg(call, choice_of(call, first), widest="ice" if "webrtc" in others else "")


def _open_leg(call: CallCore, choice: TransportChoice, *, widest: str = "") -> None:
    assert call._route is not None, "a route is there before media is"
    call._leg.open(
        choice,
        local_hosts=call._host.media_hosts(call._route, widest or choice.transport),
        advertised=call._host.advertised,
        settings=call.settings,
    )


async def gather_early(call: CallCore) -> None:
    """Gather addresses for an incoming call; refuse it when that cannot be, or is cancelled."""
    try:
        open_media(call)
        _look_into_offer(call)
        await gather_addresses(call)
    except (StreamError, EngineError) as error:
        refuse_media(call, error)
        raise
    except trio.Cancelled:
        refuse(call, 480)
        raise


def refuse_no_audio(call: CallCore) -> None:
    """Raise AudioStreamRequiredError for a call that would start without sending audio."""
    audio = call._audio
    if audio is not None and not audio.wish.streams and not call.settings.allow_no_audio:
        raise AudioStreamRequiredError("the call has no audio stream left", call_id=call.id)


def refuse_media(call: CallCore, error: Exception) -> None:
    """Refuse an incoming call whose offer we cannot answer (RFC 3261 §21.4.26)."""
    call._farewell.status = 488 if isinstance(error, StreamError) else 500
    if isinstance(error, EngineExhaustedError):
        # Others may have room, or we a moment later (RFC 3261 §21.5.4).
        call._farewell.status, call._farewell.headers = 503, call._host.retry_after
        _LOGGER.warning("call %s refused: %s", call.id, error, extra=log_fields(call.id))
    fail(call, call._farewell.status, str(error), None, Originator.SYSTEM, Trigger.MEDIA_FAILED)


@final
class BranchOffers:
    """What the branches of a call without an offer of ours have offered (RFC 3261 §13.2.2.4)."""

    __slots__ = ("_call", "_offers")

    def __init__(self, call: CallCore) -> None:
        self._call = call
        self._offers: dict[str, bytes] = {}

    def answer_to(self, offer: bytes, branch: str) -> bytes:
        """Return the answer to the offer of a branch; each of a fork makes one."""
        call = self._call
        self._offers[branch] = offer
        if call._leg.local_sdp:
            return call._leg.answer(offer, "")
        call._remote_offer = offer
        return local_description(call)

    def go_by(self, branch: str) -> None:
        """Send to the branch that has won, where another has made an offer since."""
        leg, offer = self._call._leg, self._offers.get(branch)
        if offer is not None and offer.decode(errors="replace") != leg.remote_sdp:
            with suppress(StreamError, EngineError):  # it could be answered once
                leg.answer(offer, "")
