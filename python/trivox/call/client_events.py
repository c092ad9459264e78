"""What a client reports: one small frozen class for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from trivox.sip.composing import IsComposing, composing_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox.call.call import Call


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

    @property
    def composing(self) -> IsComposing | None:
        """Whether the sender is writing, if that is what the message says (RFC 3994)."""
        return composing_untrusted(self.content_type, self.text.encode())


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


class ClientEventName(Enum):
    """Names for the classes of client events."""

    INCOMING_CALL = IncomingCall
    INCOMING_MESSAGE = IncomingMessage
    LISTENER_FAILED = ListenerFailed
    HANDLER_FAILED = HandlerFailed
