"""What happened in a run: every message at every party, every event of every call, in order."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from trivox.call.events import Event

if TYPE_CHECKING:
    from trivox.call.call import Call
    from trivox.call.events import CallEnd
    from trivox.net.tracing import TraceHook
    from trivox.net.transport import Address


_LINE_END = b"\r\n"


class Message(NamedTuple):
    """One message as a party sent or received it."""

    at: float
    party: str
    direction: str
    data: bytes


class Handover(NamedTuple):
    """One transfer that a program asked for, and what it was told."""

    at: float
    party: str
    number: int
    told: str
    """"done", "left" (the far end went without a word), or the name of the error."""
    code: int


@dataclass(slots=True)
class Side:
    """One end of one call, and what it was told."""

    party: str
    number: int
    call: Call
    events: list[Event] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of its events, in order."""
        return [type(event).__name__ for event in self.events]

    @property
    def end(self) -> CallEnd | None:
        """How it ended."""
        return self.call.end

    def __str__(self) -> str:
        return (
            f"{self.party} {self.call.direction} call {self.number} ({self.call.sip_call_id}): "
            f"{', '.join(self.names)}; end: {self.end!r}"
        )


class Trace:
    """The record of a run, with a hash of all of it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.sides: list[Side] = []
        self.handovers: list[Handover] = []
        self.failures: Counter[str] = Counter()
        """What handlers and listeners raised, as the clients told it."""
        self._hash = hashlib.sha256()

    def hook(self, party: str) -> TraceHook:
        """Return what records the messages of a party."""

        def note(
            at: float, direction: str, _flow: int, local: Address, remote: Address, data: bytes
        ) -> None:
            self.messages.append(Message(at, party, direction, data))
            self._hash.update(f"{at!r} {party} {direction} {local} {remote}\n".encode() + data)

        return note

    def watch(
        self, party: str, number: int, call: Call, *, raises: Exception | None = None
    ) -> Side:
        """Record the events of a call from now on; a second listener raises `raises` each time."""
        side = Side(party, number, call)
        self.sides.append(side)

        def note(event: Event) -> None:
            side.events.append(event)
            line = f"{event.at!r} {party} {number} {event.seq} {type(event).__name__}"
            self._hash.update(f"{line} {event.state} {event.originator}\n".encode())

        def fail(_event: Event) -> None:
            if raises is not None:
                raise raises

        if raises is not None:
            call.on(Event, fail)
        call.on(Event, note)
        return side

    @property
    def sha256(self) -> str:
        """The hash of everything recorded so far."""
        return self._hash.hexdigest()

    def of_call(self, sip_call_id: str) -> list[str]:
        """Return the messages of one call as lines, for the report of a failure."""
        wanted = sip_call_id.encode()
        return [
            f"{message.at:.3f} {message.party} {message.direction} "
            f"{message.data.partition(_LINE_END)[0].decode(errors='replace')}"
            for message in self.messages
            if wanted in message.data
        ]
