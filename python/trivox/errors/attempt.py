"""Why a call was not established, by the status that ended the attempt."""

import re
from collections.abc import Mapping
from typing import Final

from trivox.errors.call import CallError

_RETRY_AFTER: Final = re.compile(r"\s*([0-9]{1,9})(?![0-9])")
Headers = Mapping[str, str]
"""The headers of the response that caused an error, as the call saw them."""


class CallFailedError(CallError):
    """The call was not established.

    Attributes:
        sip_code: The status that ended the attempt; 0 when no response said so.
        reason: Its reason phrase, or what happened here.
        headers: The headers of that response.
        retry_after: Seconds its Retry-After asks to wait; None where it has none (RFC 3261 §20.33).
    """

    def __init__(
        self,
        message: str = "",
        *,
        sip_code: int = 0,
        reason: str = "",
        headers: Headers | None = None,
        call_id: str | None = None,
    ) -> None:
        wait = _RETRY_AFTER.match((headers or {}).get("Retry-After", ""))
        self.retry_after = float(wait[1]) if wait else None
        super().__init__(message or self._text(sip_code, reason), call_id=call_id)
        self.sip_code = sip_code
        self.reason = reason
        self.headers: Headers = dict(headers or {})

    def _text(self, sip_code: int, reason: str) -> str:
        text = _failure_text(sip_code, reason)
        wait = self.retry_after
        return text if wait is None else f"{text}; it asks to wait {wait:g} s"


class BusyError(CallFailedError, advice="try again later"):
    """The callee is busy (486, 600)."""


class DeclinedError(CallFailedError, advice="do not try again by yourself"):
    """The callee declined on all devices (603)."""


class NotFoundError(CallFailedError, advice="check the destination"):
    """The number or address does not exist (404, 604)."""


class UnavailableError(CallFailedError, advice="try again later, or raise ring_timeout"):
    """The callee cannot be reached now, or did not answer in time (480, 408)."""


class CanceledError(CallFailedError):
    """The attempt was cancelled before it was answered (487)."""


class ForbiddenError(CallFailedError, advice="check the account's rights and caller identity"):
    """The server refuses this call (403)."""


_FAILURES: Final[dict[int, type[CallFailedError]]] = {
    403: ForbiddenError,
    404: NotFoundError,
    408: UnavailableError,
    480: UnavailableError,
    486: BusyError,
    487: CanceledError,
    600: BusyError,
    603: DeclinedError,
    604: NotFoundError,
}


def call_failed(
    sip_code: int, reason: str = "", *, headers: Headers | None = None, call_id: str | None = None
) -> CallFailedError:
    """Return the error of an attempt that ended with this status, or 0 where there was none."""
    kind = _FAILURES.get(sip_code, CallFailedError)
    return kind(sip_code=sip_code, reason=reason, headers=headers, call_id=call_id)


def _failure_text(sip_code: int, reason: str) -> str:
    status = " ".join(part for part in (str(sip_code or ""), reason) if part)
    return f"the call was not established ({status})" if status else "the call was not established"
