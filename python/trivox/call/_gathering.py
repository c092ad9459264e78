"""Addresses that a call gathers at STUN servers and relays before its first description."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from trivox.actor.correlation import log_fields
from trivox.call._trickle import CallTrickle
from trivox.call.ice_servers import IcePlaces
from trivox.errors import CallEndedError, EngineError, StreamError

if TYPE_CHECKING:
    from trivox.call.media_leg import MediaLeg

_LOGGER: Final = logging.getLogger("trivox.call")
GATHERING_LIMIT: Final = 5.0
"""Seconds all servers together have to answer in; a description does not wait for longer."""


class CallGathering(CallTrickle):
    """What a call does to be reachable."""

    _leg: MediaLeg
    _places = IcePlaces()

    async def _gather_addresses(self) -> None:
        """Ask the servers, if the call goes by ICE and has not described itself yet.

        Takes `GATHERING_LIMIT` seconds at most. A call that may do without relays goes on with
        what could be had; the rest is logged. Where the far end takes candidates later, nothing is
        waited for.
        """
        servers = self._host.ice_servers
        if self.settings.ice_lite and self._remote_offer:
            # A lite agent has host candidates only (RFC 8445 §5.2).
            return
        if self._leg.trickling is not None and self._leg.trickling.gathered is not None:
            await self._leg.trickling.gathered.wait()  # it has begun, for an offer before
            self._refuse_ended()
            return
        if not servers or not self._leg.is_ice or self._leg.local_sdp:
            return
        is_first_offer = self._offers_by_fragments()
        if is_first_offer or self._answers_by_fragments():
            trickling = self._trickling()
            trickling.is_first_offer = is_first_offer
            gathered = trickling.begin_gathering()
            self._host.start_soon(self._gather_late, gathered, name=f"candidates of {self.id}")
            return
        said = await self._ask_servers()
        self._refuse_ended()
        self._warn((said,) if said else ())

    async def _gather_late(self, gathered: trio.Event) -> None:
        """Ask the servers while the call goes on; what they say goes by fragments."""
        trickling = self._trickling()
        try:
            said = await self._ask_servers()
        except CallEndedError:
            return
        except (StreamError, EngineError) as error:
            said = str(error)
            trickling.end_gathering()
        finally:
            gathered.set()
        self._warn((said,) if said else ())
        if self.settings.relay_only and not trickling.has_candidates and self._leg.is_open:
            self._fail_media(f"the call goes by relays only, and there is none: {said}")

    async def _ask_servers(self) -> str:
        """Ask, and return what could not be had. Raises CallEndedError, EngineError."""
        servers = self._host.ice_servers
        with trio.move_on_after(GATHERING_LIMIT) as limit:
            self._places = await self._host.find_servers(servers)
        self._refuse_ended()
        self._warn(self._places.failures)
        left = max(limit.deadline - trio.current_time(), 0.001)
        return await self._leg.gather(self._places, is_offer=not self._remote_offer, limit=left)

    def _warn(self, failures: tuple[str, ...]) -> None:
        for failure in failures:
            _LOGGER.warning("no address from %s", failure, extra=log_fields())

    def _take_lost_relay(self, text: str) -> None:
        # What media has lost by that, ICE says; a restart finds what is gathered now.
        _LOGGER.warning("the relay is gone: %s", text, extra=log_fields())
        self._leg.begin_gathering(self._places, is_offer=True, limit=GATHERING_LIMIT)
