"""What a client reports: one small frozen class for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trivox.sip.composing import IsComposing, composing_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox.call.call import Call
    from trivox.sip.imdn import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEvent:
    """What all events of a client carry. `at` is the Trio clock, seconds."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingCall(ClientEvent):
    """Somebody calls; the call is in `client.calls` already."""

    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage(ClientEvent):
    """A MESSAGE outside a call came in (RFC 3428); it has been answered 200."""

    from_uri: str
    to_uri: str
    text: str
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    message_id: str = ""
    """The id by which its sender knows it; empty when it gave none (RFC 5438 §6.3)."""
    wishes: frozenset[str] = frozenset()
    """What its sender asks to be told: `client.send_disposition(message, "displayed")`."""
    sent_at: str = ""
    """When it was sent, as its envelope says (RFC 3862 §4.2)."""
    reply_to: tuple[str | None, int, tuple[str, int]] | None = field(
        default=None, repr=False, compare=False
    )
    """Account, flow and source it came by."""

    @property
    def composing(self) -> IsComposing | None:
        """Whether the sender is writing, if that is what the message says (RFC 3994)."""
        return composing_untrusted(self.content_type, self.text.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionReceived(ClientEvent):
    """Somebody tells what became of a message of ours (IMDN, RFC 5438), as it says."""

    from_uri: str
    disposition: Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerFailed(ClientEvent):
    """A listener or a watch callback raised; `call` is None for one of the client's own."""

    call: Call | None
    listener: object
    event: object
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFailed(ClientEvent):
    """The handler of a served call raised; that call was ended, the server goes on."""

    call: Call
    error: BaseException
