"""Where an address of record is registered, as an event: `reg` (RFC 3680)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, final
from xml.sax.saxutils import escape, quoteattr

from trivox.errors import ParseError
from trivox.sip.xml_body import parse_xml_untrusted, version_untrusted

if TYPE_CHECKING:
    from trivox.sip.xml_body import Element

REG: Final = "reg"
REG_TYPE: Final = "application/reginfo+xml"
_NAMESPACE: Final = "urn:ietf:params:xml:ns:reginfo"
_MAX_CONTACTS: Final = 256
"""Contacts in one document, of all its registrations together."""
_STATES: Final = frozenset({"init", "active", "terminated"})
_CONTACT_STATES: Final = frozenset({"active", "terminated"})
_EVENTS: Final = frozenset(
    {
        *("registered", "created", "refreshed", "shortened", "expired", "deactivated"),
        *("probation", "unregistered", "rejected"),
    }
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredContact:
    """One contact of an address of record (RFC 3680 §5.3.3).

    Attributes:
        id: Its name within the document.
        uri: Where it is reached.
        state: "active" or "terminated".
        event: What led to the state: "registered", "refreshed", "expired", "unregistered", …
        expires: Seconds until it ends; None when it is not told.
        display_name: Of the contact; empty when it is not told.
    """

    id: str
    uri: str
    state: str = "active"
    event: str = "registered"
    expires: int | None = None
    display_name: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAddress:
    """One address of record (RFC 3680 §5.3.2): "init", "active" or "terminated"."""

    aor: str
    id: str
    state: str
    contacts: tuple[RegisteredContact, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegInfo:
    """What a registrar tells of registrations.

    Attributes:
        version: Grows with each document; a lower one than the last is to be passed over.
        is_full: Whether all registrations are listed, or those that changed.
        registrations: The addresses of record.
    """

    version: int = 0
    is_full: bool = True
    registrations: tuple[RegisteredAddress, ...] = ()

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type application/reginfo+xml. Raises ParseError."""
        root = parse_xml_untrusted(body, "reginfo")
        found = [child for child in root.children if child.name == "registration"]
        read = tuple(map(_address_untrusted, found))
        if sum(len(address.contacts) for address in read) > _MAX_CONTACTS:
            raise ParseError(f"more than {_MAX_CONTACTS} contacts in one document")
        return cls(
            version=version_untrusted(root),
            is_full=root.attributes.get("state") != "partial",
            registrations=read,
        )

    def to_body(self) -> bytes:
        """Return the body of a NOTIFY that tells this."""
        state = "full" if self.is_full else "partial"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<reginfo xmlns="{_NAMESPACE}" '
            f'version="{self.version}" state="{state}">\n'
            f"{''.join(map(_written, self.registrations))}</reginfo>\n"
        ).encode("utf-8", "replace")


def _address_untrusted(element: Element) -> RegisteredAddress:
    given = element.attributes
    if not given.get("aor") or "id" not in given or given.get("state") not in _STATES:
        raise ParseError("a registration has an address of record, an id and a known state")
    contacts = [child for child in element.children if child.name == "contact"]
    return RegisteredAddress(
        aor=given["aor"],
        id=given["id"],
        state=given["state"],
        contacts=tuple(map(_contact_untrusted, contacts)),
    )


def _contact_untrusted(element: Element) -> RegisteredContact:
    given = element.attributes
    uri, event = element.text_of("uri"), given.get("event", "")
    if not uri or "id" not in given or given.get("state") not in _CONTACT_STATES:
        raise ParseError("a contact has a URI, an id and a known state")
    if event not in _EVENTS:
        raise ParseError(f"a contact of the unknown event {event!r}")
    seconds = given.get("expires", "")
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) <= 10
    return RegisteredContact(
        id=given["id"],
        uri=uri,
        state=given["state"],
        event=event,
        expires=int(seconds) if is_number else None,
        display_name=element.text_of("display-name"),
    )


def _written(address: RegisteredAddress) -> str:
    return (
        f"<registration aor={quoteattr(address.aor)} id={quoteattr(address.id)} "
        f"state={quoteattr(address.state)}>"
        f"{''.join(map(_contact_written, address.contacts))}</registration>\n"
    )


def _contact_written(contact: RegisteredContact) -> str:
    expires = "" if contact.expires is None else f' expires="{contact.expires}"'
    name = contact.display_name
    return (
        f"<contact id={quoteattr(contact.id)} state={quoteattr(contact.state)} "
        f"event={quoteattr(contact.event)}{expires}><uri>{escape(contact.uri)}</uri>"
        f"{f'<display-name>{escape(name)}</display-name>' if name else ''}</contact>"
    )
