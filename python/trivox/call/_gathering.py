"""Addresses that a call gathers at STUN servers and relays before its first description."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from trivox.actor.correlation import log_fields
from trivox.call._endings import fail_media
from trivox.call._trickle import answers_by_fragments, offers_by_fragments, trickling_of
from trivox.errors import CallEndedError, EngineError, StreamError

if TYPE_CHECKING:
    from trivox.call._core import CallCore

_LOGGER: Final = logging.getLogger("trivox.call")
GATHERING_LIMIT: Final = 5.0
"""Seconds all servers together have to answer in; a description does not wait for longer."""


async def gather_addresses(call: CallCore) -> None:
    """Ask the servers, if the call goes by ICE and has not described itself yet.

    Takes `GATHERING_LIMIT` seconds at most. A call that may do without relays goes on with
    what could be had; the rest is logged. Where the far end takes candidates later, nothing is
    waited for.
    """
    servers = call._host.ice_servers
    if call.settings.ice_lite and call._remote_offer:
        # A lite agent has host candidates only (RFC 8445 §5.2).
        return
    if call._leg.trickling is not None and call._leg.trickling.gathered is not None:
        await call._leg.trickling.gathered.wait()  # it has begun, for an offer before
        call._refuse_ended()
        return
    if not servers or not call._leg.is_ice or call._leg.local_sdp:
        return
    is_first_offer = offers_by_fragments(call)
    if is_first_offer or answers_by_fragments(call):
        trickling = trickling_of(call)
        trickling.is_first_offer = is_first_offer
        gathered = trickling.begin_gathering()
        call._host.start_soon(_gather_late, call, gathered, name=f"candidates of {call.id}")
        return
    said = await _ask_servers(call)
    call._refuse_ended()
    _warn((said,) if said else ())


async def _gather_late(call: CallCore, gathered: trio.Event) -> None:
    """Ask the servers while the call goes on; what they say goes by fragments."""
    trickling = trickling_of(call)
    try:
        said = await _ask_servers(call)
    except CallEndedError:
        return
    except (StreamError, EngineError) as error:
        said = str(error)
        trickling.end_gathering()
    finally:
        gathered.set()
    _warn((said,) if said else ())
    # What was refused may have been offered without ICE since: that goes by no relay.
    is_bound = call.settings.relay_only and call._leg.is_ice and call._leg.is_open
    if is_bound and not trickling.has_candidates:
        fail_media(call, f"the call goes by relays only, and there is none: {said}")


async def _ask_servers(call: CallCore) -> str:
    """Ask, and return what could not be had. Raises CallEndedError, EngineError."""
    servers = call._host.ice_servers
    with trio.move_on_after(GATHERING_LIMIT) as limit:
        call._places = await call._host.find_servers(servers)
    call._refuse_ended()
    _warn(call._places.failures)
    left = max(limit.deadline - trio.current_time(), 0.001)
    return await call._leg.gather(call._places, is_offer=not call._remote_offer, limit=left)


def waits_for_servers(call: CallCore) -> bool:
    """Have servers asked for lines that the next description gives a path of their own.

    Whether it is to wait until they have answered, as the first one does: not where the far end
    takes candidates later. Raises EngineError.
    """
    leg = call._leg
    if not leg.is_ice or not call._host.ice_servers:
        return False
    is_asking = leg.sessions.gather_lines(leg.session)
    return is_asking and (leg.trickling is None or not leg.trickling.is_agreed)


def _warn(failures: tuple[str, ...]) -> None:
    for failure in failures:
        _LOGGER.warning("no address from %s", failure, extra=log_fields())


def take_lost_relay(call: CallCore, text: str) -> None:
    """Take that a relay in use is gone, and ask for another."""
    # What media has lost by that, ICE says; a restart finds what is gathered now.
    _LOGGER.warning("the relay is gone: %s", text, extra=log_fields())
    call._leg.begin_gathering(call._places, is_offer=True, limit=GATHERING_LIMIT)
