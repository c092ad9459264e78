"""Two calls that hear each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call._sound import wait_flowing
from trivox.call.joining import refuse_joined
from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from types import TracebackType

    from trivox.call.call import Call
    from trivox.call.media_leg import MediaLeg


@final
@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """What one direction of a bridge has carried.

    Attributes:
        packets_passed: RTP packets sent on as they came, undecoded.
        frames_transcoded: Frames of 20 ms that were decoded and encoded anew.
        dropped: Packets and frames that found no place in the queue between both calls.
    """

    packets_passed: int = 0
    frames_transcoded: int = 0
    dropped: int = 0


@final
@dataclass(frozen=True, slots=True)
class BridgeStatistics:
    """What a bridge has carried, each way."""

    one_to_other: LaneStatistics = LaneStatistics()
    other_to_one: LaneStatistics = LaneStatistics()


@final
class Bridge:
    """Two calls that hear each other while inside `async with`; made by `Client.bridge`.

    Where both far ends use one codec, their packets are sent on as they come, undecoded and with
    numbers of our own; else they are decoded, resampled and encoded anew. It changes over by
    itself: after a re-offer, or as long as somebody records a call, listens to it, plays something
    into it or mutes it. Keys (RFC 4733) cross too. What a call plays itself is mixed in.

    Attributes:
        one: The first call.
        other: The second one; the same as `one` for an echo.
    """

    def __init__(self, one: Call, other: Call) -> None:
        self.one: Final = one
        self.other: Final = other
        self._number: int | None = None
        self._last = BridgeStatistics()
        self._is_over = False
        self._ended = trio.lowlevel.ParkingLot()

    def __repr__(self) -> str:
        return f"<Bridge {self.one.id} {self.other.id}{' ended' if self._is_over else ''}>"

    @property
    def is_active(self) -> bool:
        """True from entering until it is left, or a call ends."""
        return self._number is not None and not self._is_over

    async def __aenter__(self) -> Bridge:
        """Wait until the media of both calls flows, and join them.

        Raises:
            CallJoinedError: One of them is in a bridge or conference.
            CallWrongStateError: One was neither started nor answered.
            CallEndedError, CallFailedError: One ended before.
        """
        assert self._number is None, "a bridge is entered once"
        refuse_joined(self.one, self.other)
        for call in (self.one, self.other):
            await wait_flowing(call)
        # One of them may have ended, or been joined by another task, while the second was awaited.
        self.one._refuse_ended()  # noqa: SLF001 (as above)
        refuse_joined(self.one, self.other)
        one, other = self._legs
        self._number = one.sessions.bridge(one.session, other.session)
        one.joint = other.joint = self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Part them: each has its own sound again. Both calls go on."""
        self._end()
        if kind is None:
            await trio.lowlevel.checkpoint()

    async def wait_ended(self) -> None:
        """Wait until one of both calls has ended. A pure wait: cancelling it changes nothing."""
        await trio.lowlevel.checkpoint()
        while not self._is_over:
            await self._ended.park()

    def statistics(self) -> BridgeStatistics:
        """Return what it has carried so far; the last figures once it is over."""
        if self.is_active and self._number is not None:
            there, back = self._legs[0].sessions.bridge_figures(self._number)
            self._last = BridgeStatistics(LaneStatistics(*there), LaneStatistics(*back))
        return self._last

    def handle_released(self, leg: MediaLeg) -> None:
        """Note that a call's media is gone: it has ended."""
        del leg
        self._end()

    @property
    def _legs(self) -> tuple[MediaLeg, MediaLeg]:
        return self.one._leg, self.other._leg  # noqa: SLF001 (shared by the package)

    def _end(self) -> None:
        if self._is_over or self._number is None:
            return
        self.statistics()
        self._is_over = True
        for leg in self._legs:
            leg.joint = None
        self._legs[0].sessions.end_bridge(self._number)
        self._ended.unpark_all()


def checked_pair(one: Call, other: Call) -> None:
    """Raise InvalidArgumentsError for calls that have no engine in common."""
    if one._leg.sessions is not other._leg.sessions:  # noqa: SLF001 (shared by the package)
        raise InvalidArgumentsError("the calls are of different clients: a bridge joins one's own")
