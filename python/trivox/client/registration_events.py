"""What a client tells of its registrations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivox.call.client_events import ClientEvent

if TYPE_CHECKING:
    from trivox.client.account import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFailed(ClientEvent):
    """A REGISTER of an account failed, a first one or a refresh, by one of its flows.

    Attributes:
        account: Whose it is.
        sip_code: Of the refusal; 0 where nobody answered, or the connection is gone.
        reason: Its phrase, or what happened in words.
        retry_after: Seconds until the next try; None: the account is given up, until `register()`.
        is_registered: Whether the account can be called all the same: what was granted before still
            holds, or another flow is up.
    """

    account: Account
    sip_code: int
    reason: str
    retry_after: float | None
    is_registered: bool
