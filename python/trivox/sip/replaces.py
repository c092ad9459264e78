"""The headers that name another dialog: Replaces, Join, Target-Dialog (RFC 3891, 3911, 4538)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, final

from trivox.errors import ParseError

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.dialog import Dialog

TARGET_DIALOG: Final = "tdialog"
"""Option tag of who knows Target-Dialog (RFC 4538 §8)."""


@final
@dataclass(frozen=True, slots=True)
class DialogName:
    """Which dialog of the receiver is meant (RFC 3891 §6.1).

    Attributes:
        call_id: Its Call-ID.
        to_tag: The receiver's own tag.
        from_tag: The tag of the receiver's far end.
        is_early_only: Only to be replaced while it is not answered.
    """

    call_id: str
    to_tag: str
    from_tag: str
    is_early_only: bool = False

    def __str__(self) -> str:
        """Return the header's value."""
        early = ";early-only" if self.is_early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    @classmethod
    def of_far_end(cls, dialog: Dialog) -> Self:
        """Name a dialog of ours as its far end is to look for it."""
        return cls(dialog.call_id, dialog.remote_tag, dialog.local_tag)

    @classmethod
    def parse_untrusted(cls, value: str) -> Self:
        """Read the value of Replaces or Join. Raises ParseError."""
        call_id, fields = _read_untrusted(value, "to-tag", "from-tag")
        return cls(call_id, fields["to-tag"], fields["from-tag"], "early-only" in fields)

    @classmethod
    def parse_target_untrusted(cls, value: str) -> Self:
        """Read the value of Target-Dialog. Raises ParseError."""
        call_id, fields = _read_untrusted(value, "local-tag", "remote-tag")
        return cls(call_id, fields["local-tag"], fields["remote-tag"])

    def as_target(self) -> str:
        """Return the value of Target-Dialog: its tags are named as the receiver sees them (§3)."""
        return f"{self.call_id};remote-tag={self.from_tag};local-tag={self.to_tag}"

    def is_of(self, dialog: Dialog) -> bool:
        """Whether that dialog of ours is meant (RFC 3891 §3)."""
        return (dialog.call_id, dialog.local_tag, dialog.remote_tag) == (
            self.call_id,
            self.to_tag,
            self.from_tag,
        )


def dialog_named_untrusted(request: Message) -> tuple[str, DialogName] | None:
    """Return which header names a dialog, "Replaces" or "Join", and the dialog; None for neither.

    Raises:
        ParseError: It cannot be read, there are several, or the request is no INVITE: to be
            answered 400 (RFC 3891 §3, RFC 3911 §4).
    """
    found = [(name, value) for name in ("Replaces", "Join") for value in request.values(name)]
    if not found:
        return None
    if len(found) > 1 or request.method != "INVITE":
        raise ParseError("one INVITE can name one dialog")
    (name, value) = found[0]
    return name, DialogName.parse_untrusted(value)


def target_dialog_untrusted(request: Message) -> DialogName | None:
    """Return the dialog that a request beside it is about; None for none (RFC 4538 §7).

    Raises:
        ParseError: It cannot be read, or there are several: to be answered 400.
    """
    values = request.headers("Target-Dialog")
    if len(values) > 1:
        raise ParseError("one request is about one dialog")
    return DialogName.parse_target_untrusted(values[0]) if values else None


def _read_untrusted(value: str, own: str, other: str) -> tuple[str, dict[str, str]]:
    """Return the Call-ID and the parameters of a dialog's name, both tags among them."""
    call_id, *fields = (field.strip() for field in value.split(";"))
    found: dict[str, str] = {}
    for field in fields:
        name, _, content = field.partition("=")
        key = name.strip().lower()
        if key in found:
            raise ParseError(f"{key} stands twice")
        found[key] = content.strip()
    if not call_id or not found.get(own) or not found.get(other):
        raise ParseError(f"a dialog is named by its Call-ID, {own} and {other}")
    return call_id, found
