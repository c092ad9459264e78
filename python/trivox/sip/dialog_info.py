"""Other people's calls as an event: `dialog` (RFC 4235)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, final
from xml.sax.saxutils import escape, quoteattr

from trivox.errors import ParseError
from trivox.sip.xml_body import parse_xml_untrusted, version_untrusted

if TYPE_CHECKING:
    from trivox.sip.xml_body import Element

DIALOG: Final = "dialog"
DIALOG_TYPE: Final = "application/dialog-info+xml"
_NAMESPACE: Final = "urn:ietf:params:xml:ns:dialog-info"
_MAX_DIALOGS: Final = 256
_STATES: Final = frozenset({"trying", "proceeding", "early", "confirmed", "terminated"})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DialogEntry:
    """One dialog of the watched party (RFC 4235 §4.1).

    Attributes:
        id: Its name within the document.
        state: "trying", "proceeding", "early", "confirmed" or "terminated".
        direction: "initiator", "recipient", or empty when it is not told.
        call_id: Its Call-ID; empty when it is not told, as the tags.
        local_tag: The watched party's tag.
        remote_tag: The other party's tag.
        local_uri: The watched party's identity; empty when it is not told.
        remote_uri: The other party's.
        remote_display_name: The other party's name.
        event: What led to the state: "rejected", "local-bye", …; empty when it is not told.
    """

    id: str
    state: str
    direction: str = ""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    local_uri: str = ""
    remote_uri: str = ""
    remote_display_name: str = ""
    event: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DialogInfo:
    """The dialogs of a watched party.

    Attributes:
        entity: The watched party's URI.
        version: Grows with each document; a lower one than the last is to be passed over.
        is_full: Whether all dialogs are listed, or those that changed.
        dialogs: The dialogs.
    """

    entity: str
    version: int = 0
    is_full: bool = True
    dialogs: tuple[DialogEntry, ...] = ()

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type application/dialog-info+xml. Raises ParseError."""
        root = parse_xml_untrusted(body, "dialog-info")
        found = [child for child in root.children if child.name == "dialog"]
        if len(found) > _MAX_DIALOGS:
            raise ParseError(f"more than {_MAX_DIALOGS} dialogs in one document")
        return cls(
            entity=root.attributes.get("entity", ""),
            version=version_untrusted(root),
            is_full=root.attributes.get("state") != "partial",
            dialogs=tuple(map(_entry_untrusted, found)),
        )

    def to_body(self) -> bytes:
        """Return the body of a NOTIFY that tells this."""
        state = "full" if self.is_full else "partial"
        entries = "".join(map(_written, self.dialogs))
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info xmlns="{_NAMESPACE}" '
            f'version="{self.version}" state="{state}" entity={quoteattr(self.entity)}>\n'
            f"{entries}</dialog-info>\n"
        ).encode("utf-8", "replace")


def _entry_untrusted(element: Element) -> DialogEntry:
    state = element.child("state")
    value = element.text_of("state")
    if state is None or value not in _STATES or "id" not in element.attributes:
        raise ParseError("a dialog has an id and a known state")
    local, remote = element.child("local"), element.child("remote")
    identity = remote.child("identity") if remote is not None else None
    given = element.attributes
    return DialogEntry(
        id=given["id"],
        state=value,
        direction=given.get("direction", ""),
        call_id=given.get("call-id", ""),
        local_tag=given.get("local-tag", ""),
        remote_tag=given.get("remote-tag", ""),
        local_uri=local.text_of("identity") if local is not None else "",
        remote_uri=identity.text.strip() if identity is not None else "",
        remote_display_name=identity.attributes.get("display", "") if identity is not None else "",
        event=state.attributes.get("event", ""),
    )


def _written(entry: DialogEntry) -> str:
    attributes = "".join(
        f" {name}={quoteattr(value)}"
        for name, value in (
            ("id", entry.id),
            ("call-id", entry.call_id),
            ("local-tag", entry.local_tag),
            ("remote-tag", entry.remote_tag),
            ("direction", entry.direction),
        )
        if value
    )
    event = f" event={quoteattr(entry.event)}" if entry.event else ""
    name = f" display={quoteattr(entry.remote_display_name)}" if entry.remote_display_name else ""
    local = f"<local><identity>{escape(entry.local_uri)}</identity></local>"
    remote = f"<remote><identity{name}>{escape(entry.remote_uri)}</identity></remote>"
    return (
        f"<dialog{attributes}><state{event}>{escape(entry.state)}</state>"
        f"{local if entry.local_uri else ''}{remote if entry.remote_uri else ''}</dialog>\n"
    )
