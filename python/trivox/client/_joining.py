"""Calls that are joined with each other, as a part of the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.argument_rules import checked_kind
from trivox.call.bridge import Bridge, checked_pair
from trivox.call.call import Call

if TYPE_CHECKING:
    from trivox.client.wiring import Wiring


class ClientJoining:
    """The part of a client that lets its calls hear each other."""

    _wiring: Wiring

    def bridge(self, one: Call, other: Call) -> Bridge:
        """Let two calls hear each other: `async with client.bridge(one, other) as bridge:`.

        Entering waits until both have media; leaving parts them and ends neither. The media stays
        in the engine. A call bridged with itself hears itself.

        Raises:
            InvalidArgumentsError: They are no calls of this client.
        """
        for call in (checked_kind(one, Call, "one"), checked_kind(other, Call, "other")):
            checked_pair(one, call)
        return Bridge(one, other)
