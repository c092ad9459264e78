"""How long a connection may keep us waiting, and how many there may be (slow-loris)."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import final

from trivox.errors import InvalidArgumentsError


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Limits on connections; times in seconds."""

    connect: float = 5.0
    """A connection is made within this time, and each handshake on it, TLS and WebSocket."""
    message: float = 10.0
    """The first message is complete this long after accept, later ones after their first byte."""
    idle: float = 120.0
    """An accepted connection that carries no dialog or registration may be silent this long."""
    ping: float = 30.0
    """A WebSocket silent this long is pinged, and closed after the same time again."""
    per_address: int = 1024
    """Accepted connections of one remote host."""
    total: int = 16_384
    """Accepted connections."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise InvalidArgumentsError(
                    f"the limit {entry.name} is {value!r}; it must be a number above 0"
                )


@final
class Patience:
    """When to give up on one connection; `deadline` is kept for a cancel scope."""

    def __init__(self, limits: StreamLimits, now: float, *, accepted: bool) -> None:
        self._limits = limits
        self._is_pending = accepted
        self.is_kept = not accepted
        self.has_spoken = False
        self.deadline = now + limits.message if accepted else math.inf

    def keep(self, now: float) -> None:
        """Let the connection be silent: a dialog or a registration lives on it."""
        self.is_kept = True
        self.heard(now, complete=True)

    def release(self, now: float) -> None:
        """Let the connection be silent for `idle` from now on: what lived on it is over."""
        if self.is_kept:
            self.is_kept = False
            if not self._is_pending:
                self.deadline = now + self._limits.idle

    def heard(self, now: float, *, complete: bool) -> None:
        """Note what was received: a whole message, or a part of one."""
        if complete:
            self._is_pending = False
            self.has_spoken = True
            self.deadline = math.inf if self.is_kept else now + self._limits.idle
        elif not self._is_pending:
            self._is_pending = True
            self.deadline = now + self._limits.message
