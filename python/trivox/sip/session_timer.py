"""The session timer: who refreshes a session, and when a silent one is given up (RFC 4028)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, final

from trivox.sip.table import Go, Ignored, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message
    from trivox.sip.outputs import Headers

LEAST_INTERVAL: Final = 90
"""Seconds; no session interval may be shorter (RFC 4028 §4)."""
_LONGEST_INTERVAL: Final = 2**31
_BEFORE_END: Final = 32.0
"""Seconds before its end at which a session is given up, or a third of the interval (§10)."""
_RETRY: Final = 10.0
"""Seconds after a refresh that was refused; not given by the RFC."""
_DELTA_SECONDS: Final = re.compile(r"\s*([0-9]{1,10})\s*(?:;(.*))?$", re.DOTALL)
_REFRESHER: Final = re.compile(r"(?:^|;)\s*refresher\s*=\s*\"?(uac|uas)\b", re.IGNORECASE)
_MOST_RAISES: Final = 4
"""Tries of one INVITE with a longer interval."""


class TimerState(StrEnum):
    """Who keeps the session alive."""

    OFF = "off"
    LOCAL = "local"
    """We refresh."""
    REMOTE = "remote"
    """They refresh; without it we give up."""


class TimerEvent(StrEnum):
    """What can happen to it."""

    AGREED_LOCAL = "agreed_local"
    AGREED_REMOTE = "agreed_remote"
    AGREED_NONE = "agreed_none"
    """A 2xx without Session-Expires, or the session is over."""
    DUE = "due"
    REFUSED = "refused"
    """Our refresh was not accepted."""
    EXPIRED = "expired"


class TimerAction(StrEnum):
    """What is done on the way."""

    ARM_LOCAL = "arm_local"
    ARM_REMOTE = "arm_remote"
    DISARM = "disarm"
    REFRESH = "refresh"
    RETRY = "retry"


S, E, A = TimerState, TimerEvent, TimerAction
_OFF: Final = S.OFF
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_AGREED_NONE: Final = E.AGREED_NONE

_AGREED: Final = {
    E.AGREED_LOCAL: Go(S.LOCAL, (A.ARM_LOCAL,)),
    E.AGREED_REMOTE: Go(S.REMOTE, (A.ARM_REMOTE,)),
}
_EXPIRED: Final = Go(S.OFF, (A.DISARM,))

# RFC 4028 §7.2, §9 and §10.
TIMER_TABLE: Final[Table[TimerState, TimerEvent, TimerAction]] = {
    S.OFF: {**_AGREED},
    S.LOCAL: {
        **_AGREED,
        E.AGREED_NONE: Go(S.OFF, (A.DISARM,)),
        E.DUE: Go(S.LOCAL, (A.REFRESH,)),
        E.REFUSED: Go(S.LOCAL, (A.RETRY,)),
        E.EXPIRED: _EXPIRED,
    },
    S.REMOTE: {
        **_AGREED,
        E.AGREED_NONE: Go(S.OFF, (A.DISARM,)),
        E.EXPIRED: _EXPIRED,
    },
}

TIMER_IGNORED: Final[Ignored[TimerEvent, TimerState]] = {
    "RFC 4028 §10: without a session interval nothing is due": {
        E.AGREED_NONE: frozenset({S.OFF}),
        E.DUE: frozenset({S.OFF, S.REMOTE}),
        E.REFUSED: frozenset({S.OFF, S.REMOTE}),
        E.EXPIRED: frozenset({S.OFF}),
    },
}


# One is made for each call: a frozen dataclass takes several times as long.
class TimerOffer(NamedTuple):
    """What we ask for.

    Attributes:
        interval: Seconds a session lives without refresh; 0: we ask for none, theirs is accepted.
        minimum: The least interval we accept, at least 90 s.
    """

    interval: int = 1800
    minimum: int = LEAST_INTERVAL


@final
class SessionTimer:
    """Agree on an interval and keep it. A part of `InviteSession`, which drains it."""

    __slots__ = (
        "_expires_at",
        "_interval",
        "_minimum",
        "_offer",
        "_raises",
        "_refresh_at",
        "state",
        "wants_refresh",
    )

    def __init__(self, offer: TimerOffer) -> None:
        self._offer = offer
        self._interval = offer.interval
        self._minimum = offer.minimum
        self._raises = 0
        self._refresh_at: float | None = None
        self._expires_at: float | None = None
        self.state = _OFF
        self.wants_refresh = False
        """Set when a refresh is due; the session takes it back when it has sent one."""

    @property
    def minimum(self) -> int:
        """The least interval we accept, in seconds."""
        return self._offer.minimum

    @property
    def is_on(self) -> bool:
        """Whether an interval is agreed."""
        return self.state is not _OFF

    @property
    def deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        if self.state is _OFF:
            return None
        times = [at for at in (self._refresh_at, self._expires_at) if at is not None]
        return min(times, default=None)

    # Headers

    def offer(self) -> Headers:
        """Return the headers of our INVITE (RFC 4028 §7.1)."""
        if not self._interval:
            return ()
        return (("Session-Expires", str(self._interval)), *self._min_se())

    def refresh(self) -> Headers:
        """Return the headers of our re-INVITE or UPDATE: the roles stay (RFC 4028 §7.4)."""
        if not self.is_on:
            return ()
        role = "uac" if self.state is S.LOCAL else "uas"
        return (("Session-Expires", f"{self._interval};refresher={role}"), *self._min_se())

    def _min_se(self) -> Headers:
        return (("Min-SE", str(self._minimum)),) if self._minimum > LEAST_INTERVAL else ()

    # What is agreed

    def accept(self, request: Message, now: float) -> Headers:
        """Agree as the server of their INVITE or UPDATE; return the headers of our 2xx (§9).

        The interval they ask for is brought down to ours, not below what they or the RFC allow.
        """
        asked = interval_untrusted(request.header("Session-Expires"))
        if asked is None:
            if not self.is_on:
                return ()
            # They do not ask, and the session still has its timer: then we refresh it.
            self._agree(E.AGREED_LOCAL, now)
            return (("Session-Expires", f"{self._interval};refresher=uas"),)
        interval, refresher = asked
        least = max(LEAST_INTERVAL, _seconds_untrusted(request.header("Min-SE")) or 0)
        wanted = self._offer.interval or interval
        self._interval = max(least, min(interval, wanted))
        is_able = supports_timer(request)
        if refresher == "uas" or not is_able:
            self._agree(E.AGREED_LOCAL, now)
            return (("Session-Expires", f"{self._interval};refresher=uas"),)
        self._agree(E.AGREED_REMOTE, now)
        return (
            ("Session-Expires", f"{self._interval};refresher=uac"),
            ("Require", "timer"),
        )

    def learn(self, response: Message, now: float) -> None:
        """Take what the 2xx to our INVITE or UPDATE agrees to (RFC 4028 §7.2)."""
        self._raises = 0
        agreed = interval_untrusted(response.header("Session-Expires"))
        if agreed is None:
            self._agree(E.AGREED_NONE, now)
            return
        interval, refresher = agreed
        self._interval = max(LEAST_INTERVAL, interval)
        self._agree(E.AGREED_REMOTE if refresher == "uas" else E.AGREED_LOCAL, now)

    def restart(self, now: float) -> None:
        """Count from now on: the ACK of the 2xx that agreed is here."""
        if self.state is not _OFF:
            self._step(E.AGREED_LOCAL if self.state is S.LOCAL else E.AGREED_REMOTE, now)

    def can_raise(self, response: Message) -> bool:
        """Take the Min-SE of a 422; whether our request may be tried again with it (§7.3)."""
        least = _seconds_untrusted(response.header("Min-SE"))
        if least is None or least <= self._minimum or self._raises >= _MOST_RAISES:
            return False
        self._raises += 1
        self._minimum = least
        self._interval = max(self._interval, least)
        return True

    # Time

    def handle_timeout(self, now: float) -> bool:
        """Do what is due; True: the session is to be ended."""
        if self._expires_at is not None and now >= self._expires_at:
            self._step(E.EXPIRED, now)
            return True
        if self._refresh_at is not None and now >= self._refresh_at:
            self._step(E.DUE, now)
        return False

    def note_refused(self, now: float) -> None:
        """Note that our refresh had no success: it is tried again until the session expires."""
        self._step(E.REFUSED, now)

    def end(self) -> None:
        """Stop: the session ends."""
        self._step(_AGREED_NONE, 0.0)

    def _agree(self, event: TimerEvent, now: float) -> None:
        self.wants_refresh = False
        self._step(event, now)

    def _step(self, event: TimerEvent, now: float) -> None:
        """Go where the table says; a pair it does not hold is in TIMER_IGNORED."""
        go = TIMER_TABLE[self.state].get(event)
        if go is None:
            return
        self.state = go.state
        for action in go.actions:
            TIMER_ACTIONS[action](self, now)

    # The actions of the table.

    def arm_local(self, now: float) -> None:
        """Refresh after half of the interval (RFC 4028 §10)."""
        self._refresh_at = now + self._interval / 2
        self._expires_at = now + self._interval

    def arm_remote(self, now: float) -> None:
        """Give up a little before the session's end (RFC 4028 §10)."""
        self._refresh_at = None
        self._expires_at = now + self._interval - min(_BEFORE_END, self._interval / 3)

    def disarm(self, _now: float) -> None:
        """Wait for nothing."""
        self._refresh_at = self._expires_at = None
        self.wants_refresh = False

    def want_refresh(self, _now: float) -> None:
        """Ask the session for a refresh."""
        self._refresh_at = None
        self.wants_refresh = True

    def retry(self, now: float) -> None:
        """Try again a little later, if it was a refresh that failed."""
        if self._refresh_at is None and not self.wants_refresh:
            self._refresh_at = now + _RETRY


