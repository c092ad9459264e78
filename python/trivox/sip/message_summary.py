"""Waiting messages as an event: `message-summary` (RFC 3842)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, final

from trivox.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_SUMMARY: Final = "message-summary"
MESSAGE_SUMMARY_TYPE: Final = "application/simple-message-summary"
_MAX_LINES: Final = 64
_COUNTS: Final = re.compile(
    r"([0-9]{1,9})\s*/\s*([0-9]{1,9})(?:\s*\(\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*\))?"
)


@final
@dataclass(frozen=True, slots=True)
class MessageCounts:
    """How many messages of a class there are; the urgent ones are among the others."""

    new: int = 0
    old: int = 0
    new_urgent: int = 0
    old_urgent: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSummary:
    """What waits in a mailbox (RFC 3842 §5.2).

    Attributes:
        has_messages: Whether anything waits.
        account: The mailbox's URI; empty when it is not told.
        counts: By class in lower case: "voice-message", "fax-message", "text-message", …
    """

    has_messages: bool
    account: str = ""
    counts: Mapping[str, MessageCounts] = field(default_factory=dict)

    @property
    def voice(self) -> MessageCounts:
        """The counts of voice messages; all 0 when they are not told."""
        return self.counts.get("voice-message", MessageCounts())

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type application/simple-message-summary. Raises ParseError."""
        has_messages: bool | None = None
        account = ""
        counts: dict[str, MessageCounts] = {}
        for line in body.decode(errors="replace").split("\n")[:_MAX_LINES]:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            found = _COUNTS.fullmatch(value)
            if name == "messages-waiting":
                has_messages = value.lower() == "yes"
            elif name == "message-account":
                account = value
            elif found is not None:
                counts[name] = MessageCounts(*(int(group or 0) for group in found.groups()))
        if has_messages is None:
            raise ParseError("a message summary says whether messages wait")
        return cls(has_messages=has_messages, account=account, counts=counts)

    def to_body(self) -> bytes:
        """Return the body of a NOTIFY that tells this."""
        lines = [f"Messages-Waiting: {'yes' if self.has_messages else 'no'}"]
        if self.account:
            lines.append(f"Message-Account: {self.account}")
        for name, count in self.counts.items():
            urgent = f" ({count.new_urgent}/{count.old_urgent})"
            lines.append(f"{name.title()}: {count.new}/{count.old}{urgent}")
        return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
