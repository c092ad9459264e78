"""How a call begins: the INVITE that leaves, and the answer to one that came."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from trivox.call._describing import (
    gather_early,
    local_description,
    open_media,
    refuse_media,
    refuse_no_audio,
)
from trivox.call._endings import checkpoint_or_leave, fail_setup, leave, ring_no_longer
from trivox.call._gathering import gather_addresses
from trivox.call._kinds import may_be_offered_ice
from trivox.call._sound import mute
from trivox.call._transfer import take_place
from trivox.call._trickle import invite_headers, own_packages
from trivox.call._wishes import take_settings
from trivox.call.events import EndReason
from trivox.call.farewell import Farewell
from trivox.call.settings import CallSettings
from trivox.call.states import CallDirection, Phase, Trigger
from trivox.errors import EngineError, StreamError, TrivoxError
from trivox.errors.attempt import call_failed
from trivox.errors.checks import checked_kind
from trivox.sip.bodies import SDP
from trivox.sip.invite_session import InviteSession
from trivox.sip.offer_answer import OfferState

if TYPE_CHECKING:
    from trivox.call._core import CallCore
    from trivox.call.host import Route

# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = CallDirection.INCOMING
_IN_CREATED: Final = Phase.IN_CREATED
_ANSWER: Final = Trigger.ANSWER
_ACCEPTED: Final = Trigger.ACCEPTED
_STABLE: Final = OfferState.STABLE


async def start(call: CallCore) -> None:
    """Start an outgoing call: see `Call.start`."""
    call._refuse_direction(CallDirection.OUTGOING, "start()")
    call._refuse_ended()
    call._refuse_phase("start() was called already", Phase.OUT_CREATED)
    refuse_no_audio(call)
    call._step(Trigger.START)
    call._host.enter(call._face)
    try:
        await trio.lowlevel.checkpoint()
        route = await call._host.route_to(call._face)
        call._refuse_ended()
        # An offer that is to come is answered at once: what it may ask for is gathered before.
        if not call.settings.delayed_offer or may_be_offered_ice(call):
            call._route = route
            open_media(call)
            await gather_addresses(call)
        _invite(call, route)
    except (TrivoxError, OSError) as error:
        if call._phase is Phase.OUT_STARTING:
            fail_setup(call, error)
            raise call_failed(503, str(error), call_id=call.id) from error
        raise
    except BaseException:
        leave(call, EndReason.LOCAL_ENDED, Farewell())
        raise


def _invite(call: CallCore, route: Route) -> None:
    settings = call.settings
    call._route = route
    call._leg.screen = partial(call._host.screen, route)
    offer = b"" if settings.delayed_offer else local_description(call)
    call._session = InviteSession.outgoing(
        route.identity,
        call.destination,
        call_id=call.sip_call_id,
        local_tag=call._host.new_id(),
        cnonce=call._host.new_id(),
        extra_headers=invite_headers(call),
        timer=settings.session_timer,
        reliability=settings.reliability,
    )
    call.timings.started = call._now()
    call._carry_out(call._session.invite(offer, SDP))
    call._step(Trigger.SENT)
    if settings.ring_timeout is not None:
        call._after("ring", settings.ring_timeout, partial(ring_no_longer, call))


async def answer(call: CallCore, settings: CallSettings | None) -> None:
    """Answer an incoming call: see `Call.answer`."""
    call._refuse_direction(_INCOMING, "answer()")
    call._refuse_ended()
    call._refuse_phase("answer() was called already", _IN_CREATED)
    if settings is not None:
        call.settings = checked_kind(settings, CallSettings, "settings")
        if settings.mute_audio:
            mute(call, is_muted=True)
        take_settings(call)
    call._step(_ANSWER)
    await gather_early(call)
    try:
        body = local_description(call)
    except (StreamError, EngineError) as error:
        refuse_media(call, error)
        raise
    assert call._session is not None, "an incoming call is born with its session"
    call.timings.started = call.timings.answered = call._now()
    if call._session.offer_state is _STABLE:
        body = b""  # a reliable provisional response brought the answer (RFC 6337 §3.1.1)
    headers = (*own_packages(call), *call.settings.invite_headers)
    call._carry_out(call._session.accept(headers, body, SDP))
    if not call._session.is_unanswered:
        call._step(_ACCEPTED)
    take_place(call)
    await checkpoint_or_leave(call)
