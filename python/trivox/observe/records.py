"""The SIP messages an endpoint sent and received, kept for whoever looks at them later."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, final

from trivox.errors import InvalidArgumentsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivox.call.trace import TraceRecord
    from trivox.net.transport import Address

Direction = Literal["in", "out"]
Messages = Iterable["TraceRecord | MessageRecord"]

# Blanks are stripped afterwards: a pattern that does it takes quadratic time on a line full of them.
_HEADER: Final = r"(?im)^(?:{})[ \t]*:(.*)$"
_CALL_ID: Final = re.compile(_HEADER.format("call-id|i"))
_CSEQ: Final = re.compile(_HEADER.format("cseq"))
_CONTENT_TYPE: Final = re.compile(_HEADER.format("content-type|c"))


@final
@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One SIP message as it went over the wire.

    Attributes:
        at: Trio clock, seconds.
        direction: "in" or "out", from the endpoint that kept the record.
        local: Address of that endpoint.
        remote: Address of the other end.
        data: The message, head and body, with what is secret in it; not in the repr.
    """

    at: float
    direction: Direction
    local: Address
    remote: Address
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, traced: TraceRecord | MessageRecord) -> MessageRecord:
        """Make a record of what a call or an endpoint kept."""
        if isinstance(traced, cls):
            return traced
        direction: Direction = "in" if traced.direction == "in" else "out"
        return cls(traced.at, direction, traced.local, traced.remote, traced.data)

    @property
    def source(self) -> Address:
        """Where it came from."""
        return self.remote if self.direction == "in" else self.local

    @property
    def destination(self) -> Address:
        """Where it went."""
        return self.local if self.direction == "in" else self.remote

    @property
    def call_id(self) -> str:
        """The Call-ID; empty when there is none."""
        return _found(_CALL_ID, self.head)

    @property
    def head(self) -> str:
        """First line and headers."""
        return self.data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")

    @property
    def title(self) -> str:
        """What it is, in a few words: "INVITE +sdp", "180 Ringing (INVITE)"."""
        head = self.head
        first = head.partition("\r\n")[0]
        body = " +sdp" if "sdp" in _found(_CONTENT_TYPE, head).lower() else ""
        if first.startswith("SIP/2.0 "):
            method = _found(_CSEQ, head).rpartition(" ")[2]
            return printable(f"{first[8:]} ({method}){body}")
        return printable(f"{first.partition(' ')[0]}{body}")


class Traced(Protocol):
    """What keeps its messages, such as a Call of a client with `keep_trace`."""

    @property
    def trace(self) -> Sequence[TraceRecord]:
        """The messages, oldest first."""
        ...


def messages_of(what: Traced | Messages) -> Messages:
    """Return the messages themselves."""
    if isinstance(what, Iterable):
        return what
    if not hasattr(what, "trace"):
        raise InvalidArgumentsError(
            f"{what!r} keeps no messages: give a Call of a client with keep_trace=True"
        )
    return what.trace


@final
class MessageRecorder:
    """Keeps the newest messages of an endpoint; give its `record` as the endpoint's trace hook.

    Args:
        limit: How many are kept; older ones are dropped and counted.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._records: deque[MessageRecord] = deque(maxlen=limit)
        self.dropped = 0
        """Messages that are no longer kept."""

    def record(
        self, at: float, direction: str, _flow: int, local: Address, remote: Address, data: bytes
    ) -> None:
        """Keep one message."""
        if len(self._records) == self._records.maxlen:
            self.dropped += 1
        self._records.append(
            MessageRecord(at, "in" if direction == "in" else "out", local, remote, data)
        )

    @property
    def records(self) -> tuple[MessageRecord, ...]:
        """What is kept, oldest first."""
        return tuple(self._records)

    def of_call(self, call_id: str) -> tuple[MessageRecord, ...]:
        """Return the messages with that Call-ID, oldest first."""
        return tuple(record for record in self._records if record.call_id == call_id)


def printable(text: str) -> str:
    """Return a text that a terminal and a browser show as it is: no control, nothing that reorders."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _found(pattern: re.Pattern[str], head: str) -> str:
    match = pattern.search(head)
    return match[1].strip(" \t\r") if match else ""
