"""The event packages whose bodies become values (RFC 6665 §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self, final

from trivox.errors import ParseError
from trivox.sip.conference_info import CONFERENCE, CONFERENCE_TYPE, ConferenceInfo
from trivox.sip.dialog_info import DIALOG, DIALOG_TYPE, DialogInfo
from trivox.sip.header_values import without_parameters
from trivox.sip.load_control import LOAD_CONTROL, LOAD_CONTROL_TYPE, LoadControl
from trivox.sip.message_summary import MESSAGE_SUMMARY, MESSAGE_SUMMARY_TYPE, MessageSummary
from trivox.sip.refer import SIPFRAG, read_sipfrag_untrusted
from trivox.sip.reg_info import REG, REG_TYPE, RegInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@final
@dataclass(frozen=True, slots=True)
class ReferredStatus:
    """How a referred call goes: the status line of a sipfrag (RFC 3515 §2.4.5)."""

    status: int
    reason: str

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type message/sipfrag. Raises ParseError."""
        told = read_sipfrag_untrusted(body)
        if told is None:
            raise ParseError("a fragment begins with a status line")
        return cls(*told)


EventValue = MessageSummary | DialogInfo | RegInfo | ConferenceInfo | ReferredStatus | LoadControl


class Publishable(Protocol):
    """A value that can be told: MessageSummary, DialogInfo, RegInfo, ConferenceInfo, LoadControl."""

    def to_body(self) -> bytes:
        """Return the body of a NOTIFY that tells it."""
        ...


CONTENT_TYPES: Final[Mapping[str, str]] = {
    MESSAGE_SUMMARY: MESSAGE_SUMMARY_TYPE,
    DIALOG: DIALOG_TYPE,
    REG: REG_TYPE,
    CONFERENCE: CONFERENCE_TYPE,
    LOAD_CONTROL: LOAD_CONTROL_TYPE,
    "refer": SIPFRAG,
}
"""The type of body that a package uses unless another is asked for."""

_READERS: Final[Mapping[str, Callable[[bytes], EventValue]]] = {
    MESSAGE_SUMMARY_TYPE: MessageSummary.parse_untrusted,
    DIALOG_TYPE: DialogInfo.parse_untrusted,
    REG_TYPE: RegInfo.parse_untrusted,
    CONFERENCE_TYPE: ConferenceInfo.parse_untrusted,
    LOAD_CONTROL_TYPE: LoadControl.parse_untrusted,
    SIPFRAG: ReferredStatus.parse_untrusted,
}


def value_untrusted(content_type: str, body: bytes) -> EventValue | None:
    """Return what a body says; None when it is empty, of another type, or cannot be read."""
    reader = _READERS.get(without_parameters(content_type))
    if reader is None or not body:
        return None
    try:
        return reader(body)
    except ParseError:
        return None
