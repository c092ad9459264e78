"""Messages outside of calls, and what became of them, as a part of the client."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import trio

from trivox.call.argument_rules import checked_body
from trivox.call.header_rules import checked_mime_type, checked_text
from trivox.client.account import account_of
from trivox.client.outside import ask_outside
from trivox.client.targets import target_of
from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_iterable, checked_kind
from trivox.sip.cpim import CPIM_TYPE, CpimMessage
from trivox.sip.imdn import IMDN_TYPE, KINDS, WISHES, Disposition, is_asked_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.call.client_events import IncomingMessage
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
        wishes = frozenset(
            (notify,) if isinstance(notify, str) else checked_iterable(notify, "notify")
        )
        if sent_at is not None:
            checked_kind(sent_at, datetime.datetime, "sent_at")
        if not wishes <= WISHES:
            raise InvalidArgumentsError(
                f"notify names {', '.join(sorted(map(str, wishes - WISHES)))}; there are "
                f"{', '.join(sorted(WISHES))}"
            )
        kind, body = checked_mime_type(content_type), checked_body(text)
        account = account_of(account, self._accounts)
        target = target_of(uri, account)
        if not wishes:
            headers = (("Content-Type", kind),)
            response = await ask_outside(self._wiring, "MESSAGE", target, headers, body, account)
            return SentMessage(response)
        message_id = self._wiring.new_id()
        envelope = CpimMessage(
            from_uri=_own_uri(account),
            to_uri=target,
            sent_at=(sent_at or datetime.datetime.now(datetime.UTC)).isoformat(),
            imdn={"message-id": message_id, "disposition-notification": ", ".join(sorted(wishes))},
            content_type=kind,
            body=body,
        )
        response = await ask_outside(
            self._wiring, "MESSAGE", target, _ENVELOPE, envelope.to_body(), account
        )
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
        if checked_text(status, "status") not in KINDS:
            raise InvalidArgumentsError(
                f"{status!r} is no status: use one of {', '.join(sorted(KINDS))}"
            )
        if message.reply_to is None or not is_asked_for(status, message.wishes):
            raise InvalidArgumentsError(f"its sender did not ask to be told of {status!r}")
        account, flow, source = message.reply_to
        told = Disposition(
            message_id=message.message_id,
            kind=KINDS[status],
            status=status,
            sent_at=message.sent_at,
            recipient_uri=message.to_uri,
        )
        envelope = CpimMessage(
            from_uri=message.to_uri,
            to_uri=message.from_uri,
            imdn={"message-id": self._wiring.new_id()},
            content_type=IMDN_TYPE,
            disposition="notification",
            body=told.to_body(),
        )
        await trio.lowlevel.checkpoint()
        own = None if account is None else self._accounts.get(account)
        return await ask_outside(
            self._wiring,
            "MESSAGE",
            message.from_uri,
            _ENVELOPE,
            envelope.to_body(),
            own,
            named_by=(flow, source),
        )


def _own_uri(account: Account | None) -> str:
    return _ANONYMOUS if account is None else account.uri
