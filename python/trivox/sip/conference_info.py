"""Who is in a conference, as an event: `conference` (RFC 4575)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, final
from xml.sax.saxutils import escape, quoteattr

from trivox.errors import ParseError
from trivox.sip.xml_body import parse_xml_untrusted, version_untrusted

if TYPE_CHECKING:
    from trivox.sip.xml_body import Element

CONFERENCE: Final = "conference"
CONFERENCE_TYPE: Final = "application/conference-info+xml"
_NAMESPACE: Final = "urn:ietf:params:xml:ns:conference-info"
_MAX_USERS: Final = 512
_CHANGES: Final = frozenset({"full", "partial", "deleted"})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceEndpoint:
    """A device by which a user takes part (RFC 4575 §5.7).

    Attributes:
        entity: Its URI.
        status: "connected", "on-hold", "dialing-in", "disconnected", …; empty when not told.
        display_name: Empty when it is not told.
        media: Kind and direction of each stream: ("audio", "sendrecv").
    """

    entity: str
    status: str = ""
    display_name: str = ""
    media: tuple[tuple[str, str], ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceUser:
    """Somebody who takes part (RFC 4575 §5.6).

    Attributes:
        entity: Its URI.
        display_name: Empty when it is not told.
        change: "full", "partial", or "deleted" for one who has left, in a partial document.
        endpoints: Its devices.
    """

    entity: str
    display_name: str = ""
    change: str = "full"
    endpoints: tuple[ConferenceEndpoint, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceInfo:
    """The state of a conference.

    Attributes:
        entity: The conference's URI.
        version: Grows by one with each document.
        change: "full", "partial", or "deleted" for a conference that is over.
        subject: What it is about; empty when it is not told.
        user_count: How many take part; None when it is not told.
        users: Who takes part, or whose part changed.
    """

    entity: str
    version: int = 0
    change: str = "full"
    subject: str = ""
    user_count: int | None = None
    users: tuple[ConferenceUser, ...] = ()

    def updated(self, newer: ConferenceInfo) -> ConferenceInfo | None:
        """Return the state after a newer document (RFC 4575 §4.6).

        None when one between is missing: subscribe anew. An older one changes nothing.
        """
        if newer.version <= self.version:
            return self
        if newer.change != "partial":
            return newer
        if newer.version != self.version + 1:
            return None
        users = {user.entity: user for user in self.users}
        users |= {user.entity: user for user in newer.users}
        return ConferenceInfo(
            entity=self.entity,
            version=newer.version,
            subject=newer.subject or self.subject,
            user_count=self.user_count if newer.user_count is None else newer.user_count,
            users=tuple(user for user in users.values() if user.change != "deleted"),
        )

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type application/conference-info+xml. Raises ParseError."""
        root = parse_xml_untrusted(body, "conference-info")
        if not root.attributes.get("entity"):
            raise ParseError("a conference-info document names its conference")
        description, state = root.child("conference-description"), root.child("conference-state")
        listed = root.child("users")
        users = [] if listed is None else [one for one in listed.children if one.name == "user"]
        if len(users) > _MAX_USERS:
            raise ParseError(f"more than {_MAX_USERS} users in one document")
        count = "" if state is None else state.text_of("user-count")
        is_number = count.isascii() and count.isdigit() and len(count) <= 9
        return cls(
            entity=root.attributes["entity"],
            version=version_untrusted(root),
            change=_change_untrusted(root),
            subject="" if description is None else description.text_of("subject"),
            user_count=int(count) if is_number else None,
            users=tuple(map(_user_untrusted, users)),
        )

    def to_body(self) -> bytes:
        """Return the body of a NOTIFY that tells this."""
        subject = f"<subject>{escape(self.subject)}</subject>"
        count = f"<user-count>{self.user_count}</user-count>"
        users = f"<users>{''.join(map(_user_written, self.users))}</users>\n"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<conference-info xmlns="{_NAMESPACE}" '
            f"entity={quoteattr(self.entity)} state={quoteattr(self.change)} "
            f'version="{self.version}">\n'
            f"{_within('conference-description', subject if self.subject else '')}"
            f"{_within('conference-state', '' if self.user_count is None else count)}"
            f"{users if self.users else ''}</conference-info>\n"
        ).encode("utf-8", "replace")


def _change_untrusted(element: Element) -> str:
    change = element.attributes.get("state", "full")
    if change not in _CHANGES:
        raise ParseError("what is told is full, partial or deleted")
    return change


def _user_untrusted(element: Element) -> ConferenceUser:
    endpoints = [child for child in element.children if child.name == "endpoint"]
    return ConferenceUser(
        entity=element.attributes.get("entity", ""),
        display_name=element.text_of("display-text"),
        change=_change_untrusted(element),
        endpoints=tuple(map(_endpoint_untrusted, endpoints)),
    )


def _endpoint_untrusted(element: Element) -> ConferenceEndpoint:
    media = [child for child in element.children if child.name == "media"]
    return ConferenceEndpoint(
        entity=element.attributes.get("entity", ""),
        status=element.text_of("status"),
        display_name=element.text_of("display-text"),
        media=tuple((one.text_of("type"), one.text_of("status")) for one in media),
    )


def _within(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>\n" if content else ""


def _named(name: str) -> str:
    return f"<display-text>{escape(name)}</display-text>" if name else ""


def _user_written(user: ConferenceUser) -> str:
    return (
        f"<user entity={quoteattr(user.entity)} state={quoteattr(user.change)}>"
        f"{_named(user.display_name)}{''.join(map(_endpoint_written, user.endpoints))}</user>"
    )


def _endpoint_written(endpoint: ConferenceEndpoint) -> str:
    status = f"<status>{escape(endpoint.status)}</status>" if endpoint.status else ""
    media = "".join(
        f'<media id="{number}"><type>{escape(kind)}</type><status>{escape(direction)}</status>'
        "</media>"
        for number, (kind, direction) in enumerate(endpoint.media, start=1)
    )
    return (
        f"<endpoint entity={quoteattr(endpoint.entity)}>{_named(endpoint.display_name)}"
        f"{status}{media}</endpoint>"
    )
