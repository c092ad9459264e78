"""Keep the flow of a registration open, and notice when it is dead (RFC 5626 §3.5, §4.4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, final

PONG_TIMEOUT: Final = 10.0
"""Seconds without a pong after which a connection is dead (RFC 5626 §4.4.1)."""
CONNECTION_INTERVAL: Final = 120.0
"""Longest seconds between the pings of a connection (RFC 5626 §4.4.1)."""
DATAGRAM_INTERVAL: Final = 29.0
"""Longest seconds between those of a UDP flow, which a NAT forgets sooner (RFC 5626 §4.4.2)."""
FIRST_REPEAT: Final = 0.5
"""Seconds until a ping over UDP is sent again, doubled each time (RFC 8489 §6.2.1)."""
_SHARE: Final = 0.2
"""Pings come after 80 to 100 % of the interval, so that many clients spread."""


class KeepAliveAction(StrEnum):
    """What is to be done when it is time."""

    PING = "ping"
    REPEAT = "repeat"
    """The same ping again: over UDP it may be lost, or its pong."""
    DEAD = "dead"
    """No pong came: close the flow and register by another."""


@final
class KeepAlive:
    """Tell when to ping one flow, and that nothing answers. Sans-I/O.

    After `start` and each input sleep until `next_deadline()` and call `handle_timeout`.
    """

    def __init__(self, interval: float, *, has_pong: bool) -> None:
        """Take the rule of a flow.

        Args:
            interval: Longest seconds between pings: the server's Flow-Timer, or a default above.
            has_pong: Whether the far end is known to answer a ping: on connections. Over UDP it is
                learnt by `handle_pong`, and until then nothing is expected.
        """
        self._interval = interval
        self._has_pong = has_pong
        self._repeats = not has_pong
        self._wait = 0.0
        self._gives_up_at = 0.0
        self._is_waiting = False
        self._deadline: float | None = None

    def start(self, now: float, jitter: float) -> None:
        """Begin, or begin anew; `jitter` from 0 to 1 spreads many clients."""
        self._is_waiting = False
        self._deadline = now + self._interval * (1.0 - _SHARE * jitter)

    def stop(self) -> None:
        """Ping no more."""
        self._is_waiting = False
        self._deadline = None

    def next_deadline(self) -> float | None:
        """Return when to call `handle_timeout`."""
        return self._deadline

    def handle_received(self, now: float, jitter: float) -> None:
        """Take that something came by the flow: whatever it is, it is as good as a pong."""
        if self._is_waiting:
            self.start(now, jitter)

    def handle_pong(self, now: float, jitter: float) -> None:
        """Take that the far end answers pings over UDP; from now on it has to (§4.4.2)."""
        self._has_pong = True
        self.handle_received(now, jitter)

    def handle_timeout(self, now: float, jitter: float) -> KeepAliveAction | None:
        """Ping if it is time, or give up the flow."""
        if self._deadline is None or now < self._deadline:
            return None
        if self._is_waiting:
            return self._wait_on(now)
        self.start(now, jitter)
        if self._has_pong:
            self._is_waiting = True
            self._gives_up_at = now + PONG_TIMEOUT
            self._wait = FIRST_REPEAT if self._repeats else PONG_TIMEOUT
            self._deadline = now + self._wait
        return KeepAliveAction.PING

    def _wait_on(self, now: float) -> KeepAliveAction:
        if now >= self._gives_up_at:
            self.stop()
            return KeepAliveAction.DEAD
        self._wait *= 2
        self._deadline = min(now + self._wait, self._gives_up_at)
        return KeepAliveAction.REPEAT
