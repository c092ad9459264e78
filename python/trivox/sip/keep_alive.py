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
_SHARE: Final = 0.2
"""Pings come after 80 to 100 % of the interval, so that many clients spread."""


class KeepAliveAction(StrEnum):
    """What is to be done when it is time."""

    PING = "ping"
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
            has_pong: Whether the far end answers a ping: on connections, not over UDP.
        """
        self._interval = interval
        self._has_pong = has_pong
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

    def handle_timeout(self, now: float, jitter: float) -> KeepAliveAction | None:
        """Ping if it is time, or give up the flow."""
        if self._deadline is None or now < self._deadline:
            return None
        if self._is_waiting:
            self.stop()
            return KeepAliveAction.DEAD
        self.start(now, jitter)
        if self._has_pong:
            self._is_waiting = True
            self._deadline = now + PONG_TIMEOUT
        return KeepAliveAction.PING