TIMER_ACTIONS: Final[dict[TimerAction, Callable[[SessionTimer, float], None]]] = {
    A.ARM_LOCAL: SessionTimer.arm_local,
    A.ARM_REMOTE: SessionTimer.arm_remote,
    A.DISARM: SessionTimer.disarm,
    A.REFRESH: SessionTimer.want_refresh,
    A.RETRY: SessionTimer.retry,
}


def refusal_of(request: Message, minimum: int) -> Headers | None:
    """Return the headers of the 422 a request with too short an interval gets; None for none.

    Only who knows the extension can be told (RFC 4028 §9).
    """
    asked = interval_untrusted(request.header("Session-Expires"))
    if asked is None or asked[0] >= minimum or not supports_timer(request):
        return None
    return (("Min-SE", str(minimum)),)


def supports_timer(message: Message) -> bool:
    """Whether the sender knows the extension."""
    return any(value.lower() == "timer" for value in message.values("Supported"))


def interval_untrusted(value: str | None) -> tuple[int, str] | None:
    """Return the seconds and the refresher ("uac", "uas" or "") of Session-Expires, or None."""
    found = _DELTA_SECONDS.match(value) if value is not None else None
    if found is None:
        return None
    refresher = _REFRESHER.search(found[2] or "")
    return min(int(found[1]), _LONGEST_INTERVAL), refresher[1].lower() if refresher else ""


def _seconds_untrusted(value: str | None) -> int | None:
    found = interval_untrusted(value)
    return found[0] if found is not None else None
