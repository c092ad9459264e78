"""What a call is joined with: at most one bridge or conference at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trivox.errors import CallJoinedError

if TYPE_CHECKING:
    from trivox.call.call import Call
    from trivox.call.media_leg import MediaLeg


class Joint(Protocol):
    """A bridge or a conference, as the calls in it see it."""

    def handle_released(self, leg: MediaLeg) -> None:
        """Note that a call's media is gone: it has ended."""
        ...


def refuse_joined(*calls: Call) -> None:
    """Raise CallJoinedError for the first call that is in a bridge or conference."""
    for call in calls:
        if call._leg.joint is not None:  # noqa: SLF001 (shared by the package)
            raise CallJoinedError(
                "the call is in a bridge or a conference already", call_id=call.id
            )
