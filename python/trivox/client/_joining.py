"""Calls that are joined with each other, as a part of the client."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from trivox.call.bridge import Bridge, checked_pair
from trivox.call.call import Call
from trivox.call.conference import Conference
from trivox.errors.checks import checked_kind

if TYPE_CHECKING:
    from trivox.actor.isolation import Isolation
    from trivox.actor.supervisor import Supervisor
    from trivox.client.wiring import Wiring


class ClientJoining:
    """The part of a client that lets its calls hear each other."""

    _wiring: Wiring
    _supervisor: Supervisor

    @abstractmethod
    def _new_isolation(self, owner: str, call: Call | None) -> Isolation: ...

    def create_conference(self, name: str | None = None) -> Conference:
        """Make a conference: `async with client.create_conference() as conference:`.

        Entering opens it; `conference.add(call)` lets calls of this client take part. Leaving
        parts them and ends none. All is mixed in the engine.

        Args:
            name: For logs; None: none.
        """
        if name is not None:
            checked_kind(name, str, "name")
        return Conference(
            self._wiring.media,
            name or "",
            isolation=self._new_isolation(f"conference {name or ''}".rstrip(), None),
            start_soon=self._supervisor.start_soon,
        )

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
