"""One call in a conference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_within

if TYPE_CHECKING:
    from trivox.call.call import Call
    from trivox.call.conference import Conference
    from trivox.media.engine_joining import MemberFigures

_GAINS_DB: Final = (-60.0, 30.0)


@final
class ConferenceMember:
    """A call in a conference: how it is heard and what it hears; made by `Conference.add`.

    Changes take effect within 20 ms. Those of a member that has left change nothing.

    Attributes:
        call: The call.
        conference: Where it is.
    """

    def __init__(
        self, conference: Conference, call: Call, *, send: bool, receive: bool, gain: float
    ) -> None:
        self.call: Final = call
        self.conference: Final = conference
        self._is_muted = not send
        self._is_deaf = not receive
        self._gain = checked_gain(gain)
        self._whispers_to: ConferenceMember | None = None

    def __repr__(self) -> str:
        return f"<ConferenceMember {self.call.id}{'' if self.is_present else ' gone'}>"

    @property
    def is_present(self) -> bool:
        """True until it is removed, its call or the conference ends."""
        return self.conference.get(self.call) is self

    @property
    def is_muted(self) -> bool:
        """Whether nobody hears it."""
        return self._is_muted

    @property
    def is_deaf(self) -> bool:
        """Whether it hears nobody."""
        return self._is_deaf

    @property
    def whispers_to(self) -> ConferenceMember | None:
        """The one member that hears it; None: all do."""
        return self._whispers_to

    @property
    def gain(self) -> float:
        """Gain of what comes from it, in dB, -60 to 30; may be set."""
        return self._gain

    @gain.setter
    def gain(self, gain: float) -> None:
        self._gain = checked_gain(gain)
        self._apply()

    def mute(self) -> None:
        """Let nobody hear it. Idempotent, as the three below."""
        self._is_muted = True
        self._apply()

    def unmute(self) -> None:
        """Let it be heard again."""
        self._is_muted = False
        self._apply()

    def deafen(self) -> None:
        """Let it hear nobody."""
        self._is_deaf = True
        self._apply()

    def undeafen(self) -> None:
        """Let it hear the others again."""
        self._is_deaf = False
        self._apply()

    def whisper_to(self, member: ConferenceMember | None) -> None:
        """Be heard by one member alone, and not recorded; None: by all again. It hears all.

        Raises:
            InvalidArgumentsError: That is no other member of this conference.
        """
        if member is not None and (member is self or not self._is_neighbour(member)):
            raise InvalidArgumentsError(f"{member!r} is no other member of this conference")
        self._whispers_to = member
        self._apply()

    def remove(self) -> None:
        """Leave the conference; the call goes on with its own sound. Idempotent."""
        self.conference.remove(self.call)

    # For the conference.

    @property
    def _settings(self) -> MemberFigures:
        to = self._whispers_to
        is_there = to is not None and to.is_present
        return {
            "gain_db": self._gain,
            # Whom it whispered to has gone: what was for one must not be heard by all.
            "muted": self._is_muted or (to is not None and not is_there),
            "deaf": self._is_deaf,
            "whispers_to": to.call._leg.session if to is not None and is_there else None,  # noqa: SLF001 (shared by the package)
        }

    def _is_neighbour(self, member: object) -> bool:
        return (
            isinstance(member, ConferenceMember)
            and member.conference is self.conference
            and member.is_present
        )

    def _apply(self) -> None:
        if self.is_present:
            self.conference._change(self)  # noqa: SLF001 (shared by the package)


def checked_gain(gain: float) -> float:
    """Return a gain in dB. Raises InvalidArgumentsError."""
    low, high = _GAINS_DB
    return float(checked_within(gain, "gain", low, high, unit=" dB"))
