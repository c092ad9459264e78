"""The root of all errors, and what several of them share."""

from __future__ import annotations

import re
from typing import ClassVar, Final

_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


class TrivoxError(Exception):
    """The root of all errors of trivox.

    Attributes:
        message: What happened, without the advice.
        call_id: `Call.id` of the call concerned, or None.
        code: A stable name for programs and logs: `BusyError` is "busy".
    """

    code: ClassVar[str] = "trivox"
    advice: ClassVar[str] = ""
    """What to do about it; follows the message in `str()`."""

    def __init_subclass__(cls, *, advice: str = "") -> None:
        super().__init_subclass__()
        cls.advice = advice or cls.advice
        cls.code = _WORD.sub("_", cls.__name__.removesuffix("Error")).lower()

    def __init__(self, message: str = "", *, call_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.call_id = call_id

    def __str__(self) -> str:
        """Return what happened and what to do about it."""
        text = self.message or self.code.replace("_", " ")
        return f"{text}: {self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(
    kind: type[TrivoxError], args: tuple[object, ...], fields: dict[str, object]
) -> TrivoxError:
    """Make a pickled error anew without running its constructor."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class RefusedError(TrivoxError):
    """A request of ours was refused; `sip_code` is the status, 0 when no response came."""

    def __init__(
        self,
        message: str = "",
        *,
        sip_code: int = 0,
        retry_after: float | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(message or f"refused with {sip_code}", call_id=call_id)
        self.sip_code = sip_code
        self.retry_after = retry_after
