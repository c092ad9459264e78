"""A call that names another by Join: both in one conference from its answer on (RFC 3911)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, final

from trivox.actor.correlation import log_fields
from trivox.actor.observers import WatchOptions
from trivox.call.conference import Conference
from trivox.call.states import CallState
from trivox.client.replacing import is_bridged
from trivox.errors import TrivoxError

if TYPE_CHECKING:
    from trivox.call.call import Call
    from trivox.client.client import Client

_LOGGER: Final = logging.getLogger("trivox.call")


@final
class Mixing:
    """Watches a joining call and the one it names: mixes them, and parts them when one ends.

    The other call's conference is used where it is in one; else there is one for as long as both
    live. Who answers without being able to mix would break its word, so then the new call ends.
    """

    def __init__(self, client: Client, call: Call, other: Call) -> None:
        self._client = client
        self._call = call
        self._other = other
        self._own: Conference | None = None
        call._joins = other
        options: WatchOptions[CallState] = WatchOptions(clearable=False)
        self._watches = [each.state.watch(self._take_state, options) for each in (call, other)]

    def _take_state(self, state: CallState, _: CallState) -> None:
        if state.is_terminal:
            self._part()
        elif self._call.state.value is CallState.CONNECTED and self._call.joins is not None:
            self._mix()

    def _mix(self) -> None:
        other, self._call._joins = self._other, None
        try:
            if is_bridged(other):
                raise TrivoxError("the call is in a bridge, which is for two")
            room = other._leg.joint
            if not isinstance(room, Conference):
                room = self._own = self._client.create_conference("join")
                room._open()
                room.add(other)
            room.add(self._call)
        except TrivoxError as error:
            _LOGGER.warning("%s cannot be joined: %s", other.id, error, extra=log_fields())
            self._part()
            self._call.hangup()

    def _part(self) -> None:
        for unwatch in self._watches:
            unwatch()
        self._watches = []
        if self._own is not None:
            self._own._end("")
