"""Where a call or request goes: a SIP URI, or a user of the account's domain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trivox._native import Uri
from trivox.call.header_rules import checked_text
from trivox.errors import InvalidUriError, ParseError

if TYPE_CHECKING:
    from trivox.client.account import Account

_OTHER_SCHEME: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*://|tel:|mailto:|callto:|https?:)")
"""What begins like a URI of another kind; a user may hold a colon (RFC 3261 §25.1)."""


def target_of(destination: str, account: Account | None) -> str:
    """Return the SIP URI of a destination.

    Raises:
        InvalidUriError: It is no SIP URI, and no user or number of an account's domain.
        InvalidHeaderError: It holds a control character.
    """
    checked_text(destination, "destination")
    if destination.lower().startswith(("sip:", "sips:")):
        text = destination
    elif _OTHER_SCHEME.match(destination):
        raise InvalidUriError(
            f"{destination!r} is no SIP URI: a call goes to sip:user@host or sips:user@host, or to "
            "a user or number of an account's domain"
        )
    elif account is None or not destination:
        raise InvalidUriError(
            f"{destination!r} needs a domain: give a SIP URI, or call from an account"
        )
    else:
        text = f"{account.scheme}:{destination}@{account.domain}"
    try:
        Uri.parse(text)
    except ParseError as error:
        raise InvalidUriError(f"{destination!r} is no SIP URI") from error
    return text
