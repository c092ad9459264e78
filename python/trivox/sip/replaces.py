"""The headers that name another dialog: Replaces (RFC 3891) and Join (RFC 3911)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

from trivox.errors import ParseError

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.dialog import Dialog


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
        """Read a header's value. Raises ParseError."""
        call_id, *fields = (field.strip() for field in value.split(";"))
        tags: dict[str, str] = {}
        is_early_only = False
        for field in fields:
            name, _, content = field.partition("=")
            key = name.strip().lower()
            if key in tags:
                raise ParseError(f"{key} stands twice")
            if key in ("to-tag", "from-tag"):
                tags[key] = content.strip()
            is_early_only = is_early_only or key == "early-only"
        if not call_id or not tags.get("to-tag") or not tags.get("from-tag"):
            raise ParseError("a dialog is named by its Call-ID, to-tag and from-tag")
        return cls(call_id, tags["to-tag"], tags["from-tag"], is_early_only)

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
