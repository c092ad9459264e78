"""Messages outside of calls, and what became of them, as a part of the client."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import trio

from trivox.call.argument_rules import checked_body
from trivox.call.client_events import IncomingMessage
from trivox.call.dispositions import (
    asking_envelope,
    checked_status,
    checked_wishes,
    telling_envelope,
)
from trivox.call.header_rules import checked_mime_type
from trivox.client.account import account_of
from trivox.client.outside import ask_outside
from trivox.client.targets import target_of
from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_kind
from trivox.sip.cpim import CPIM_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.call.messages import SipResponse
    from trivox.client.account import Account
    from trivox.client.wiring import Wiring

_ENVELOPE = (("Content-Type", CPIM_TYPE),)
_ANONYMOUS = "sip:anonymous@anonymous.invalid"


@final
@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that was sent: its response, and the id by which notifications name it."""

    response: SipResponse
    message_id: str = ""


class ClientMessaging:
    """The part of a client that sends messages and tells what became of those it got."""

    _accounts: dict[str, Account]
    _wiring: Wiring

    async def send_message(
        self,
        uri: str,
        text: str | bytes,
        *,
        content_type: str = "text/plain;charset=UTF-8",
        notify: Iterable[str] = (),
        sent_at: datetime.datetime | None = None,
        account: Account | None = None,
    ) -> SentMessage:
        """Send a MESSAGE outside of calls (RFC 3428) and return its response, whatever it is.

        With `notify` it goes in an envelope (RFC 3862) that asks to be told what becomes of it
        (IMDN, RFC 5438): a `DispositionReceived` for each word. Cancelling does not unsend it.

        Args:
            uri: To whom: a SIP URI, or a user of the account's domain.
            text: What.
            content_type: Its type.
            notify: Of "positive-delivery", "negative-delivery", "processing" and "display".
            sent_at: Told in the envelope; None: now, by the system's clock.
            account: As whom; None: the first account, if there is any.

        Raises:
            InvalidArgumentsError, InvalidUriError: An argument is wrong.
            ConnectionTimeoutError, TransportError: No response came, or it could not be sent.
        """
        wishes = checked_wishes(notify)
        if sent_at is not None:
            checked_kind(sent_at, datetime.datetime, "sent_at")
        kind, body = checked_mime_type(content_type), checked_body(text)
        account = account_of(account, self._accounts)
        target = target_of(uri, account)
        if not wishes:
            headers = (("Content-Type", kind),)
            response = await ask_outside(self._wiring, "MESSAGE", target, headers, body, account)
            return SentMessage(response)
        message_id = self._wiring.new_id()
        envelope = asking_envelope(
            body,
            kind,
            wishes=wishes,
            message_id=message_id,
            parties=(_own_uri(account), target),
            sent_at=written_at() if sent_at is None else sent_at.isoformat(),
        )
        response = await ask_outside(self._wiring, "MESSAGE", target, _ENVELOPE, envelope, account)
        return SentMessage(response, message_id)

    async def send_disposition(self, message: IncomingMessage, status: str) -> SipResponse:
        """Tell the sender of a message what became of it (RFC 5438 §7.2).

        It goes to the From of the request and not to that of the envelope, and only where a target
        that the network named may lead.

        Args:
            message: One that asked for it: `message.wishes`.
            status: "delivered", "failed", "displayed", "processed" or "stored".

        Raises:
            InvalidArgumentsError: No such status, or the sender did not ask for it.
            ConnectionTimeoutError, TransportError: No response came, or it could not be sent.
        """
        checked_kind(message, IncomingMessage, "message")
        checked_status(status, message.wishes)
        if message.reply_to is None:
            raise InvalidArgumentsError("that is no message that came: there is no way back")
        account, flow, source = message.reply_to
        envelope = telling_envelope(
            status,
            about=(message.message_id, message.sent_at),
            parties=(message.to_uri, message.from_uri),
            message_id=self._wiring.new_id(),
        )
        await trio.lowlevel.checkpoint()
        own = None if account is None else self._accounts.get(account)
        return await ask_outside(
            self._wiring,
            "MESSAGE",
            message.from_uri,
            _ENVELOPE,
            envelope,
            own,
            named_by=(flow, source),
        )


def _own_uri(account: Account | None) -> str:
    return _ANONYMOUS if account is None else account.uri


def written_at() -> str:
    """Return the present by the system's clock, as RFC 3339 writes it: for people to read."""
    return datetime.datetime.now(datetime.UTC).isoformat()
