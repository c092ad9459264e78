"""Headers of subscriptions: Event, Subscription-State, numbers of seconds (RFC 6665 §8.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from trivox._native import Message

_MOST_DIGITS: Final = 10


@final
@dataclass(frozen=True, slots=True)
class EventName:
    """An event package, and the `id` that tells its subscriptions in one dialog apart."""

    package: str
    id: str = ""

    def __str__(self) -> str:
        """Return the value of Event."""
        return f"{self.package};id={self.id}" if self.id else self.package


@final
@dataclass(frozen=True, slots=True)
class StateHeader:
    """What Subscription-State says (RFC 6665 §4.1.3).

    `expires` and `retry_after` are seconds; None when they are not told.
    """

    state: str
    reason: str = ""
    expires: float | None = None
    retry_after: float | None = field(default=None)


def read_event_untrusted(message: Message) -> EventName | None:
    """Return the Event of a request; None when it has none."""
    package, parameters = _read_untrusted(message.header("Event"))
    return EventName(package, parameters.get("id", "")) if package else None


def read_state_untrusted(message: Message) -> StateHeader | None:
    """Return the Subscription-State of a NOTIFY; None when it has none."""
    state, parameters = _read_untrusted(message.header("Subscription-State"))
    if not state:
        return None
    return StateHeader(
        state.lower(),
        parameters.get("reason", "").lower(),
        seconds_untrusted(parameters.get("expires")),
        seconds_untrusted(parameters.get("retry-after")),
    )


def seconds_untrusted(text: str | None) -> float | None:
    """Return the number at the beginning of a header of seconds; None for anything else."""
    digits = (text or "").partition(";")[0].partition("(")[0].strip()
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    return float(digits) if is_number else None


def _read_untrusted(value: str | None) -> tuple[str, dict[str, str]]:
    first, *fields = (value or "").split(";")
    parameters: dict[str, str] = {}
    for entry in fields:
        name, _, content = entry.partition("=")
        parameters.setdefault(name.strip().lower(), content.strip().strip('"'))
    return first.strip(), parameters
