"""Who we are in a request we originate: the address of record and how we prove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from trivox.sip.digest import DigestClient
    from trivox.sip.outputs import Headers


@final
@dataclass(frozen=True, slots=True)
class LocalIdentity:
    """Describe the party a request is sent as.

    Attributes:
        uri: Address of record, "sip:alice@example.org", without brackets.
        contact: Whole Contact value, "<sip:alice@192.0.2.1:5060;transport=tcp>": where the far end
            reaches us inside the dialog (RFC 3261 §8.1.1.8).
        display_name: Shown before the address in From; unquoted here, empty for none.
        routes: Pre-loaded Route values (outbound proxy, Service-Route), nearest first.
        digest: Answers 401 and 407; None when we have no credentials.
        user_agent: Value of User-Agent; empty for none.
        is_trusted: Whether the peer is in our trust domain (RFC 3325 §4): what it asserts is
            believed, and what we assert is told to it.
        events: Event packages that can be subscribed to here (RFC 6665 §8.2.2).
        headers: What tells a trusted peer who we are, in requests outside of dialogs.
    """

    uri: str
    contact: str
    display_name: str = ""
    routes: tuple[str, ...] = ()
    digest: DigestClient | None = None
    user_agent: str = ""
    is_trusted: bool = False
    headers: Headers = ()
    events: tuple[str, ...] = ()

    @property
    def allow_events(self) -> Headers:
        """The Allow-Events header of what makes a dialog (RFC 6665 §8.2.2)."""
        return (("Allow-Events", ", ".join(self.events)),) if self.events else ()

    @property
    def address(self) -> str:
        """The name-addr of the identity, without tag (RFC 3261 §20.20)."""
        if not self.display_name:
            return f"<{self.uri}>"
        quoted = self.display_name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.uri}>'
